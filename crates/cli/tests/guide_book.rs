//! The pages are a book: mdBook makes it without complaint, no page is left out,
//! and every link within it leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use tidings_testkit::guide::root;
use tidings_testkit::skip;

/// All files below `directory` with this extension, from there.
fn files(directory: &Path, extension: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a directory");
            waiting.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|found| found == extension) {
            let below = path.strip_prefix(directory).expect("below it");
            found.insert(below.to_owned());
        }
    }
    found
}

/// What stands between `start` and `end`, each time that it does.
fn between<'a>(text: &'a str, start: &str, end: char) -> Vec<&'a str> {
    let parts = text.split(start).skip(1);
    parts
        .filter_map(|part| part.split_once(end).map(|(inner, _)| inner))
        .collect()
}

#[test]
fn every_page_stands_in_the_summary() {
    let docs = root().join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).expect("a summary");
    let listed = between(&summary, "](", ')');
    let listed: BTreeSet<PathBuf> = listed
        .iter()
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .collect();
    let mut pages = files(&docs, "md");
    pages.remove(Path::new("SUMMARY.md"));
    assert_eq!(listed, pages);
}

#[test]
fn the_book_is_made_and_its_links_lead_somewhere() {
    let mdbook = root().join("tests/guide/.venv/bin/mdbook");
    if !mdbook.is_file() {
        return skip("mdBook is missing; `cargo xtask test` installs it");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let made = Command::new(mdbook)
        .arg("build")
        .arg("--dest-dir")
        .args([directory.path(), &root().join("docs")])
        .output()
        .expect("mdBook runs");
    let said = String::from_utf8_lossy(&made.stderr);
    let complains = ["WARN", "ERROR"].iter().any(|word| said.contains(word));
    assert!(made.status.success() && !complains, "{said}");
    check_links(directory.path());
}

/// Pages beside the book, whose links lead to files of the repository.
#[test]
fn links_of_other_pages_lead_somewhere() {
    let beside = [
        "README.md",
        "README.zh-CN.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
    ];
    for page in beside {
        let text = std::fs::read_to_string(root().join(page)).expect("a page");
        for link in between(&text, "](", ')') {
            let path = link.split('#').next().unwrap_or_default();
            let is_here = path.contains("://") || root().join(path).exists();
            assert!(is_here, "{page}: {link}");
        }
    }
}

fn check_links(book: &Path) {
    let names = files(book, "html");
    let pages: BTreeMap<PathBuf, String> = names
        .into_iter()
        .map(|name| {
            let text = std::fs::read_to_string(book.join(&name)).expect("a page");
            (name, text)
        })
        .collect();
    let mut broken = Vec::new();
    let mut checked = 0;
    for (name, text) in &pages {
        // All pages in one, for printing: its links are those of the others.
        if name == Path::new("print.html") || name == Path::new("404.html") {
            continue;
        }
        let own = text.split_once("<main>").map_or(&**text, |(_, main)| main);
        for link in between(own, "<a href=\"", '"') {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            if !leads(&pages, name, link) {
                broken.push(format!("{}: {link}", name.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 100, "only {checked} links were found");
}

/// Whether a link of the page `from` names a page, and a heading of it if it says one.
fn leads(pages: &BTreeMap<PathBuf, String>, from: &Path, link: &str) -> bool {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let mut to = match path {
        "" => from.to_owned(),
        path => from.parent().expect("a file").join(path),
    };
    // Without what goes back up.
    let mut parts: Vec<_> = Vec::new();
    for part in to.components() {
        match part {
            std::path::Component::ParentDir if parts.pop().is_none() => return false,
            std::path::Component::ParentDir => {}
            part => parts.push(part),
        }
    }
    to = parts.into_iter().collect();
    let page = pages.get(&to);
    page.is_some_and(|text| heading.is_empty() || text.contains(&format!("id=\"{heading}\"")))
}
