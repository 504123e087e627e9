//! The binary as a process that is watched while it runs.

// Each test file that includes this uses another part of it.
#![allow(dead_code)]

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use tidings_testkit::{Exchange, PATIENCE, Scripted, wait_until};

/// A running command; dropping it kills it.
pub struct Tool {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

/// How a command has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    /// What of standard output was not asked for before.
    pub stdout: String,
    pub stderr: String,
}

/// The binary with nothing of the caller's settings in its environment.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    let of_the_caller = |name: &str| name.starts_with("TIDINGS_") || name.ends_with("_proxy");
    for (name, _) in std::env::vars_os() {
        if of_the_caller(&name.to_string_lossy())
            || of_the_caller(&name.to_string_lossy().to_ascii_lowercase())
        {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts listening to `/t/x` of a server, whose every byte the test says.
pub fn listen(server: &Scripted, args: &[&str]) -> Tool {
    let url = server.url("/t/x");
    let all: Vec<&str> = ["listen", &url]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    Tool::start(&all)
}

/// Answers the next request with a stream that begins with `text`.
#[track_caller]
pub fn stream(server: &Scripted, text: &str) -> Exchange {
    let mut exchange = server.next();
    exchange.open();
    exchange.send(text);
    exchange
}

/// Runs a command to its end, with `input` on standard input.
#[track_caller]
pub fn run(args: &[&str], input: &[u8]) -> Ended {
    let mut tool = Tool::start(args);
    tool.input(input);
    tool.end_input();
    tool.ended()
}

impl Tool {
    pub fn start(args: &[&str]) -> Self {
        Self::spawn(&mut command(args))
    }

    /// Starts a command whose standard output may be something else.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the binary starts");
        let (give, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut stdout = BufReader::new(stdout);
                let mut line = String::new();
                while stdout.read_line(&mut line).is_ok_and(|read| read > 0) {
                    if give.send(std::mem::take(&mut line)).is_err() {
                        break;
                    }
                }
            });
        }
        let mut stderr = child.stderr.take().expect("piped");
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
            stderr: Some(stderr),
        }
    }

    /// Writes to its standard input. It may be gone.
    pub fn input(&mut self, bytes: &[u8]) {
        let _ = self.stdin.as_mut().expect("an open input").write_all(bytes);
    }

    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// The next line that it writes, without its end.
    #[track_caller]
    pub fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line.trim_end_matches('\n').to_owned(),
            Err(RecvTimeoutError::Timeout) => panic!("no line of output came"),
            Err(RecvTimeoutError::Disconnected) => panic!("it ended: {:?}", self.end()),
        }
    }

    /// The next lines that it writes.
    #[track_caller]
    pub fn lines(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.line()).collect()
    }

    pub fn interrupt(&self) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process id");
        kill_process(pid, Signal::INT).expect("a process of ours");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(mut self) -> Ended {
        self.end()
    }

    #[track_caller]
    fn end(&mut self) -> Ended {
        let mut status = None;
        wait_until("the command has ended", || {
            status = self
                .child
                .try_wait()
                .expect("a child that can be waited for");
            status.is_some()
        });
        Ended {
            code: status.and_then(|status| status.code()),
            stdout: self.lines.iter().collect(),
            stderr: self.stderr.take().map_or_else(String::new, |reader| {
                reader.join().expect("standard error can be read")
            }),
        }
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Checks the exit code and that standard error says these things.
    #[track_caller]
    pub fn check(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for said in said {
            assert!(self.stderr.contains(said), "{said:?} isn't in {self:?}");
        }
    }
}
