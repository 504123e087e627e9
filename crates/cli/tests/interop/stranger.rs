//! Other people's programs, each a process that writes one line of JSON for
//! each event, or for what else it has to say.

use super::client::Client;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use tidings_testkit::{PATIENCE, Received};

/// A running stranger; dropping it kills it.
#[derive(Debug)]
pub struct Stranger {
    name: String,
    child: Child,
    lines: Receiver<String>,
    errors: Arc<Mutex<String>>,
}

impl Stranger {
    /// Starts it.
    ///
    /// # Panics
    /// If that isn't possible.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let errors = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&errors);
        std::thread::spawn(move || keep(stderr, &written));
        Self {
            name: name.to_owned(),
            child,
            lines,
            errors,
        }
    }

    /// The next line.
    ///
    /// # Panics
    /// If none comes within 30 s; the text has what it wrote to standard error.
    #[track_caller]
    pub fn json(&self) -> Value {
        let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
            panic!("{} says nothing more: {}", self.name, self.errors());
        };
        serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{} wrote something else than JSON: {line}", self.name))
    }

    /// Whether it runs no more.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// What it has written to standard error.
    pub fn errors(&self) -> String {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.clone()
    }
}

impl Client for Stranger {
    fn name(&self) -> &str {
        &self.name
    }

    fn event(&mut self) -> Received {
        let event = self.json();
        let text = |member: &str| match &event[member] {
            Value::String(text) => text.clone(),
            _ => panic!("{} says of an event: {event}", self.name),
        };
        Received {
            event: text("event"),
            data: text("data"),
            id: text("id"),
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps what comes, up to a bound.
fn keep(mut from: impl Read, kept: &Mutex<String>) {
    const MOST: usize = 64 << 10;
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST {
            kept.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    }
}
