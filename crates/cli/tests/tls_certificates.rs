//! The files of a hub's certificate: checked at the start, exchanged while it
//! runs.

mod secure;
mod tool;

use rustix::process::Signal;
use secure::{hub, post, watch, with_tls};
use tidings_testkit::{Identity, launch};
use tool::Tool;

#[test]
fn sighup_exchanges_the_certificate_and_streams_stay() {
    let (mut identity, hub) = hub();
    let before = identity.trusted();
    let mut open = watch(&hub, &before, "/t/news", None).opened();
    let old = identity.certificate().clone();
    assert_eq!(
        open.http().tls().peer_certificates(),
        Some(&[old.clone()][..])
    );
    identity.renew();
    hub.signal(Signal::HUP);
    hub.wait_for_log("read again: the TLS certificate");
    // Its tickets open nothing any more, and it doesn't trust the new one.
    let refused = before
        .connect(hub.tls_address())
        .expect_err("another certificate");
    assert!(refused.to_string().contains("certificate"), "{refused}");
    let after = identity.trusted();
    let http = after.connect(hub.tls_address()).expect("TLS");
    let new = identity.certificate().clone();
    assert_eq!(http.tls().peer_certificates(), Some(&[new][..]));
    post(&hub, &after, "through both");
    assert_eq!(open.next().expect("an event").data, "through both");
    let seen = open.last_event_id().to_owned();
    drop(open);
    post(&hub, &after, "in between");
    let mut resumed = watch(&hub, &after, "/t/news", Some(&seen));
    assert_eq!(resumed.next().expect("an event").data, "in between");
}

#[test]
fn a_bad_file_changes_nothing_on_sighup() {
    let (mut identity, hub) = hub();
    let trust = identity.trusted();
    let key = std::fs::read_to_string(identity.key_file()).expect("a file");
    let other = Identity::new();
    let certificate = std::fs::read(other.certificate_file()).expect("a file");
    std::fs::write(identity.certificate_file(), certificate).expect("a file");
    hub.signal(Signal::HUP);
    let line = hub.wait_for_log("they stay as they were: the TLS certificate");
    assert!(
        line.contains("it isn't the key of the certificate in tls.certificate"),
        "{line}"
    );
    post(&hub, &trust, "still");
    std::fs::write(identity.key_file(), &key[..40]).expect("a file");
    hub.signal(Signal::HUP);
    let line = hub.wait_for_log("they stay as they were: the TLS certificate");
    assert!(line.contains("a section has no end"), "{line}");
    post(&hub, &trust, "still");
    // It can be mended without a restart.
    identity.renew();
    hub.signal(Signal::HUP);
    hub.wait_for_log("read again: the TLS certificate");
    post(&hub, &identity.trusted(), "mended");
}

#[test]
fn sighup_without_tls_ends_nothing() {
    let hub = launch!().start();
    hub.signal(Signal::HUP);
    hub.wait_for_log("there is nothing to read again");
    assert_eq!(hub.post("/t/news", "x").status, 200);
}

#[test]
fn e2_a_hub_with_bad_files_does_not_start() {
    let identity = Identity::new();
    let other = Identity::new();
    std::fs::copy(other.key_file(), identity.key_file()).expect("a file");
    let launch = identity.shown_by(launch!());
    let (status, said) = launch.try_start().expect_err("another's key");
    assert_eq!(status.code(), Some(2));
    let key = identity.key_file().display().to_string();
    let expected = format!(
        "the configuration is invalid\n  tls.key: {key}: it isn't the key of the certificate in \
         tls.certificate\n"
    );
    assert!(said.ends_with(&expected), "{said}");
    std::fs::remove_file(identity.key_file()).expect("a file");
    let (status, said) = launch.try_start().expect_err("no key");
    assert_eq!(status.code(), Some(2));
    assert!(
        said.contains(&format!("tls.key: {key}: there is no such file")),
        "{said}"
    );
}

#[test]
fn config_check_reads_the_files() {
    let identity = Identity::new();
    let check = || {
        let mut command = tool::command(&["config", "check"]);
        with_tls(&mut command, &identity);
        Tool::spawn(&mut command).ended()
    };
    let fine = check();
    assert_eq!((fine.code, &*fine.stderr), (Some(0), ""));
    assert!(!fine.stdout.contains("warning: tls"), "{}", fine.stdout);
    let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(identity.key_file(), everyone).expect("a file of ours");
    let open = check();
    assert_eq!(open.code, Some(0));
    assert!(
        open.stdout.contains("\nwarning: tls.key: "),
        "{}",
        open.stdout
    );
    std::fs::write(identity.key_file(), "").expect("a file");
    check().check(2, &["tls.key: ", "the file is empty"]);
}
