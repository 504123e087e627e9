//! Who is measured, and how each is started.

use super::programs::Programs;
use crate::run::find;
use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

/// One of those that are compared.
#[derive(Debug, Clone, Copy)]
pub struct Contender {
    /// For `--only`.
    pub key: &'static str,
    /// For the page.
    pub name: &'static str,
    /// Where it is watched and published to.
    pub watch: &'static str,
    /// As above.
    pub publish: &'static str,
    /// How it is fed as fast as it takes events.
    pub feed: Feed,
    /// Whether it may lose events: it has no place to keep what somebody is too
    /// slow for.
    pub lossy: bool,
    /// Whether it is watched over WebSocket, and published to at a port of its own.
    pub websocket: bool,
    start: fn(&Programs, &Place) -> Result<Command, String>,
}

/// How events are published where no rate is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// One connection, NDJSON.
    Ndjson,
    /// 16 connections, a `POST` each, the next behind the answer.
    Posts,
}

/// Where a contender is to serve, and may keep files.
pub struct Place<'a> {
    /// For watchers.
    pub port: u16,
    /// For publishers, of who has another for them.
    pub publish_port: u16,
    /// Empty.
    pub directory: &'a Path,
}

/// The key of what all are held against.
pub const FLOOR: &str = "floor";
/// The same with a thread per core.
pub const FLOOR_CORES: &str = "floor-cores";
/// The key of the hub.
pub const TIDINGS: &str = "tidings";
/// The key of axum's own streams.
pub const AXUM: &str = "axum";
/// The key of the hub in an application.
pub const LIBRARY: &str = "library";

const PLAIN: Contender = Contender {
    key: FLOOR,
    name: "floor, one thread",
    watch: "/t/bench",
    publish: "/t/bench",
    feed: Feed::Ndjson,
    lossy: false,
    websocket: false,
    start: |programs, place| Ok(peer(programs, "floor", &[place.port], &["1"])),
};

/// In the order in which they run.
pub const ALL: [Contender; 7] = [
    PLAIN,
    Contender {
        key: FLOOR_CORES,
        name: "floor, a thread per core",
        start: |programs, place| {
            let cores = std::thread::available_parallelism();
            let cores = cores.map_or(1, std::num::NonZero::get).to_string();
            Ok(peer(programs, "floor", &[place.port], &[&cores]))
        },
        ..PLAIN
    },
    Contender {
        key: TIDINGS,
        name: "Tidings",
        start: |programs, place| Ok(tidings(programs, place)),
        ..PLAIN
    },
    Contender {
        key: AXUM,
        name: "axum `Sse`, tokio broadcast",
        feed: Feed::Posts,
        lossy: true,
        start: |programs, place| Ok(peer(programs, "axum_broadcast", &[place.port], &[])),
        ..PLAIN
    },
    Contender {
        key: "better-sse",
        name: "Node, better-sse",
        start: |_, place| {
            let mut node = Command::new("node");
            node.arg(Programs::directory().join("better_sse.mjs"));
            node.args([Ipv4Addr::LOCALHOST.to_string(), place.port.to_string()]);
            Ok(node)
        },
        ..PLAIN
    },
    Contender {
        key: "nchan",
        name: "nginx, nchan",
        watch: "/subscribe",
        publish: "/publish",
        feed: Feed::Posts,
        start: nchan,
        ..PLAIN
    },
    Contender {
        key: "websocket",
        name: "WebSocket, tokio-tungstenite",
        feed: Feed::Posts,
        lossy: true,
        websocket: true,
        start: |programs, place| {
            let ports = [place.port, place.publish_port];
            Ok(peer(programs, "websocket", &ports, &[]))
        },
        ..PLAIN
    },
];

/// Measured beside axum alone: on what it adds to that.
const IN_AXUM: Contender = Contender {
    key: LIBRARY,
    name: "Tidings' library on axum",
    feed: Feed::Posts,
    start: |programs, place| Ok(peer(programs, "library-on-axum", &[place.port], &[])),
    ..PLAIN
};

/// The contender of this key.
pub fn named(key: &str) -> Contender {
    let mut all = ALL.into_iter().chain([IN_AXUM]);
    all.find(|contender| contender.key == key).unwrap_or(PLAIN)
}

impl Contender {
    /// The command that serves at `place`.
    ///
    /// # Errors
    /// Files that can't be written.
    pub fn command(&self, programs: &Programs, place: &Place<'_>) -> Result<Command, String> {
        let command = (self.start)(programs, place)?;
        let mut command = ending_with_this(&command);
        // What the user's own hub is told is not for this one.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"TIDINGS_") {
                command.env_remove(name);
            }
        }
        Ok(command)
    }
}

/// The same command, as a process that ends when this one does, even if nobody
/// can end it then.
fn ending_with_this(command: &Command) -> Command {
    let Some(setpriv) = find(&["setpriv"]) else {
        let mut same = Command::new(command.get_program());
        same.args(command.get_args());
        return same;
    };
    let mut through = Command::new(setpriv);
    through.args(["--pdeathsig", "TERM", "--"]);
    through.arg(command.get_program()).args(command.get_args());
    through
}

fn peer(programs: &Programs, name: &str, ports: &[u16], more: &[&str]) -> Command {
    let mut command = Command::new(programs.builds.join(name));
    let addresses = ports.iter().map(|port| format!("127.0.0.1:{port}"));
    command.args(addresses).args(more);
    command
}

/// With its defaults: its log on the disk, each event synced before it is
/// delivered.
fn tidings(programs: &Programs, place: &Place<'_>) -> Command {
    let mut command = Command::new(programs.tidings());
    command.args(["serve", "--listen", &format!("127.0.0.1:{}", place.port)]);
    command.args([
        OsStr::new("--data"),
        place.directory.join("data").as_os_str(),
    ]);
    command.args(["--log-level", "warn"]);
    command
}

fn nchan(programs: &Programs, place: &Place<'_>) -> Result<Command, String> {
    let template = Programs::directory().join("nchan.conf");
    let failed = |error| format!("nchan's configuration: {error}");
    let text = std::fs::read_to_string(template).map_err(failed)?;
    let text = text
        .replace("@PORT@", &place.port.to_string())
        .replace("@DESCRIPTORS@", &programs.descriptors.to_string());
    std::fs::write(place.directory.join("nginx.conf"), text).map_err(failed)?;
    let mut command = Command::new(super::programs::NGINX);
    command.arg("-p").arg(place.directory);
    command.args(["-c", "nginx.conf"]);
    Ok(command)
}
