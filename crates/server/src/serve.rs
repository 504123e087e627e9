//! A whole hub, from a configuration to its last connection.

use crate::auth::{self, Auth, Kept, Keys, Vault};
use crate::config::{Config, ConfigErrors, Machine, StoreKind};
use crate::http::cors::Cors;
use crate::http::guard::{Public, Rules};
use crate::hub::{Hub, Settings, threads};
use crate::listener::{Bound, Listener};
use crate::store::{self, Unopened};
use crate::tls;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tidings_engine::Limits;
use tidings_store::{OpenError, Store};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

/// How much longer than its window a drain may take.
const DRAIN_GRACE: Duration = Duration::from_secs(2);
/// How long the log has at the end to say which subscriptions have ended.
const SETTLE_TIME: Duration = Duration::from_secs(2);
/// How long the disk has to take in what waits at the end.
const CLOSE_TIME: Duration = Duration::from_secs(10);
/// The ports that a user needs a right for. Port 0, which is any, is none of them.
const PRIVILEGED: Range<u16> = 1..1024;
/// The settings that have addresses.
const LISTEN: &str = "listen";
const TLS_LISTEN: &str = "tls.listen";

/// Why a hub doesn't start.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The configuration asks for more than this machine grants.
    Config(ConfigErrors),
    /// An address can't be listened on.
    Listen {
        /// The setting that has it: `listen` or `tls.listen`.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The data directory can't be used.
    Data(io::Error),
    /// The log can't be opened.
    Store(OpenError),
    /// The system refuses something that every hub needs.
    System(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen {
                setting,
                address,
                error,
            } => {
                write!(f, "{setting}: can't listen on {address}: ")?;
                let (ip, port) = (address.ip(), address.port());
                match error.kind() {
                    io::ErrorKind::AddrInUse => write!(
                        f,
                        "another program does; stop it, or choose another port with {}",
                        ways_to_set(setting)
                    ),
                    io::ErrorKind::AddrNotAvailable => write!(
                        f,
                        "this machine doesn't have the address {ip}; choose one that it has, or \
                         {} for all, with {}",
                        if ip.is_ipv6() { "[::]" } else { "0.0.0.0" },
                        ways_to_set(setting)
                    ),
                    io::ErrorKind::PermissionDenied if PRIVILEGED.contains(&port) => write!(
                        f,
                        "this user may not take port {port}; choose one from 1024 on with {}, or \
                         give the program the right (CAP_NET_BIND_SERVICE)",
                        ways_to_set(setting)
                    ),
                    _ => error.fmt(f),
                }
            }
            Self::Config(errors) => errors.fmt(f),
            Self::Data(error) => write!(f, "can't use the data directory: {error}"),
            Self::Store(error) => write!(f, "can't open the log: {error}"),
            Self::System(error) => write!(f, "can't start: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}

/// How somebody sets where to listen.
fn ways_to_set(setting: &str) -> &'static str {
    match setting {
        TLS_LISTEN => "[tls] listen in the configuration file, or TIDINGS_TLS_LISTEN",
        _ => "--listen, TIDINGS_LISTEN, or listen in the configuration file",
    }
}

/// Where a hub serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address, with the port that was taken.
    pub socket: SocketAddr,
    /// Whether it is asked over TLS.
    pub secure: bool,
}

impl Address {
    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        match self.secure {
            true => "https",
            false => "http",
        }
    }
}

/// The beginning of its URLs.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.socket)
    }
}

/// Runs a hub until SIGTERM or SIGINT has drained it, or a second signal ends
/// it at once; SIGHUP has the files of `[tls]` read again. `ready` is called
/// with the addresses once it serves.
///
/// # Errors
/// [`ServeError`] if it can't start.
pub fn serve(config: &Config, ready: impl FnOnce(&[Address])) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeError::System)?;
    let served = runtime.block_on(run(config, ready));
    // A read of a stuck disk must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    served
}

async fn run(config: &Config, ready: impl FnOnce(&[Address])) -> Result<(), ServeError> {
    // Before anything else, so that no signal finds the process unprepared.
    let mut signals = Signals::new().map_err(ServeError::System)?;
    let limits = config
        .engine_limits(Machine::here())
        .map_err(ServeError::Config)?;
    let tls = load_tls(config)?;
    let (connections, subscriptions) = (limits.connections, limits.subscriptions);
    let keys = Keys::read(&config.auth).map_err(ServeError::Config)?;
    for warning in &keys.warnings {
        tracing::warn!("{warning}");
    }
    // What the hub calls itself depends on the ports, and nobody is heard
    // before there is a hub.
    let bound = bind(config, tls.as_ref())?;
    let store = open_store(config)?;
    let addresses: Vec<Address> = bound.iter().map(Bound::address).collect();
    let kept = open_kept(config).map_err(ServeError::Data)?;
    let auth = Auth::new(auth::Settings::new(config, keys, &addresses), kept);
    let hub = Hub::start(store, settings(config, limits), auth).map_err(ServeError::System)?;
    let cors = Arc::new(Cors::new(
        config.cors.origins.iter().map(ToString::to_string),
    ));
    let rules = Arc::new(rules(config));
    let mut listeners = Vec::new();
    for bound in bound {
        let Address { socket, secure } = bound.address();
        let listener = Listener::new(bound, &hub, &rules, &cors);
        listeners.push(listener.map_err(|error| unheard(socket, secure, error))?);
    }
    let mut running = JoinSet::new();
    for listener in listeners {
        running.spawn(listener.run());
    }
    ready(&addresses);
    let urls: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    tracing::info!(addresses = ?urls, connections, subscriptions, "serving");

    signals.end(tls.as_deref(), hub.auth()).await;
    hub.begin_drain();
    tracing::info!(window = ?hub.drain().window(), "draining; a second signal ends at once");
    let all_gone = async { while running.join_next().await.is_some() {} };
    tokio::select! {
        () = all_gone => tracing::info!("drained"),
        () = tokio::time::sleep(hub.drain().window() + DRAIN_GRACE) => tracing::warn!("not all connections ended in time"),
        () = signals.next() => tracing::warn!("ended at once"),
    }
    close(&hub, &mut signals).await;
    Ok(())
}

/// Lets the writer finish what waits; a disk that is stuck can't hold the
/// process against another signal, or for longer than a drain may take.
async fn close(hub: &Arc<Hub>, signals: &mut Signals) {
    let closing = {
        let hub = Arc::clone(hub);
        async move {
            // What isn't said by then, the next start says.
            hub.active().settled(SETTLE_TIME).await;
            let closing = move || {
                hub.auth().close();
                hub.writer().shutdown();
            };
            tokio::task::spawn_blocking(closing).await
        }
    };
    tokio::select! {
        _ = closing => {}
        () = tokio::time::sleep(CLOSE_TIME) => tracing::error!("the disk did not answer in time"),
        () = signals.next() => tracing::warn!("ended at once"),
    }
}

/// Takes the addresses, in the order of the configuration.
fn bind(config: &Config, tls: Option<&Arc<tls::Acceptor>>) -> Result<Vec<Bound>, ServeError> {
    let plain = config.listen.iter().map(|address| (address, None));
    let secure = config.tls.listen.iter().map(|address| (address, tls));
    let bind = |(address, tls): (&SocketAddr, Option<&Arc<_>>)| {
        let bound = Bound::new(*address, tls.cloned());
        bound.map_err(|error| unheard(*address, tls.is_some(), error))
    };
    plain.chain(secure).map(bind).collect()
}

fn unheard(address: SocketAddr, secure: bool, error: io::Error) -> ServeError {
    ServeError::Listen {
        setting: if secure { TLS_LISTEN } else { LISTEN },
        address,
        error,
    }
}

/// What is wrong with the files of `[tls]` keeps a hub from starting.
fn load_tls(config: &Config) -> Result<Option<Arc<tls::Acceptor>>, ServeError> {
    let loaded = tls::Acceptor::load(config).map_err(ServeError::Config)?;
    Ok(loaded.map(|(acceptor, warnings)| {
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        Arc::new(acceptor)
    }))
}

/// Reads the files of `[tls]` and `[auth]` again.
fn reload(tls: Option<&tls::Acceptor>, auth: &Auth) {
    let all = [
        ("the TLS certificate", tls.map(tls::Acceptor::reload)),
        ("the keys for tokens", auth.reload()),
    ];
    if all.iter().all(|(_, read)| read.is_none()) {
        tracing::info!("SIGHUP: there is nothing to read again");
    }
    for (what, read) in all {
        match read {
            None => {}
            Some(Ok(warnings)) => {
                for warning in warnings {
                    tracing::warn!("{warning}");
                }
                tracing::info!("SIGHUP: read again: {what}");
            }
            Some(Err(errors)) => {
                for error in errors.0 {
                    tracing::error!(%error, "SIGHUP: they stay as they were: {what}");
                }
            }
        }
    }
}

/// The signals that a hub heeds.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Held, so that a limit on file sizes makes writes fail, as a full disk
    /// does, instead of killing the process.
    _file_size: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// The next that ends the hub; until then the others are heeded.
    async fn end(&mut self, tls: Option<&tls::Acceptor>, auth: &Auth) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => reload(tls, auth),
            }
        }
    }

    /// The next that ends the hub.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn open_store(config: &Config) -> Result<Store, ServeError> {
    let directory = (config.store == StoreKind::Disk).then_some(config.data.as_path());
    store::open(directory, config.store_options()).map_err(|unopened| match unopened {
        Unopened::Data(error) => ServeError::Data(error),
        Unopened::Store(error) => ServeError::Store(error),
    })
}

/// What is kept of authorization: nothing by a hub that has no keys, or keeps
/// nothing.
fn open_kept(config: &Config) -> io::Result<Kept> {
    let keeps = config.has_keys() && config.store == StoreKind::Disk;
    let vault = match keeps {
        true => Some(Vault::open(&config.data)?),
        false => None,
    };
    Kept::open(vault).map_err(io::Error::other)
}

/// Who may ask at all.
fn rules(config: &Config) -> Rules {
    let public = config.public_url.as_ref().map(|url| url.base().hub());
    Rules {
        proxied: config.open || config.has_keys(),
        hosts: config.hosts.iter().map(ToString::to_string).collect(),
        public: public.map(|url| Public {
            host: url.host_str().unwrap_or_default().to_owned(),
            origin: url.origin().ascii_serialization(),
        }),
        origins: config
            .auth
            .origins
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

fn settings(config: &Config, limits: Limits) -> Settings {
    Settings {
        publish_timeout: config.publish.timeout,
        drain_window: config.drain.window,
        open: config.open,
        slow: config.slow_rules(),
        lanes: threads(),
        presence: config.presence_settings(),
        limits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind::{AddrNotAvailable, PermissionDenied};

    /// What is said of `address` has all of `expected` and nothing of `never`.
    fn check(address: &str, error: io::ErrorKind, expected: &[&str], never: &[&str]) {
        let address = address.parse().unwrap();
        let said = unheard(address, false, error.into()).to_string();
        for part in expected {
            assert!(said.contains(part), "{part} in: {said}");
        }
        for part in never {
            assert!(!said.contains(part), "{part} in: {said}");
        }
    }

    #[test]
    fn an_address_that_is_missing_is_told_the_one_for_all_of_its_family() {
        let (four, six) = (" 0.0.0.0 for all", " [::] for all");
        check(
            "192.0.2.7:80",
            AddrNotAvailable,
            &["192.0.2.7;", four],
            &[six],
        );
        check(
            "[2001:db8::7]:80",
            AddrNotAvailable,
            &["2001:db8::7;", six],
            &[four],
        );
    }

    #[test]
    fn only_a_port_below_1024_is_told_of_the_right_to_it() {
        let right = "CAP_NET_BIND_SERVICE";
        for port in [1, 443, 1023] {
            let own = format!("port {port};");
            check(
                &format!("127.0.0.1:{port}"),
                PermissionDenied,
                &[right, &own],
                &[],
            );
        }
        for port in [0, 1024, 65535] {
            let said = ["can't listen on 127.0.0.1:", "permission denied"];
            check(
                &format!("127.0.0.1:{port}"),
                PermissionDenied,
                &said,
                &[right],
            );
        }
    }
}
