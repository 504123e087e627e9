//! Installing what tests need and the machine lacks.

use crate::report::Report;
use crate::run::{find, root, step, succeeds};
use std::path::Path;
use std::process::Command;

/// Where Debian has nginx's module.
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// What playwright-core's package asks for, and those of the web.
const NODE_MAJOR: u32 = 20;

/// Where Debian has Laravel, for PHP's.
const LARAVEL: &str = "/usr/share/php/Illuminate/Foundation";

/// What the tests of faults use to make them, and strangers of Debian's.
const TOOLS: [(&str, &str); 12] = [
    ("caddy", "caddy"),
    ("curl", "curl"),
    ("haproxy", "haproxy"),
    ("ip", "iproute2"),
    ("nginx", "nginx"),
    ("php", "php-cli"),
    ("openssl", "openssl"),
    ("strace", "strace"),
    ("mkfs.ext4", "e2fsprogs"),
    ("nsenter", "util-linux"),
    ("prlimit", "util-linux"),
    ("unshare", "util-linux"),
];

/// Installs the tools that make faults, and the strangers that the tests of
/// interoperability and the pages of the guide talk to, as far as that is possible. The tests themselves
/// say which of them did not run for want of one.
pub fn tools(report: &mut Report) {
    let missing = |tool: &str| find(&[tool]).is_none() && !sbin_has(tool);
    let mut packages: Vec<&str> = TOOLS
        .iter()
        .filter(|(tool, _)| missing(tool))
        .map(|(_, package)| *package)
        .collect();
    if !Path::new(NCHAN).is_file() {
        packages.push("libnginx-mod-nchan");
    }
    if !Path::new(LARAVEL).is_dir() {
        packages.extend(["php-laravel-framework", "php-guzzlehttp-guzzle"]);
    }
    packages.dedup();
    let debian = match packages.is_empty() {
        true => Ok(()),
        false => install(report, &packages),
    };
    let mut outcomes = vec![debian];
    for directory in ["tests/interop", "tests/guide"].map(|name| root().join(name)) {
        outcomes.extend([npm(report, &directory), python(report, &directory)]);
    }
    for reason in outcomes.into_iter().filter_map(Result::err) {
        println!("{reason}");
    }
}

/// Installs node if it is missing, and says so if it is too old.
pub fn node(report: &mut Report) -> Result<(), String> {
    if find(&["node"]).is_none() {
        install(report, &["nodejs"])?;
    }
    match node_major() {
        Some(major) if major >= NODE_MAJOR => Ok(()),
        _ => Err(format!(
            "node is older than version {NODE_MAJOR}, which playwright-core and the web's packages need"
        )),
    }
}

/// The number before the first dot of `node --version`.
fn node_major() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

/// Installs what the `package-lock.json` of a directory says, unless it is there.
pub fn npm(report: &mut Report, directory: &Path) -> Result<(), String> {
    if is_installed(directory) {
        return Ok(());
    }
    if find(&["npm"]).is_none() {
        install(report, &["npm"])?;
    }
    let name = format!("npm ci in {}", shown(directory));
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"])
        .current_dir(directory);
    match step(report, &name, &mut npm) {
        true => Ok(()),
        false => Err(format!("{name} failed")),
    }
}

/// Whether `node_modules` is what `package-lock.json` says: npm writes its own
/// copy of it last.
fn is_installed(directory: &Path) -> bool {
    let written = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let installed = written(&directory.join("node_modules/.package-lock.json"));
    installed.is_some() && installed >= written(&directory.join("package-lock.json"))
}

/// Makes a virtual environment of Python in `.venv` of a directory, with what its
/// `requirements.txt` says, unless it is there.
pub fn python(report: &mut Report, directory: &Path) -> Result<(), String> {
    const WANTED: &str = "requirements.txt";
    let wanted = directory.join(WANTED);
    let environment = directory.join(".venv");
    // Copied last, so that it says what is installed whole.
    let installed = environment.join(WANTED);
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{path:?}: {error}"));
    let wanted_text = read(&wanted)?;
    if read(&installed).is_ok_and(|text| text == wanted_text) {
        return Ok(());
    }
    if !succeeds("python3", &["-c", "import ensurepip, venv"]) {
        install(report, &["python3", "python3-venv"])?;
    }
    let script = "python3 -m venv --clear \"$1\" && \"$1/bin/pip\" install --quiet \
                  --disable-pip-version-check --requirement \"$2\" && cp \"$2\" \"$1\"";
    let name = format!("pip install in {}", shown(directory));
    let mut sh = Command::new("sh");
    sh.args(["-c", script, "sh"]).args([&environment, &wanted]);
    match step(report, &name, &mut sh) {
        true => Ok(()),
        false => Err(format!("{name} failed")),
    }
}

/// As seen from the root of the repository.
fn shown(directory: &Path) -> String {
    let root = root();
    let path = directory.strip_prefix(&root).unwrap_or(directory);
    path.display().to_string()
}

/// Directories that stand in `PATH` for root only.
fn sbin_has(tool: &str) -> bool {
    ["/usr/sbin", "/sbin"]
        .iter()
        .any(|dir| Path::new(dir).join(tool).is_file())
}

/// Installs Debian packages, if this is Debian (or a relative) and we may.
pub fn install(report: &mut Report, packages: &[&str]) -> Result<(), String> {
    let list = packages.join(" ");
    let by_hand =
        |why: &str| format!("{list} missing, and {why}; install it (apt-get install {list})");
    if find(&["apt-get"]).is_none() {
        return Err(by_hand("there is no apt-get"));
    }
    let sudo: &[&str] = if is_root() {
        &[]
    } else if succeeds("sudo", &["-n", "true"]) {
        &["sudo", "-n"]
    } else {
        return Err(by_hand("only root may install it"));
    };
    // Old lists name packages that are gone; without network the installation
    // may still succeed from what is there.
    let script = "apt-get update -q; exec apt-get install -q -y --no-install-recommends \"$@\"";
    let words = [
        sudo,
        &[
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "sh",
            "-c",
            script,
            "sh",
        ],
    ]
    .concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(packages);
    match step(report, &format!("install {list}"), &mut command) {
        true => Ok(()),
        false => Err(by_hand("apt-get failed")),
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
