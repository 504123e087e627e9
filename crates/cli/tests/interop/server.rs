//! Our client watches a stranger's server.

use super::client::Client;
use super::cutter::Cutter;
use super::directory;
use super::stranger::Stranger;
use super::table::{CUTS, Row, check_same, rows};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use tidings_testkit::Received;

/// A stranger that sends the table to whoever asks for `/events`, from the event
/// behind `Last-Event-ID` on.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    _process: Stranger,
    _table: TempDir,
}

impl Server {
    /// Starts a script of `tests/interop/servers` and waits until it listens.
    ///
    /// # Panics
    /// If it doesn't.
    #[track_caller]
    pub fn start(interpreter: &Path, script: &str, args: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let table = dir.path().join("table.json");
        let events: Vec<Value> = numbered().iter().map(|(id, row)| row.to_json(id)).collect();
        std::fs::write(&table, Value::from(events).to_string()).expect("room for the table");
        let mut command = Command::new(interpreter);
        command
            .arg(directory().join("servers").join(script))
            .arg(&table)
            .args(args);
        let process = Stranger::start(script, &mut command);
        let port = process.json()["port"].as_u64().expect("a port");
        let port = u16::try_from(port).expect("a port");
        Self {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            _process: process,
            _table: dir,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The table, each event with an id: its own or one that counts.
pub fn numbered() -> Vec<(String, Row)> {
    let rows = rows().into_iter().enumerate();
    rows.map(|(n, row)| {
        (
            row.id.map_or_else(|| format!("row-{n}"), str::to_owned),
            row,
        )
    })
    .collect()
}

/// What is to be seen of the table.
pub fn expected() -> Vec<Received> {
    let rows = numbered().into_iter();
    rows.map(|(id, row)| row.seen(id)).collect()
}

/// Our client sees every event once and in order although its connection to the
/// server is cut within events. Answers it, as it watches on.
#[track_caller]
pub fn check_watched<C: Client>(
    server: SocketAddr,
    open: impl FnOnce(&str) -> C,
    expected: &[Received],
) -> C {
    let cutter = Cutter::new(&CUTS);
    cutter.lead_to(server);
    let mut client = open(&format!("http://{}/events", cutter.address()));
    check_same(&mut client, expected);
    cutter.wait_for_cuts();
    assert!(cutter.connections() > CUTS.len(), "{}", client.name());
    client
}
