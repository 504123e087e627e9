//! A contender at work.

use super::contender::{Contender, Place};
use super::programs::Programs;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long one may take until it serves.
const START: Duration = Duration::from_secs(20);
/// How long one may take to end before it is killed.
const END: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile.
pub const TICK: Duration = Duration::from_millis(20);

/// A process that serves; dropping it ends it.
pub struct Server {
    child: Child,
    /// Where it is watched.
    pub watch: SocketAddr,
    /// Where it is published to.
    pub publish: SocketAddr,
    directory: TempDir,
}

impl Server {
    /// Starts one, on free ports, with an empty directory and some variables in
    /// its environment.
    ///
    /// # Errors
    /// It doesn't start, and what it said.
    pub fn start(
        contender: &Contender,
        programs: &Programs,
        settings: &[(&str, &str)],
    ) -> Result<Self, String> {
        // Another process may take a port that was free a moment ago.
        let mut outcome = Err(String::new());
        for _ in 0..3 {
            outcome = Self::try_start(contender, programs, settings);
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map_err(|error| format!("{} doesn't start: {error}", contender.name))
    }

    fn try_start(
        contender: &Contender,
        programs: &Programs,
        settings: &[(&str, &str)],
    ) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let directory = tempfile::tempdir_in(&programs.scratch).map_err(text)?;
        let watch = free()?;
        let publish = match contender.websocket {
            true => free()?,
            false => watch,
        };
        let place = Place {
            port: watch.port(),
            publish_port: publish.port(),
            directory: directory.path(),
        };
        let log = File::create(directory.path().join("log")).map_err(text)?;
        let mut command = contender.command(programs, &place)?;
        command
            .current_dir(directory.path())
            .envs(settings.iter().copied());
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(text)?);
        let child = command.stderr(log).spawn().map_err(text)?;
        let mut server = Self {
            child,
            watch,
            publish,
            directory,
        };
        server.wait_until_it_serves()?;
        Ok(server)
    }

    fn wait_until_it_serves(&mut self) -> Result<(), String> {
        let start = Instant::now();
        let answers = |address| TcpStream::connect(address).is_ok();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("{status}: {}", self.said()));
            }
            if answers(self.watch) && answers(self.publish) {
                return Ok(());
            }
            if start.elapsed() > START {
                return Err(format!("nothing listens: {}", self.said()));
            }
            std::thread::sleep(TICK);
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last of what it printed.
    pub fn said(&self) -> String {
        let log = std::fs::read(self.directory.path().join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(3)..].join(" | ")
    }
}

impl Drop for Server {
    /// Asks first: nginx's workers end with their master only then.
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if start.elapsed() > END {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(TICK);
        }
    }
}

fn free() -> Result<SocketAddr, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port: {error}"))
}
