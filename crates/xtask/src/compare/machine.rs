//! Under which conditions it was measured.

use super::programs::{NGINX, Programs};
use crate::run::root;
use std::process::Command;

/// What the page says about them.
pub struct Machine {
    /// The day.
    pub date: String,
    /// Processors and kernel.
    pub hardware: String,
    /// How busy it was before: the load average of a minute.
    pub load_average: String,
    /// The hub's version and revision.
    pub hub: String,
    /// Names and versions of the others.
    pub versions: Vec<String>,
    /// Files that a process may open.
    pub descriptors: u64,
}

impl Machine {
    /// Looks around.
    pub fn look(programs: &Programs) -> Self {
        let cores = std::thread::available_parallelism();
        let cores = cores.map_or(1, std::num::NonZero::get);
        let averages = read("/proc/loadavg");
        let changed =
            match said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty() {
                true => "",
                false => ", with changes that are not committed",
            };
        let mut versions = vec![
            format!("axum {}", locked("axum")),
            format!("tokio {}", locked("tokio")),
            format!("tokio-tungstenite {}", locked("tokio-tungstenite")),
            format!("node {}", said("node", &["--version"])),
            format!("better-sse {}", better_sse()),
        ];
        versions.push(nginx());
        let package = ["-W", "-f", "nchan ${Version}", "libnginx-mod-nchan"];
        versions.push(said("dpkg-query", &package));
        versions.retain(|version| version.contains(' ') && !version.ends_with(' '));
        Self {
            date: said("date", &["+%Y-%m-%d"]),
            hardware: format!(
                "{cores} × {}, {}",
                model(&read("/proc/cpuinfo")),
                said("uname", &["-sr"])
            ),
            load_average: averages.split(' ').next().unwrap_or("").to_owned(),
            hub: format!(
                "{}, revision {}{changed}",
                said(&programs.tidings().display().to_string(), &["--version"]),
                said("git", &["rev-parse", "--short=12", "HEAD"])
            ),
            versions,
            descriptors: programs.descriptors,
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// What a program prints, or nothing.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .current_dir(root())
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}

fn nginx() -> String {
    // It prints that as an error.
    let output = Command::new(NGINX).arg("-v").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned());
    let text = text.unwrap_or_default();
    let version = text.rsplit('/').next().unwrap_or("");
    format!("nginx {version}")
}

fn model(cpuinfo: &str) -> &str {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(": "));
    name.map_or("processors", |(_, name)| name)
}

/// The version of a package in the peers' lock file.
fn locked(name: &str) -> String {
    let lock = Programs::directory().join("Cargo.lock");
    let lock = read(&lock.display().to_string());
    version_of(&lock, name).unwrap_or("").to_owned()
}

fn version_of<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let line = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock.split_once(&line)?;
    rest.split('"').next()
}

fn better_sse() -> String {
    let manifest = Programs::directory().join("package.json");
    let manifest = read(&manifest.display().to_string());
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap_or_default();
    let version = manifest.pointer("/dependencies/better-sse");
    version
        .and_then(serde_json::Value::as_str)
        .unwrap_or("")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_say() {
        let lock = "[[package]]\nname = \"axum-core\"\nversion = \"2\"\n\n[[package]]\nname = \"axum\"\nversion = \"1.0\"\n";
        assert_eq!(version_of(lock, "axum"), Some("1.0"));
        assert_eq!(version_of(lock, "hyper"), None);
        assert_eq!(model("processor\t: 0\nmodel name\t: A B\n"), "A B");
    }
}
