//! What ran, how long it took, and what came of it.

use crate::counts::Counts;
use std::fmt;
use std::time::Duration;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed(String),
    /// It did not run, for this reason.
    Skipped(String),
}

/// One step of a chore.
#[derive(Debug)]
pub struct Step {
    pub name: String,
    pub time: Duration,
    pub outcome: Outcome,
    /// Of the tests it ran; none of a step that runs no tests.
    pub counts: Counts,
}

/// All steps of a chore.
#[derive(Debug, Default)]
pub struct Report(pub Vec<Step>);

impl Report {
    /// Whether the chore failed as a whole.
    pub fn failed(&self) -> bool {
        self.total().failed > 0
    }

    /// The runners' counts together. A step that failed without a failed test
    /// (clippy; a build that broke; a runner that died) counts as one failure, a
    /// step that did not run as one skipped.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for step in &self.0 {
            let mut counts = step.counts;
            match step.outcome {
                Outcome::Failed(_) if counts.failed == 0 => counts.failed = 1,
                Outcome::Skipped(_) => counts.skipped += 1,
                _ => {}
            }
            total += counts;
        }
        total
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|step| step.name.len()).max().unwrap_or(0);
        writeln!(f)?;
        for step in &self.0 {
            write!(
                f,
                "{:width$}  {:>7.1} s  ",
                step.name,
                step.time.as_secs_f64()
            )?;
            match &step.outcome {
                Outcome::Passed => write!(f, "ok")?,
                Outcome::Failed(reason) => write!(f, "FAILED: {reason}")?,
                Outcome::Skipped(reason) => write!(f, "DID NOT RUN: {reason}")?,
            }
            if step.counts != Counts::default() {
                write!(f, " ({})", Line(step.counts))?;
            }
            writeln!(f)?;
        }
        let time: Duration = self.0.iter().map(|step| step.time).sum();
        writeln!(f, "{:width$}  {:>7.1} s\n", "", time.as_secs_f64())?;
        writeln!(f, "{}", Line(self.total()))
    }
}

/// `N passed, N failed`, and `, N skipped` if there are any.
struct Line(Counts);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.0.passed, self.0.failed)?;
        match self.0.skipped {
            0 => Ok(()),
            skipped => write!(f, ", {skipped} skipped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(outcome: Outcome, passed: u64, failed: u64) -> Step {
        Step {
            name: "step".to_owned(),
            time: Duration::from_millis(1500),
            outcome,
            counts: Counts {
                passed,
                failed,
                skipped: 0,
            },
        }
    }

    #[track_caller]
    fn check(steps: Vec<Step>, last_line: &str, failed: bool) {
        let report = Report(steps);
        assert_eq!(report.to_string().lines().last(), Some(last_line));
        assert_eq!(report.failed(), failed);
    }

    #[test]
    fn the_last_line_adds_up() {
        let bad = || Outcome::Failed("exit code 1".to_owned());
        let skipped = || Outcome::Skipped("no chromium".to_owned());
        check(vec![], "0 passed, 0 failed", false);
        check(
            vec![step(Outcome::Passed, 2, 0), step(Outcome::Passed, 3, 0)],
            "5 passed, 0 failed",
            false,
        );
        check(
            vec![step(bad(), 2, 3), step(bad(), 0, 0)],
            "2 passed, 4 failed",
            true,
        );
        check(
            vec![step(Outcome::Passed, 2, 0), step(skipped(), 0, 0)],
            "2 passed, 0 failed, 1 skipped",
            false,
        );
    }
}
