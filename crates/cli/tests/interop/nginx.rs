//! nginx as a process of its own, with Debian's nchan.

use super::stranger::Stranger;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use tidings_testkit::{Http, skip, wait_until};

const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
/// Root's PATH has it, others' may not.
const PROGRAM: &str = "/usr/sbin/nginx";

/// A running nginx; dropping it kills it.
#[derive(Debug)]
pub struct Nginx {
    /// Where it speaks HTTP/1.1.
    pub http1: SocketAddr,
    /// Where it speaks HTTP/2 or HTTP/1.1, over TLS.
    pub tls: SocketAddr,
    /// Its own root certificate (PEM).
    pub certificate: String,
    directory: TempDir,
    _process: Stranger,
}

impl Nginx {
    /// Starts it in front of `upstream`. `None`: it isn't installed.
    ///
    /// # Panics
    /// If it doesn't start.
    #[track_caller]
    pub fn start(upstream: SocketAddr) -> Option<Self> {
        if [PROGRAM, MODULE]
            .iter()
            .any(|file| !Path::new(file).is_file())
        {
            skip("nginx with nchan is missing; `cargo xtask test` installs it");
            return None;
        }
        // Another process may take a port that was free a moment ago.
        let started = (0..10).find_map(|_| Self::try_start(upstream));
        Some(started.expect("nginx, on free ports"))
    }

    fn try_start(upstream: SocketAddr) -> Option<Self> {
        let free = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let address = listener.local_addr().expect("an address");
            (address, listener)
        };
        let ((http1, one), (tls, two)) = (free(), free());
        let directory = tempfile::tempdir().expect("a directory");
        let token = directory.path().display().to_string();
        let template = super::directory().join("servers/nginx.conf");
        let template = std::fs::read_to_string(template).expect("a template");
        let text = template
            .replace("@PORT@", &http1.port().to_string())
            .replace("@PORT_TLS@", &tls.port().to_string())
            .replace("@UPSTREAM@", &upstream.to_string())
            .replace("@TOKEN@", &token);
        let pair = rcgen::generate_simple_self_signed([tls.ip().to_string()]);
        let pair = pair.expect("a certificate");
        let certificate = pair.cert.pem();
        for (name, text) in [
            ("nginx.conf", text),
            ("certificate.pem", certificate.clone()),
            ("key.pem", pair.signing_key.serialize_pem()),
        ] {
            std::fs::write(directory.path().join(name), text).expect("room for a file");
        }
        drop((one, two));
        let mut command = Command::new(PROGRAM);
        command
            .arg("-p")
            .arg(directory.path())
            .args(["-c", "nginx.conf"]);
        let mut process = Stranger::start("nginx", &mut command);
        let mut serves = false;
        wait_until("nginx serves, or has ended", || {
            serves = is_this(http1, &token);
            serves || process.has_ended()
        });
        serves.then_some(Self {
            http1,
            tls,
            certificate,
            directory,
            _process: process,
        })
    }

    /// What it has logged of requests that are over.
    pub fn access_log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("access.log")).unwrap_or_default()
    }
}

/// Whether it is ours that answers there.
fn is_this(address: SocketAddr, token: &str) -> bool {
    let Ok(mut http) = Http::try_connect(address) else {
        return false;
    };
    http.try_request("GET", "/token", &[], b"")
        .is_ok_and(|answer| answer.text() == token)
}
