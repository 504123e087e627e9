//! What the tests of faults share: a hub that lives on one topic, what it has
//! acknowledged, and small file systems to fill.
#![allow(dead_code, reason = "each test binary uses a part")]

use rustix::process::{Pid, Resource, Rlimit, geteuid, getrlimit, prlimit};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tidings_testkit::{Answer, Http, HubProcess, Launch, PATIENCE, Received, Watch};

/// A hub with its data in `data`.
pub fn launch(data: &Path) -> Launch {
    Launch::new(env!("CARGO_BIN_EXE_tidings"), data)
}

/// Polls until `condition` holds.
///
/// # Panics
/// If it doesn't in time.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// One publisher of numbered events, and what became of them.
#[derive(Debug, Default)]
pub struct Journal {
    /// The data that was acknowledged, in order.
    pub acked: Vec<String>,
    /// The data that was refused.
    pub refused: Vec<String>,
}

impl Journal {
    /// Publishes the next event, of about `bytes` bytes, on `http`.
    pub fn publish(&mut self, http: &mut Http, bytes: usize) -> Answer {
        let number = self.acked.len() + self.refused.len();
        let data = format!("{number} {}", "x".repeat(bytes));
        let answer = http.request("POST", "/t/log", &[], data.as_bytes());
        match answer.status {
            200 => self.acked.push(data),
            _ => self.refused.push(data),
        }
        answer
    }

    /// Publishes until the hub refuses; answers how.
    ///
    /// # Panics
    /// If it takes more than `most` events.
    pub fn publish_until_refused(&mut self, http: &mut Http, bytes: usize, most: usize) -> Answer {
        for _ in 0..most {
            let answer = self.publish(http, bytes);
            if answer.status != 200 {
                return answer;
            }
        }
        panic!("{most} events were taken and none refused");
    }

    /// The hub has everything that was acknowledged, in order, and nothing else.
    #[track_caller]
    pub fn check_all_there(&self, hub: &HubProcess) {
        let (events, gap) = history(hub);
        assert_eq!(gap, None);
        check_same(&events, &self.acked);
    }

    /// The hub has everything that was acknowledged, in order; and besides,
    /// at most what was refused, whole.
    #[track_caller]
    pub fn check_nothing_lost(&self, hub: &HubProcess) {
        let (events, gap) = history(hub);
        assert_eq!(gap, None);
        let (acked, others): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|data| self.acked.contains(data));
        check_same(&acked, &self.acked);
        assert!(others.iter().all(|data| self.refused.contains(data)));
    }

    /// A watcher gets everything that was acknowledged, in order.
    #[track_caller]
    pub fn check_watched(&self, watcher: &mut Watch) {
        let events: Vec<String> = watcher
            .events(self.acked.len())
            .into_iter()
            .map(|event| event.data)
            .collect();
        check_same(&events, &self.acked);
    }
}

/// Equal, without printing megabytes when they aren't.
#[track_caller]
pub fn check_same(events: &[String], expected: &[String]) {
    let start = |data: &String| data.chars().take(12).collect::<String>();
    for (n, (event, expected)) in events.iter().zip(expected).enumerate() {
        assert!(
            event == expected,
            "event {n} is {:?}, expected {:?}",
            start(event),
            start(expected)
        );
    }
    assert_eq!(events.len(), expected.len());
}

/// All that the hub has, and the reason of a gap that it declares.
#[track_caller]
pub fn history(hub: &HubProcess) -> (Vec<String>, Option<String>) {
    let (mut events, mut gap) = (Vec::new(), None);
    let mut since = "earliest".to_owned();
    let mut http = hub.http();
    loop {
        let path = format!("/t/log?since={since}&limit=1000");
        let page = http.request("GET", &path, &[("Accept", "application/json")], b"");
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        let list = page["events"].as_array().expect("events");
        events.extend(
            list.iter()
                .map(|event| event["data"].as_str().expect("data").to_owned()),
        );
        gap = gap.or(page["gap"].as_str().map(str::to_owned));
        since = page["cursor"].as_str().expect("a cursor").to_owned();
        if page["more"] == false {
            return (events, gap);
        }
    }
}

/// `/readyz` answers `status`, and what it says of the storage.
#[track_caller]
pub fn check_ready(hub: &HubProcess, status: u16, storage: &str) {
    let ready = hub.get("/readyz");
    assert_eq!(ready.status, status, "{}", ready.text());
    assert_eq!(ready.json()["storage"], Value::from(storage));
}

/// A problem document of this kind, with a time to come back after.
#[track_caller]
pub fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (status, code),
        "{}",
        answer.text()
    );
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert!(answer.header("retry-after").is_some());
}

/// Whether a received event is the hub's declaration of a gap.
pub fn is_gap(event: &Received) -> bool {
    event.event == "tidings:gap"
}

/// Sets a soft limit of a running hub; the hard one stays.
pub fn set_limit(hub: &HubProcess, resource: Resource, to: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(hub.pid()).expect("a process id"));
    // The hub has inherited the hard limit of this process.
    let maximum = getrlimit(resource).maximum;
    let limit = Rlimit {
        current: to.or(maximum),
        maximum,
    };
    prlimit(pid, resource, limit).expect("a process of ours");
}

/// A small file system that only processes which enter it see; it is gone with
/// this value.
pub struct Mount {
    holder: Child,
    at: PathBuf,
    user: bool,
    _dir: tempfile::TempDir,
}

impl Mount {
    /// A file system in memory, of `bytes`.
    pub fn tmpfs(bytes: u64) -> Result<Self, String> {
        Self::new(&format!("mount -t tmpfs -o size={bytes} none \"$0\""))
    }

    /// An ext4 of `bytes` in a file.
    pub fn ext4(bytes: u64) -> Result<Self, String> {
        Self::new(&format!(
            "PATH=$PATH:/usr/sbin:/sbin; truncate -s {bytes} \"$0.img\" && \
             mkfs.ext4 -q \"$0.img\" && mount -o loop \"$0.img\" \"$0\""
        ))
    }

    fn new(mount: &str) -> Result<Self, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let at = dir.path().join("mount");
        std::fs::create_dir(&at).expect("a directory");
        // Who isn't root can be it in a namespace of users, where that is allowed.
        let user = !geteuid().is_root();
        let mut holder = Command::new("unshare");
        holder.args(["--user", "--map-root-user"].iter().filter(|_| user));
        holder
            .args([
                "--mount",
                "sh",
                "-c",
                &format!("{mount} && echo mounted && exec cat"),
            ])
            .arg(&at);
        holder
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut holder = holder
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut line = String::new();
        let _ = BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut line);
        let mut mount = Self {
            holder,
            at,
            user,
            _dir: dir,
        };
        if line == "mounted\n" {
            return Ok(mount);
        }
        let mut why = String::new();
        let _ = mount
            .holder
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut why);
        Err(format!(
            "a small file system can't be mounted: {}",
            why.trim()
        ))
    }

    /// A hub whose data lies on it.
    pub fn launch(&self) -> Launch {
        let mut words = vec![
            "nsenter".to_owned(),
            format!("--target={}", self.holder.id()),
            "--mount".into(),
        ];
        if self.user {
            words.extend(["--user".into(), "--preserve-credentials".into()]);
        }
        words.push("--".into());
        launch(&self.at.join("data")).through(words)
    }

    /// A file on it, as it can be found from outside.
    pub fn file(&self, name: &str) -> PathBuf {
        let inside = self.at.strip_prefix("/").expect("an absolute path");
        Path::new("/proc")
            .join(self.holder.id().to_string())
            .join("root")
            .join(inside)
            .join(name)
    }

    /// Runs a command of the shell there; `$0` is its root.
    pub fn run(&self, script: &str) {
        let mut words = vec![format!("--target={}", self.holder.id()), "--mount".into()];
        if self.user {
            words.extend(["--user".into(), "--preserve-credentials".into()]);
        }
        let status = Command::new("nsenter")
            .args(words)
            .args(["--", "sh", "-c", script])
            .arg(&self.at)
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{script}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
