//! How `tidings serve` starts, and how it says that it can't.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;
use tidings_testkit::{HubProcess, Identity, Launch};

fn launch(data: &Path) -> Launch {
    Launch::new(env!("CARGO_BIN_EXE_tidings"), data)
}

#[track_caller]
fn check_refuses(launch: &Launch, code: i32, parts: &[&str]) {
    let (status, stderr) = match launch.try_start() {
        Ok(_) => panic!("the hub started"),
        Err(refused) => refused,
    };
    assert_eq!(status.code(), Some(code), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{part:?} isn't in {stderr:?}");
    }
}

#[track_caller]
fn check_ends_well(mut hub: HubProcess) {
    hub.terminate();
    assert_eq!(hub.wait(Duration::from_secs(30)).code(), Some(0));
}

#[test]
fn e5_port_0_takes_a_free_one_and_the_first_line_names_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = launch(dir.path()).start();
    let expected = format!(
        "tidings {} listening on http://{}\n",
        env!("CARGO_PKG_VERSION"),
        hub.address()
    );
    assert_eq!(hub.first_line(), expected);
    assert_ne!(hub.address().port(), 0);
    assert_eq!(hub.get("/readyz").status, 200);
    check_ends_well(hub);
}

#[test]
fn e5_port_in_use() {
    let dir = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let told = format!("can't listen on {address}: another program does; stop it, or choose");
    let plain = launch(dir.path()).listen(&address);
    check_refuses(
        &plain,
        1,
        &[&format!(" listen: {told}"), "--listen, TIDINGS_LISTEN, "],
    );
    // Of several addresses the one is named that it is about, and its own setting.
    let identity = Identity::default();
    let secure = identity.shown_by(launch(dir.path()));
    let secure = secure.env("TIDINGS_TLS_LISTEN", &address);
    check_refuses(
        &secure,
        1,
        &[&format!(" tls.listen: {told}"), "TIDINGS_TLS_LISTEN"],
    );
}

#[test]
fn e5_an_address_of_another_machine() {
    let dir = tempfile::tempdir().expect("a directory");
    // Kept for documentation (RFC 5737): no machine has it.
    let elsewhere = launch(dir.path()).listen("192.0.2.7:0").arg("--open");
    let told = "listen: can't listen on 192.0.2.7:0: this machine doesn't have the address";
    check_refuses(&elsewhere, 1, &[told, "0.0.0.0 for all"]);
}

#[test]
fn e6_data_directory_is_made() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = launch(&dir.path().join("deep/er")).start();
    check_ends_well(hub);
}

#[test]
fn e6_data_directory_is_a_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    std::fs::write(&file, "not a directory").expect("a file");
    check_refuses(&launch(&file), 1, &[file.to_str().expect("UTF-8")]);
}

#[cfg(unix)]
#[test]
fn e6_data_directory_is_a_loop_of_links() {
    let dir = tempfile::tempdir().expect("a directory");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&link, &link).expect("a link");
    check_refuses(&launch(&link), 1, &[link.to_str().expect("UTF-8")]);
}

#[test]
fn e6_data_directory_is_locked_by_a_running_hub_whose_pid_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = launch(dir.path()).start();
    check_refuses(&launch(dir.path()), 1, &[&hub.pid().to_string()]);
    // A hub that was killed holds nothing.
    drop(hub);
    check_ends_well(launch(dir.path()).start());
}

#[test]
fn e8_more_streams_than_open_files_show_the_arithmetic() {
    let dir = tempfile::tempdir().expect("a directory");
    let launch = launch(dir.path()).env("TIDINGS_LIMITS_SUBSCRIPTIONS", "4000000000");
    check_refuses(
        &launch,
        2,
        &[
            "limits.subscriptions: the process may open ",
            "connections 4000000064 + ",
            " for the hub itself = 40000001",
        ],
    );
}

#[test]
fn e10_a_hub_whose_output_nobody_reads_serves() {
    let dir = tempfile::tempdir().expect("a directory");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let mut command = launch(dir.path()).listen(address).command();
    let stderr = writer.try_clone().expect("a pipe");
    let mut hub = command
        .stdout(writer)
        .stderr(stderr)
        .spawn()
        .expect("the binary starts");
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(address).is_err() {
        assert!(hub.try_wait().expect("a child").is_none(), "the hub ended");
        assert!(std::time::Instant::now() < end, "the hub does not serve");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let ready = tidings_testkit::Http::connect(address).request("GET", "/readyz", &[], b"");
    let _ = hub.kill();
    let _ = hub.wait();
    assert_eq!(ready.status, 200);
}
