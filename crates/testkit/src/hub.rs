//! A hub as a process of its own.

use crate::http::{Answer, Http, PATIENCE};
use crate::token;
use crate::wait_until;
use crate::watch::Watch;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than the hub's own, less than [`PATIENCE`]: a disk on which much else is
/// being written (what was just built, say) keeps publishers waiting for seconds.
const PUBLISH_TIMEOUT: &str = "20s";

/// How to start a hub.
#[derive(Debug, Clone)]
pub struct Launch {
    binary: PathBuf,
    data: PathBuf,
    listen: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    through: Vec<String>,
    /// The directory that goes with the last hub that used it.
    own: Option<Arc<TempDir>>,
}

impl Launch {
    /// A hub on a free port with its data in `data`.
    pub fn new(binary: impl Into<PathBuf>, data: &Path) -> Self {
        Self {
            binary: binary.into(),
            data: data.to_owned(),
            listen: "127.0.0.1:0".into(),
            args: Vec::new(),
            env: Vec::new(),
            through: Vec::new(),
            own: None,
        }
    }

    /// A hub on a free port with its data in a directory of its own.
    ///
    /// # Panics
    /// If there is no room for temporary files.
    pub fn fresh(binary: impl Into<PathBuf>) -> Self {
        let own = tempfile::tempdir().expect("a directory");
        let mut launch = Self::new(binary, own.path());
        launch.own = Some(Arc::new(own));
        launch
    }

    /// Through another program: these words stand before the hub's command
    /// line. The program must become the hub (`exec`), or signals don't reach it.
    #[must_use]
    pub fn through<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.through = words.into_iter().map(Into::into).collect();
        self
    }

    /// On this address instead, for a hub that comes back where it was.
    #[must_use]
    pub fn listen(mut self, address: impl ToString) -> Self {
        self.listen = address.to_string();
        self
    }

    /// With a further argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The directory of its data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The command, for tests that need more than this.
    pub fn command(&self) -> Command {
        let mut command = match self.through.split_first() {
            Some((program, args)) => {
                let mut command = Command::new(program);
                command.args(args).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command
            .arg("serve")
            .arg("--listen")
            .arg(&self.listen)
            .arg("--data")
            .arg(&self.data)
            .args(&self.args);
        for (name, _) in
            std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("TIDINGS_"))
        {
            command.env_remove(name);
        }
        command.env("TIDINGS_PUBLISH_TIMEOUT", PUBLISH_TIMEOUT);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// If it doesn't; the text has what it wrote to standard error.
    pub fn start(&self) -> HubProcess {
        match self.try_start() {
            Ok(hub) => hub,
            Err((status, stderr)) => panic!("the hub did not start ({status}): {stderr}"),
        }
    }

    /// Starts it and waits until it serves or ends.
    ///
    /// # Errors
    /// How it ended and what it wrote to standard error.
    pub fn try_start(&self) -> Result<HubProcess, (ExitStatus, String)> {
        let mut child = self.command().spawn().expect("the binary can be started");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut stderr = child.stderr.take().expect("piped");
        let (lines, log) = channel();
        let errors = std::thread::spawn(move || {
            let mut all = String::new();
            let mut reader = BufReader::new(&mut stderr);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 0) {
                all.push_str(&line);
                let _ = lines.send(std::mem::take(&mut line));
            }
            all
        });
        let mut first = String::new();
        stdout
            .read_line(&mut first)
            .expect("text on standard output");
        let Some(address) = address_in(&first) else {
            let status = child.wait().expect("a child that can be waited for");
            return Err((status, errors.join().unwrap_or_default()));
        };
        Ok(HubProcess {
            launch: self.clone(),
            child,
            address,
            first,
            log: Mutex::new(log),
            _stdout: stdout,
        })
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    after(line, "://")
}

/// The address that follows the first `scheme` in `line`.
fn after(line: &str, scheme: &str) -> Option<SocketAddr> {
    let rest = &line[line.find(scheme)? + scheme.len()..];
    rest.split(|c: char| c.is_whitespace() || c == '/' || c == ',')
        .next()?
        .parse()
        .ok()
}

/// A running hub; dropping it kills it.
#[derive(Debug)]
pub struct HubProcess {
    launch: Launch,
    child: Child,
    address: SocketAddr,
    first: String,
    log: Mutex<Receiver<String>>,
    /// Kept, so that the hub never finds its output closed.
    _stdout: BufReader<ChildStdout>,
}

impl HubProcess {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for HTTPS.
    ///
    /// # Panics
    /// If it doesn't.
    pub fn tls_address(&self) -> SocketAddr {
        after(&self.first, "https://").expect("an address for HTTPS")
    }

    /// The first line it printed.
    pub fn first_line(&self) -> &str {
        &self.first
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new connection to it.
    pub fn http(&self) -> Http {
        Http::connect(self.address)
    }

    /// One request on a connection of its own.
    pub fn get(&self, path: &str) -> Answer {
        self.http().request("GET", path, &[], b"")
    }

    /// One POST on a connection of its own.
    pub fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.http().request("POST", path, &[], body.as_ref())
    }

    /// A watcher.
    pub fn watch(&self, path: &str) -> Watch {
        Watch::open(self.address, path, None)
    }

    /// A watcher that resumes.
    pub fn resume(&self, path: &str, last_event_id: &str) -> Watch {
        Watch::open(self.address, path, Some(last_event_id))
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) -> Launch {
        self.child.kill().expect("a child that runs");
        self.child.wait().expect("a child that can be waited for");
        self.launch_again()
    }

    /// How to start it again where it is, once it has ended.
    pub fn launch_again(&self) -> Launch {
        self.launch.clone().listen(self.address)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process id");
        kill_process(pid, signal).expect("a process of ours");
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it doesn't come in time.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self
                .child
                .try_wait()
                .expect("a child that can be waited for")
            {
                return status;
            }
            assert!(Instant::now() < end, "the hub still runs after {limit:?}");
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Waits for a line of its log that contains `text`.
    ///
    /// # Panics
    /// If none comes within 10 s.
    pub fn wait_for_log(&self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines().recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(_) => panic!("the hub's log has no line with {text:?}"),
            }
        }
    }

    /// Ends it with SIGTERM and waits; answers how it ended and what it had
    /// logged that was not yet asked for.
    ///
    /// # Panics
    /// If it doesn't end in time.
    pub fn finish(mut self) -> (ExitStatus, String) {
        self.terminate();
        let status = self.wait(PATIENCE);
        // To the end of its standard error, not to what has been read so far.
        (status, self.lines().iter().collect())
    }

    /// A number of `/metrics`; 0 where it doesn't stand there.
    pub fn metric(&self, name: &str) -> u64 {
        let operator = token::bearer(serde_json::json!({ "tidings": { "admin": true } }));
        let headers = [("Authorization", &*operator)];
        let answer = self.http().request("GET", "/metrics", &headers, b"");
        let text = answer.text();
        let values = text.lines().filter_map(|line| line.strip_prefix(name));
        let mut values = values.filter_map(|rest| rest.strip_prefix(' ')?.parse().ok());
        values.next().unwrap_or(0)
    }

    /// Waits until a number of `/metrics` has this value.
    ///
    /// # Panics
    /// If it doesn't within 30 s.
    #[track_caller]
    pub fn wait_for_metric(&self, name: &str, value: u64) {
        wait_until(&format!("{name} is {value}"), || self.metric(name) == value);
    }

    /// How many files and sockets it has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    fn lines(&self) -> MutexGuard<'_, Receiver<String>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything it has logged so far and was not yet asked for.
    pub fn log(&self) -> String {
        self.lines().try_iter().collect()
    }

    /// Its resident memory in KiB, as the kernel says.
    pub fn resident_kib(&self) -> u64 {
        let mut status = String::new();
        std::fs::File::open(format!("/proc/{}/status", self.pid()))
            .and_then(|mut file| file.read_to_string(&mut status))
            .expect("a running process");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("VmRSS");
        line.split_whitespace()
            .nth(1)
            .and_then(|n| n.parse().ok())
            .expect("a number of KiB")
    }

    /// How much processor time it has used, in user mode and in the kernel.
    ///
    /// # Panics
    /// If it isn't running any more.
    pub fn processor_time(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.pid());
        let stat = std::fs::read_to_string(path).expect("a running process");
        // The name, in parentheses, may hold anything. Then come the state as
        // field 3 and, as 14 and 15, what was used.
        let (_, fields) = stat.rsplit_once(") ").expect("a name");
        let ticks: u64 = fields
            .split(' ')
            .skip(14 - 3)
            .take(2)
            .map(|field| field.parse::<u64>().expect("a number"))
            .sum();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
