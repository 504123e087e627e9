//! A real directory: its lock, and what may stand in a file's place.

mod common;

use common::*;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tidings_engine::Position;
use tidings_store::{DirStorage, OpenError, Store};

fn open_dir(path: &Path) -> Result<Store, OpenError> {
    let storage = DirStorage::open(path).expect("not locked");
    Store::open(Arc::new(storage), small(), NOW, fresh(LOG)).map(|(store, _)| store)
}

#[test]
fn what_is_appended_survives_in_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/for/it");
    let mut store = open_dir(&path).unwrap();
    for n in 0..500 {
        append(&mut store, vec![event("a", n)]);
    }
    while store.prepare().unwrap() {}
    drop(store);
    let store = open_dir(&path).unwrap();
    assert_eq!(positions(&read_all(&store.reader(), "a")).len(), 500);
}

#[test]
fn f7_other_things_in_place_of_a_file_are_named() {
    type Make = fn(&Path);
    let make: [(&str, Make); 4] = [
        ("a directory", |path| std::fs::create_dir(path).unwrap()),
        ("a link", |path| symlink("/dev/null", path).unwrap()),
        ("a link to itself", |path| symlink(path, path).unwrap()),
        ("a pipe", |path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
    ];
    for (what, make) in make {
        for name in ["store.meta", "00000000000000000001.log"] {
            let dir = tempfile::tempdir().unwrap();
            drop(open_dir(dir.path()).unwrap());
            let file = dir.path().join(name);
            std::fs::remove_file(&file).unwrap();
            make(&file);
            let error = open_dir(dir.path())
                .err()
                .unwrap_or_else(|| panic!("{what} as {name}"));
            assert!(error.to_string().contains(name), "{what}: {error}");
        }
        let dir = tempfile::tempdir().unwrap();
        make(&dir.path().join("lock"));
        let error = DirStorage::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("lock"), "{what}: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = DirStorage::open(&file).unwrap_err().to_string();
    assert!(error.contains("file"), "{error}");
}

#[test]
fn f7_an_empty_file_in_place_of_the_description() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("store.meta"), "").unwrap();
    let error = open_dir(dir.path()).err().expect("refused").to_string();
    assert!(error.contains("store.meta"), "{error}");
}

/// A process that holds the directory given in the environment.
#[test]
fn holder_process() {
    let Ok(path) = std::env::var("HOLD_DIRECTORY") else {
        return;
    };
    let mut store = open_dir(Path::new(&path)).unwrap();
    for n in 0.. {
        append(&mut store, vec![event("a", n)]);
        if n == 10 {
            println!("\nholding");
        }
    }
}

fn hold(path: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["holder_process", "--exact", "--nocapture"])
        .env("HOLD_DIRECTORY", path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"));
    child
}

#[test]
fn f9_a_second_process_is_refused_until_the_first_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = Position::START;
    for _ in 0..3 {
        let mut child = hold(dir.path());
        let error = DirStorage::open(dir.path()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        let holder = format!("process {}", child.id());
        assert!(error.to_string().contains(&holder), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
        let store = open_dir(dir.path()).unwrap();
        let seen = positions(&read_all(&store.reader(), "a"));
        assert!(store.reader().last().0 > last.0 + 10);
        assert_eq!(seen, (1..=store.reader().last().0).collect::<Vec<_>>());
        last = store.reader().last();
    }
}
