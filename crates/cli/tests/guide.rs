//! The pages of the documentation do what they say: each command of them runs
//! here, in order, on a machine of its own, and writes what the page shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tidings_testkit::guide::{Form, Page, Walk, root};

macro_rules! pages {
    ($($test:ident = $page:literal),* $(,)?) => {
        const PAGES: &[&str] = &[$($page),*];
        $(#[test]
        fn $test() {
            let done = Walk::through($page, env!("CARGO_BIN_EXE_tidings"));
            assert_ne!(done, Some(0), "it has no commands");
        })*
    };
}

pages! {
    readme = "README.md",
    readme_zh_cn = "README.zh-CN.md",
    cli = "docs/cli.md",
    concepts = "docs/concepts.md",
    configuration = "docs/configuration.md",
    console = "docs/console.md",
    django = "docs/howto/django.md",
    express = "docs/howto/express.md",
    htmx = "docs/howto/htmx.md",
    laravel = "docs/howto/laravel.md",
    mistakes = "docs/mistakes.md",
    mercure = "docs/mercure.md",
    tls = "docs/tls.md",
    getting_started = "docs/getting-started.md",
    proxies = "docs/howto/proxies.md",
    nginx = "docs/howto/nginx.md",
    caddy = "docs/howto/caddy.md",
    haproxy = "docs/howto/haproxy.md",
    traefik = "docs/howto/traefik.md",
}

/// The commands that no test runs here, as they begin, and why.
const NOT_RUN: &[(&str, &str, &str)] = &[
    ("README.md", "cargo xtask test", "it is what runs this"),
    ("README.zh-CN.md", "cargo xtask test", "the same"),
    (
        "docs/howto/cloudflare.md",
        "curl -N https://hub.example/t/news",
        "it takes an account and a domain",
    ),
    (
        "docs/mercure.md",
        "cargo xtask mercure-conformance",
        "the test mercure_conformance does, at a hub of its own",
    ),
];

/// The commands of a page.
struct Commands {
    run: usize,
    not_run: Vec<String>,
}

/// Every page, from the root of the repository, and its commands.
fn pages() -> BTreeMap<String, Commands> {
    let mut pages = BTreeMap::new();
    let mut waiting = ["docs", "README.md", "README.zh-CN.md"]
        .map(|name| root().join(name))
        .to_vec();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a directory");
            waiting.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.strip_prefix(root()).expect("below the root");
            let name = name.display().to_string();
            pages.insert(name.clone(), commands_of(&path, &name));
        }
    }
    pages
}

fn commands_of(path: &Path, name: &str) -> Commands {
    let text = std::fs::read_to_string(path).expect("text");
    let (mut run, mut not_run) = (0, Vec::new());
    for block in Page::parse(&text).blocks {
        let not = block.words.get("not").is_some();
        match block.form {
            Form::Commands(commands) if not => not_run.extend(commands.into_iter().map(|c| c.0)),
            Form::Commands(commands) => run += commands.len(),
            Form::Text(language, _) => {
                let shells = ["bash", "shell", "shell-session", "zsh", "terminal"];
                let known = !shells.contains(&&*language);
                assert!(known, "{name}:{}: say sh, or console", block.line);
            }
        }
    }
    Commands { run, not_run }
}

#[test]
fn every_page_with_commands_is_run() {
    let found = pages();
    let names = found.iter().filter(|(_, commands)| commands.run > 0);
    let names: BTreeSet<&str> = names.map(|(name, _)| &**name).collect();
    assert_eq!(names, PAGES.iter().copied().collect());
    let mut not_run: BTreeSet<(&str, &str)> = found
        .iter()
        .flat_map(|(page, commands)| commands.not_run.iter().map(|c| (&**page, &**c)))
        .collect();
    for (page, start, why) in NOT_RUN {
        let before = not_run.len();
        not_run.retain(|(on, command)| on != page || !command.starts_with(start));
        assert_eq!(not_run.len() + 1, before, "{page}: {start} ({why})");
    }
    assert!(
        not_run.is_empty(),
        "not run, and nobody says why: {not_run:?}"
    );
}
