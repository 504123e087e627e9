//! Our hub with a stranger that watches it.

use super::client::Client;
use super::cutter::Cutter;
use super::table::{CUTS, END, Row, check_same, rows};
use tidings_testkit::{HubProcess, Launch, Received, launch};

/// The topic of these tests.
pub const TOPIC: &str = "strangers";
/// Where it is watched.
pub const NATIVE: &str = "/t/strangers";
/// Where it is watched by those who come from Mercure.
pub const MERCURE: &str = "/.well-known/mercure?topic=https%3A%2F%2Fhub.example%2Ft%2Fstrangers";

/// A hub behind a cutter. Its streams ask to be reopened soon, so that a test
/// that loses them several times stays short.
pub fn behind(cutter: &Cutter) -> HubProcess {
    let launch = launch!(
        "TIDINGS_STREAM_RETRY" = "100ms",
        "TIDINGS_DRAIN_WINDOW" = "1s",
        "TIDINGS_PUBLIC_URL" = "https://hub.example",
    )
    .env("TIDINGS_HOSTS", cutter.address().to_string());
    let hub = launch.start();
    cutter.lead_to(hub.address());
    hub
}

/// Publishes the events; answers what is to be seen of them.
#[track_caller]
pub fn publish(hub: &HubProcess, rows: &[Row]) -> Vec<Received> {
    let mut http = hub.http();
    let mut seen = Vec::new();
    for row in rows {
        let body = {
            let mut query = vec![];
            query.extend(row.id.map(|id| format!("id={}", encoded(id))));
            query.extend(row.event.map(|event| format!("event={}", encoded(event))));
            query.extend(row.retry.map(|millis| format!("retry={millis}")));
            let path = format!("/t/{TOPIC}?{}", query.join("&"));
            http.request("POST", &path, &[], row.data.as_bytes())
        };
        assert_eq!(body.status, 200, "{}: {}", row.about, body.text());
        seen.push(row.seen(body.json()["id"].as_str().expect("an id")));
    }
    seen
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What `watch` starts on a URL sees every event of the table once and in order,
/// history and live, although its connection is cut within events; and then
/// although the hub is killed, and although it is stopped.
#[track_caller]
pub fn check_watches<C: Client>(watch: impl FnOnce(&str) -> C) {
    check_watches_at(&format!("{NATIVE}?since=earliest"), watch);
}

/// The same at another face of the hub.
#[track_caller]
pub fn check_watches_at<C: Client>(path: &str, watch: impl FnOnce(&str) -> C) {
    let cutter = Cutter::new(&CUTS);
    let hub = behind(&cutter);
    let rows = rows();
    let (history, live) = rows.split_at(rows.len() / 2);
    let expected = publish(&hub, history);
    let url = format!("http://{}{path}", cutter.address());
    let mut client = watch(&url);
    check_same(&mut client, &expected);
    let expected = publish(&hub, live);
    check_same(&mut client, &expected);
    cutter.wait_for_cuts();

    let hub = check_survives(&mut client, hub, |hub| hub.kill());
    let hub = check_survives(&mut client, hub, |hub| {
        let launch = hub.launch_again();
        hub.finish();
        launch
    });
    let last = Row {
        event: Some(END),
        ..rows[0].clone()
    };
    let expected = publish(&hub, &[last]);
    check_same(&mut client, &expected);
    // At least once for each cut and each end of the hub.
    assert!(cutter.connections() > CUTS.len() + 2, "{}", client.name());
}

/// Events that are published right before the hub ends, and after it is back.
#[track_caller]
fn check_survives(
    client: &mut impl Client,
    hub: HubProcess,
    end: impl FnOnce(HubProcess) -> Launch,
) -> HubProcess {
    const MANY: usize = 100;
    let mut expected = hub.publish_numbers(0..MANY, |_| TOPIC);
    let hub = end(hub).start();
    expected.extend(hub.publish_numbers(MANY..2 * MANY, |_| TOPIC));
    check_same(client, &expected);
    hub
}

/// What `watch` starts on a URL remembers the position that a stream begins
/// with (rule B1): the connection is lost right after it, and what is published
/// before the next one is not lost.
#[track_caller]
pub fn check_remembers_the_start<C: Client>(watch: impl FnOnce(&str) -> C) {
    check_remembers_the_start_at(NATIVE, watch);
}

/// The same at another face of the hub.
#[track_caller]
pub fn check_remembers_the_start_at<C: Client>(path: &str, watch: impl FnOnce(&str) -> C) {
    let cutter = Cutter::new(&["\n\n"]);
    cutter.hold_after_cut();
    let hub = behind(&cutter);
    hub.publish_numbers(0..3, |_| TOPIC);
    let url = format!("http://{}{path}", cutter.address());
    let mut client = watch(&url);
    cutter.wait_for_cuts();
    let expected = hub.publish_numbers(3..6, |_| TOPIC);
    cutter.lead_to(hub.address());
    check_same(&mut client, &expected);
}
