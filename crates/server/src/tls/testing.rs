//! A certificate, and the other end of a connection, for tests.

use super::credentials::Credentials;
use super::{Acceptor, Records, TlsSocket};
use crate::config::{self, Config};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion, version,
};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, OnceLock};

pub type Version = &'static SupportedProtocolVersion;

/// A certificate for `localhost` and its key, as PEM.
pub struct Pem {
    pub certificate: String,
    pub key: String,
}

impl Pem {
    pub fn new(validity: Option<(i32, i32)>) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        if let Some((from, to)) = validity {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(to, 1, 1);
        }
        Self {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// Writes both; answers the configuration that names them.
    pub fn write(&self, directory: &tempfile::TempDir) -> config::Tls {
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            Some(path)
        };
        config::Tls {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            certificate: write("certificate.pem", &self.certificate),
            key: write("key.pem", &self.key),
        }
    }

    /// An acceptor that shows it.
    pub fn acceptor(&self) -> Acceptor {
        let directory = tempfile::tempdir().unwrap();
        let config = Config {
            tls: self.write(&directory),
            ..Config::default()
        };
        Acceptor::load(&config).unwrap().unwrap().0
    }
}

fn own() -> &'static (Pem, Arc<ServerConfig>) {
    static OWN: OnceLock<(Pem, Arc<ServerConfig>)> = OnceLock::new();
    OWN.get_or_init(|| {
        let pem = Pem::new(None);
        let config = pem.acceptor().config();
        (pem, config)
    })
}

pub fn server_config() -> Arc<ServerConfig> {
    Arc::clone(&own().1)
}

fn client_config(pem: &Pem, versions: &[Version], fragment: Option<usize>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = rustls::pki_types::CertificateDer::from_pem_slice(pem.certificate.as_bytes());
    roots.add(certificate.unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.max_fragment_size = fragment;
    Arc::new(config)
}

/// A connection of a client that trusts `pem`.
pub fn client(pem: &Pem, versions: &[Version], fragment: Option<usize>) -> ClientConnection {
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(client_config(pem, versions, fragment), name).unwrap()
}

/// A ClientHello, in records of `fragment` bytes.
pub fn hello(fragment: Option<usize>) -> Vec<u8> {
    let versions = &[&version::TLS13, &version::TLS12];
    let mut bytes = Vec::new();
    let mut client = client(&own().0, versions, fragment);
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Up to 2000 bytes of anything.
pub fn junk(random: &mut fastrand::Rng) -> Vec<u8> {
    let count = random.usize(1..2000);
    std::iter::repeat_with(|| random.u8(..))
        .take(count)
        .collect()
}

/// Runs `check` with `count` seeds, and says which one failed.
pub fn check_seeds(count: u64, mut check: impl FnMut(&mut fastrand::Rng)) {
    let base = fastrand::u64(..);
    for seed in (0..count).map(|n| base.wrapping_add(n)) {
        let run = std::panic::AssertUnwindSafe(|| check(&mut fastrand::Rng::with_seed(seed)));
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[derive(Default)]
struct Queue {
    bytes: VecDeque<u8>,
    ended: bool,
}

/// One end of a pipe that holds so many bytes each way and doesn't block.
#[derive(Clone)]
pub struct End {
    inbound: Arc<Mutex<Queue>>,
    outbound: Arc<Mutex<Queue>>,
    capacity: usize,
}

impl End {
    fn pair(capacity: usize) -> (Self, Self) {
        let (a, b) = <(Arc<Mutex<Queue>>, Arc<Mutex<Queue>>)>::default();
        let end = |inbound: &Arc<_>, outbound: &Arc<_>| Self {
            inbound: Arc::clone(inbound),
            outbound: Arc::clone(outbound),
            capacity,
        };
        (end(&a, &b), end(&b, &a))
    }
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut queue = self.inbound.lock().unwrap();
        match queue.bytes.read(buffer)? {
            0 if !queue.ended => Err(ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut queue = self.outbound.lock().unwrap();
        match bytes.len().min(self.capacity - queue.bytes.len()) {
            0 => Err(ErrorKind::WouldBlock.into()),
            room => queue.bytes.write(&bytes[..room]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client at the other end.
pub struct Peer {
    pub connection: ClientConnection,
    end: End,
    /// What it has read.
    pub read: Vec<u8>,
}

impl Peer {
    pub fn connected() -> (Self, TlsSocket<End>) {
        Self::over(&version::TLS13, 1 << 20)
    }

    /// A connection whose handshake is done, over a pipe of `capacity` bytes.
    pub fn over(version: Version, capacity: usize) -> (Self, TlsSocket<End>) {
        let (end, mut own_end) = End::pair(capacity);
        let mut peer = Self {
            connection: client(&own().0, &[version], None),
            end,
            read: Vec::new(),
        };
        let mut records = Records::new(server_config()).unwrap();
        while peer.connection.is_handshaking() || records.is_handshaking() {
            peer.pump();
            match records.receive(|buffer| own_end.read(buffer), |_| {}) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => panic!("{error}"),
                _ => {}
            }
            if let Ok(written) = own_end.write(records.outgoing()) {
                records.sent(written);
            }
        }
        assert_eq!(records.protocol(), Some(&b"http/1.1"[..]));
        (peer, TlsSocket::new(own_end, records))
    }

    /// Sends what waits, and reads everything that is there.
    pub fn pump(&mut self) {
        while self.connection.wants_write() && self.connection.write_tls(&mut self.end).is_ok() {}
        while self.connection.read_tls(&mut self.end).is_ok_and(|n| n > 0) {
            if self.connection.process_new_packets().is_err() {
                return;
            }
            let _ = self.connection.reader().read_to_end(&mut self.read);
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.connection.writer().write_all(bytes).unwrap();
        self.pump();
    }

    /// Sends bytes past TLS.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.end.write_all(bytes).unwrap();
    }

    /// The records that would carry `bytes`.
    pub fn sealed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.connection.writer().write_all(bytes).unwrap();
        let mut sealed = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut sealed).unwrap();
        }
        sealed
    }

    /// Says that nothing more comes, without TLS knowing.
    pub fn end(&mut self) {
        self.end.outbound.lock().unwrap().ended = true;
    }
}

/// What is wrong with a pair of files, or what is warned of.
pub fn read(files: &config::Tls) -> Result<Vec<String>, String> {
    Credentials::read(files, &aws_lc_rs::default_provider())
        .map(|credentials| credentials.warnings)
        .map_err(|errors| errors.to_string())
}
