//! The packages of the web: what each needs, its types, its tests, its build.
//! A build that is committed has to be what the sources give.

use crate::install::{node, npm};
use crate::report::{Outcome, Report};
use crate::run::{missing, root, step, test_step};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A package, by its `package.json`. Its scripts `typecheck` and `build` are
/// run, and `test` if it has tests of its own.
struct Package {
    /// Below the root of the repository.
    directory: &'static str,
    /// Whether it has tests that need no browser and no hub.
    tests: bool,
    /// Where its build is committed, below the root, if it is. The build has
    /// to be the same wherever and whenever it is made.
    committed: Option<&'static str>,
}

/// In the order in which they need one another.
const PACKAGES: &[Package] = &[
    Package {
        directory: "web/client",
        tests: true,
        committed: Some("web/client/bundle"),
    },
    Package {
        directory: "web/console",
        tests: true,
        committed: Some("crates/server/console"),
    },
    Package {
        directory: "examples/people/page",
        tests: false,
        committed: Some("examples/people/page/dist"),
    },
];

/// Checks, tests and builds all packages.
pub fn test(report: &mut Report) {
    let start = Instant::now();
    if let Err(reason) = node(report) {
        return missing(report, "packages of the web", start, reason);
    }
    for package in PACKAGES {
        let start = Instant::now();
        if let Err(reason) = npm(report, &root().join(package.directory)) {
            missing(report, package.directory, start, reason);
            continue;
        }
        run(report, package);
    }
}

fn run(report: &mut Report, package: &Package) {
    let name = |script: &str| format!("{}: {script}", package.directory);
    step(
        report,
        &name("typecheck"),
        &mut script(package, "typecheck"),
    );
    let committed = package.committed.map(|directory| root().join(directory));
    let before = committed.as_deref().map(files);
    step(report, &name("build"), &mut script(package, "build"));
    if let (Some(directory), Some(before), Some(step)) = (committed, before, report.0.last_mut())
        && step.outcome == Outcome::Passed
        && let Some(difference) = difference(&before, &files(&directory))
    {
        step.outcome = Outcome::Failed(format!(
            "{} isn't what the sources give ({difference}); it is now: commit it",
            package.committed.unwrap_or_default()
        ));
    }
    if package.tests {
        test_step(report, &name("test"), &mut script(package, "test"));
    }
}

fn script(package: &Package, script: &str) -> Command {
    let mut npm = Command::new("npm");
    npm.args(["run", "--silent", script]);
    npm.current_dir(root().join(package.directory));
    npm
}

/// All files below `directory` with what is in them; none if it isn't there.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(inner) = waiting.pop() {
        for entry in std::fs::read_dir(&inner).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if let Ok(content) = std::fs::read(&path) {
                let name = path.strip_prefix(directory).unwrap_or(&path);
                files.insert(name.to_owned(), content);
            }
        }
    }
    files
}

/// The first file that isn't the same in both, and how.
fn difference(
    before: &BTreeMap<PathBuf, Vec<u8>>,
    after: &BTreeMap<PathBuf, Vec<u8>>,
) -> Option<String> {
    let how = |path: &PathBuf| match (before.get(path), after.get(path)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(_), Some(_)) => Some(format!("{} differs", path.display())),
        (Some(_), None) => Some(format!("{} isn't made any more", path.display())),
        (None, _) => Some(format!("{} is new", path.display())),
    };
    before.keys().chain(after.keys()).find_map(how)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_of(files: &[(&str, &str)]) -> BTreeMap<PathBuf, Vec<u8>> {
        let own = |(name, content): &(&str, &str)| (name.into(), content.as_bytes().to_vec());
        files.iter().map(own).collect()
    }

    #[track_caller]
    fn check(before: &[(&str, &str)], after: &[(&str, &str)], expected: Option<&str>) {
        let found = difference(&made_of(before), &made_of(after));
        assert_eq!(found.as_deref(), expected, "{before:?} {after:?}");
    }

    #[test]
    fn a_build_that_differs_is_found() {
        check(&[("a", "1")], &[("a", "1")], None);
        check(&[], &[], None);
        check(&[("a", "1")], &[("a", "2")], Some("a differs"));
        check(
            &[("a", "1"), ("b", "1")],
            &[("a", "1")],
            Some("b isn't made any more"),
        );
        check(
            &[("a", "1")],
            &[("a", "1"), ("b/c", "1")],
            Some("b/c is new"),
        );
    }

    #[test]
    fn files_are_found_in_directories_of_directories() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("inner")).expect("a directory in it");
        for name in ["a", "inner/b"] {
            std::fs::write(directory.path().join(name), name).expect("a file");
        }
        let expected = made_of(&[("a", "a"), ("inner/b", "inner/b")]);
        assert_eq!(files(directory.path()), expected);
        assert_eq!(files(&directory.path().join("gone")), made_of(&[]));
    }
}
