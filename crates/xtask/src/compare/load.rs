//! One run of the load generator, `tidings bench`.

use super::programs::Programs;
use super::server::{Server, TICK};
use serde_json::Value;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is measured of a run; figures are as `tidings bench --json` has them
/// (docs/cli.md).
#[derive(Debug, Clone)]
pub struct Measured(Value);

/// A run that was not clean, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw(pub String);

impl Measured {
    /// A figure; 0 if there is none.
    pub fn number(&self, pointer: &str) -> f64 {
        let value = self.0.pointer(pointer);
        value.and_then(Value::as_f64).unwrap_or(0.0)
    }

    /// How much of a core the load generator has used.
    pub fn load(&self) -> f64 {
        self.number("/bench_cpu_seconds") / self.number("/seconds").max(f64::MIN_POSITIVE)
    }

    /// What was lost of a hundred deliveries.
    pub fn lost_percent(&self) -> f64 {
        100.0 * self.number("/lost") / self.number("/expected").max(1.0)
    }

    /// Whether a subscriber was not held, or an event came twice or late.
    pub fn flaw(&self, may_lose: bool) -> Option<Flaw> {
        let mut flaws = Vec::new();
        for what in ["lost", "duplicates", "disorder", "foreign"] {
            // What comes behind a loss is no disorder of its own.
            let number = self.number(&format!("/{what}"));
            if number > 0.0 && !(may_lose && what == "lost") {
                flaws.push(format!("{number} {what}"));
            }
        }
        let (held, wanted) = (self.number("/held"), self.number("/connections"));
        if held < wanted {
            flaws.push(format!("{held} of {wanted} held"));
        }
        let faults = self.0["faults"].as_array().into_iter().flatten();
        flaws.extend(faults.filter_map(Value::as_str).map(str::to_owned));
        (!flaws.is_empty()).then(|| Flaw(flaws.join(", ")))
    }

    #[cfg(test)]
    pub fn of(value: Value) -> Self {
        Self(value)
    }
}

/// Runs `tidings bench` with these words against `server`, for `limit` at most.
///
/// # Errors
/// It didn't end, or measured nothing.
pub fn run(
    programs: &Programs,
    server: &Server,
    paths: [&str; 2],
    words: &[String],
    limit: Duration,
) -> Result<Measured, String> {
    let [watch, publish] = paths;
    let mut command = Command::new(programs.tidings());
    command.args(["bench", "--json", "--grace", "5"]);
    command.args(["--pid", &server.pid().to_string()]);
    command.args(["--subscribe", &format!("http://{}{watch}", server.watch)]);
    command.args(["--publish", &format!("http://{}{publish}", server.publish)]);
    command.args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn();
    let child = child.map_err(|error| format!("tidings bench can't be run: {error}"))?;
    let (out, err) = ended(child, limit)?;
    let value = serde_json::from_slice(&out);
    // It says what is wrong in few lines, or nothing.
    let said = String::from_utf8_lossy(&err);
    value.map(Measured).map_err(|_| {
        format!(
            "tidings bench: {}; the server: {}",
            said.trim(),
            server.said()
        )
    })
}

/// What it printed, when it has ended: one line, which a pipe holds.
fn ended(mut child: Child, limit: Duration) -> Result<(Vec<u8>, Vec<u8>), String> {
    let start = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("tidings bench didn't end within {limit:?}"));
        }
        std::thread::sleep(TICK);
    }
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let text = |error: std::io::Error| error.to_string();
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_end(&mut out).map_err(text)?;
    }
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_end(&mut err).map_err(text)?;
    }
    Ok((out, err))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(lost: u64, duplicates: u64, held: u64, may_lose: bool, expect: Option<&str>) {
        let measured = Measured::of(json!({
            "lost": lost, "expected": 200, "duplicates": duplicates, "held": held,
            "connections": 5, "faults": [],
        }));
        let expect = expect.map(|text| Flaw(text.to_owned()));
        assert_eq!(measured.flaw(may_lose), expect);
        assert!((measured.lost_percent() - lost as f64 / 2.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_clean() {
        check(0, 0, 5, false, None);
        check(3, 0, 5, false, Some("3 lost"));
        check(3, 0, 5, true, None);
        check(0, 2, 4, true, Some("2 duplicates, 4 of 5 held"));
    }
}
