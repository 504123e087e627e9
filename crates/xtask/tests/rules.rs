//! Rules of the project that no compiler holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("two levels up").to_owned()
}

/// Every Rust file below `directory`, with its text.
fn rust_files(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                files.push((path, text));
            }
        }
    }
    assert!(
        !files.is_empty(),
        "no Rust files below {}",
        directory.display()
    );
    files
}

#[test]
fn no_file_holds_everything_about_one_thing() {
    const MAX_LINES: usize = 600;
    let too_long: Vec<String> = ["crates", "benches", "examples"]
        .into_iter()
        .flat_map(|directory| rust_files(&root().join(directory)))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert!(
        too_long.is_empty(),
        "more than {MAX_LINES} lines: {too_long:#?}"
    );
}

/// Which crates of the project a crate may import: the arrows of the map in
/// ARCHITECTURE.md. None points up.
const ARROWS: &[(&str, &[&str])] = &[
    ("codec", &[]),
    ("matcher", &[]),
    ("engine", &["codec", "matcher"]),
    ("mercure", &["codec", "engine", "matcher"]),
    ("auth", &["codec", "engine", "matcher", "mercure"]),
    ("store", &["codec", "engine"]),
    (
        "server",
        &[
            "auth",
            "codec",
            "engine",
            "eventsource",
            "matcher",
            "mercure",
            "store",
        ],
    ),
    ("eventsource", &["codec"]),
    ("cli", &["auth", "codec", "server", "eventsource"]),
    ("sim", &["codec", "engine", "store", "server"]),
    ("testkit", &["auth", "codec"]),
    ("conformance", &["codec", "testkit"]),
    ("jsshell", &["codec", "eventsource"]),
    ("xtask", &[]),
];

/// The dependencies that `manifest` lists for what it publishes (not for its
/// tests).
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut table = "";
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']');
            if let Some((of, name)) = table.rsplit_once('.')
                && is_dependency_table(of)
            {
                names.push(name);
            }
        } else if is_dependency_table(table)
            && !line.starts_with('#')
            && let Some((name, _)) = line.split_once(['.', '=', ' '])
        {
            names.push(name);
        }
    }
    names
}

fn is_dependency_table(table: &str) -> bool {
    matches!(table, "dependencies" | "build-dependencies") || table.ends_with("'.dependencies")
}

#[test]
fn manifests_are_read_right() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\"\n# c = \
                    \"1\"\n[dependencies.d]\nversion = \"1\"\n[dev-dependencies]\ne = \
                    \"1\"\n[target.'cfg(unix)'.dependencies]\nf = { version = \"1\" }\n";
    assert_eq!(dependencies(manifest), ["a", "b", "d", "f"]);
}

#[test]
fn the_arrows_of_the_map_hold() {
    let mut seen = 0;
    for entry in fs::read_dir(root().join("crates")).expect("crates") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let manifest = fs::read_to_string(path.join("Cargo.toml")).expect("a manifest");
        let (_, allowed) = ARROWS
            .iter()
            .find(|(from, _)| *from == name)
            .unwrap_or_else(|| panic!("crates/{name} isn't on the map"));
        for dependency in dependencies(&manifest) {
            let Some(own) = dependency.strip_prefix("tidings-") else {
                // The codec is for everyone, so it brings nothing along.
                assert!(
                    name != "codec" || dependency == "memchr",
                    "codec imports {dependency}"
                );
                continue;
            };
            assert!(
                allowed.contains(&own),
                "no arrow leads from {name} to {own}"
            );
        }
        seen += 1;
    }
    assert_eq!(seen, ARROWS.len(), "a crate of the map is missing");
}

/// The lines of what is shipped below `directory` (no tests, no comments) that
/// hold one of `words`.
fn lines_with(directory: &Path, words: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for (path, text) in rust_files(directory) {
        let shipped = text.split("#[cfg(test)]").next().unwrap_or("");
        for (number, line) in shipped.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            if let Some(word) = words.iter().find(|word| code.contains(**word)) {
                let place = format!("{}:{}: {word}", path.display(), number + 1);
                found.push((path.clone(), place));
            }
        }
    }
    found
}

/// Time, sockets, files and random numbers are arguments of what is pure.
#[test]
fn what_is_pure_touches_nothing_outside() {
    const OUTSIDE: [&str; 13] = [
        "std::fs",
        "std::net",
        "std::io",
        "std::env",
        "std::process",
        "std::thread",
        "Instant",
        "SystemTime",
        "fastrand",
        "getrandom",
        "RandomState",
        "hyper",
        "tokio",
    ];
    for pure in [
        "auth/src",
        "codec/src",
        "engine/src",
        "matcher/src",
        "eventsource/src/protocol",
        "mercure/src",
    ] {
        let found = lines_with(&root().join("crates").join(pure), &OUTSIDE);
        assert!(found.is_empty(), "{pure} is pure: {found:#?}");
    }
}

/// Which files of the client's crate may know the libraries that carry and wait.
#[test]
fn the_client_s_core_knows_no_transport_and_no_runtime() {
    const CARRIES: [&str; 8] = [
        "axum::",
        "cookie_store::",
        "h2::",
        "hyper::",
        "hyper_util::",
        "reqwest::",
        "rustls::",
        "tower_",
    ];
    let source = root().join("crates/eventsource/src");
    for (words, allowed) in [
        (&CARRIES[..], &["transport"][..]),
        (
            // Beside what runs on it: the faces that choose it for their user.
            &["tokio::"],
            &["transport", "runtime", "blocking.rs", "event_source/mod.rs"],
        ),
    ] {
        let mut found = lines_with(&source, words);
        found.retain(|(path, _)| {
            !allowed
                .iter()
                .any(|allowed| path.starts_with(source.join(allowed)))
        });
        assert!(found.is_empty(), "only {allowed:?} may: {found:#?}");
    }
}

/// Every lock file of npm's below `directory`, but for those of what npm or
/// cargo have put there.
fn lock_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        match name {
            Some("package-lock.json") => found.push(path),
            Some("node_modules" | "target" | ".git" | ".venv") => {}
            _ if path.is_dir() && !path.is_symlink() => found.extend(lock_files(&path)),
            _ => {}
        }
    }
    found
}

#[test]
fn what_is_locked_for_npm_names_no_registry() {
    let found = lock_files(&root());
    assert!(found.len() >= 3, "{found:?}");
    for lock in found {
        let text = fs::read_to_string(&lock).expect("a lock file");
        // A package of ours that another depends on is resolved to its directory.
        let names_one = |line: &str| line.contains("\"resolved\"") && line.contains("://");
        let line = text.lines().find(|line| names_one(line));
        assert_eq!(line, None, "{}", lock.display());
    }
}

/// What cargo says of a package's dependencies on all targets, a line each.
fn cargo_tree(words: &[&str], format: &str) -> String {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--quiet", "--target", "all", "--prefix", "none"]);
    tree.args(["--format", format]).args(words);
    let tree = tree.current_dir(root()).output().expect("cargo tree");
    assert!(tree.status.success(), "{tree:?}");
    String::from_utf8_lossy(&tree.stdout).into_owned()
}

/// ring, which is rarely released, comes with a feature of rustls or of what
/// brings rustls along; aws-lc-rs is the one implementation.
#[test]
fn one_implementation_of_cryptography() {
    let words = ["--package", "tidings", "--edges", "normal,build"];
    let crates = cargo_tree(&words, "{p}");
    let has = |name: &str| {
        crates
            .lines()
            .any(|line| line.starts_with(&format!("{name} v")))
    };
    assert!(has("aws-lc-rs"));
    assert!(!has("ring"), "cargo tree --package tidings --invert ring");
}

/// What an application has to build with the hub leaves hyper-util's HTTP/2 out: with
/// it, every connection of the application's own server would take a kilobyte more.
#[test]
fn the_library_brings_no_http2_into_an_application_s_server() {
    let words = ["--package", "library-on-axum", "--edges", "normal"];
    let text = cargo_tree(&words, "{p} {f}");
    let features = |name: &str| {
        let mut lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let line = lines.find(|words| words[0] == name);
        let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        line[2].split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(features("hyper-util").contains(&"http1".to_owned()));
    assert!(!features("hyper-util").contains(&"http2".to_owned()));
    assert!(!features("axum").contains(&"http2".to_owned()));
}
