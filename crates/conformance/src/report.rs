//! What was found.

use crate::outcome::{Checked, Stop};
use crate::rules::{Dialect, Level};
use serde_json::{Value, json};
use std::fmt;

/// One rule in one dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The rule, or `row-N` for a row of the public suite.
    pub id: String,
    /// The version that was spoken.
    pub dialect: Dialect,
    /// How strongly it is asked for.
    pub level: Level,
    /// What is asked for.
    pub about: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The rule holds.
    Pass,
    /// It doesn't: what was seen.
    Fail(String),
    /// It could not be looked at: why.
    Skip(String),
}

impl From<Checked> for Outcome {
    fn from(checked: Checked) -> Self {
        match checked {
            Ok(()) => Self::Pass,
            Err(Stop::Fail(seen)) => Self::Fail(seen),
            Err(Stop::Skip(why)) => Self::Skip(why),
        }
    }
}

/// All lines, in the order of the rules.
#[derive(Debug, Clone, Default)]
pub struct Report(pub Vec<Line>);

impl Report {
    /// Whether the hub breaks something that it must do.
    pub fn breaks_a_must(&self) -> bool {
        self.failures().any(|line| line.level == Level::Must)
    }

    /// The lines that fail.
    pub fn failures(&self) -> impl Iterator<Item = &Line> {
        self.0
            .iter()
            .filter(|line| matches!(line.outcome, Outcome::Fail(_)))
    }

    /// The lines that were skipped.
    pub fn skipped(&self) -> impl Iterator<Item = &Line> {
        self.0
            .iter()
            .filter(|line| matches!(line.outcome, Outcome::Skip(_)))
    }

    /// The report as one JSON document.
    pub fn to_json(&self) -> Value {
        self.0.iter().map(Line::to_json).collect()
    }
}

impl fmt::Display for Report {
    /// The last line: how many of each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, skipped) = (self.failures().count(), self.skipped().count());
        let passed = self.0.len() - failed - skipped;
        write!(f, "{passed} pass, {failed} fail, {skipped} skipped")
    }
}

impl Line {
    fn to_json(&self) -> Value {
        let (outcome, detail) = match &self.outcome {
            Outcome::Pass => ("pass", None),
            Outcome::Fail(seen) => ("fail", Some(seen)),
            Outcome::Skip(why) => ("skip", Some(why)),
        };
        json!({
            "id": self.id,
            "dialect": self.dialect.name(),
            "level": self.level.name(),
            "rule": self.about,
            "outcome": outcome,
            "detail": detail,
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |outcome: &str| {
            write!(
                f,
                "{outcome}  {:<13} {}  {:<7} ",
                self.id,
                self.dialect,
                self.level.name()
            )
        };
        match &self.outcome {
            Outcome::Pass => line("pass")?,
            Outcome::Fail(_) => line("FAIL")?,
            Outcome::Skip(_) => line("skip")?,
        }
        f.write_str(&self.about)?;
        match &self.outcome {
            Outcome::Pass => Ok(()),
            Outcome::Fail(seen) => write!(f, "\n      seen: {seen}"),
            Outcome::Skip(why) => write!(f, "\n      why: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: Level, outcome: Outcome) -> Line {
        Line {
            id: "auth-1".into(),
            dialect: Dialect::V1,
            level,
            about: "It is so.".into(),
            outcome,
        }
    }

    #[test]
    fn what_breaks_a_must() {
        let (fail, skip) = (
            || Outcome::Fail("seen".into()),
            || Outcome::Skip("why".into()),
        );
        for (lines, breaks, last) in [
            (vec![], false, "0 pass, 0 fail, 0 skipped"),
            (
                vec![
                    line(Level::Must, Outcome::Pass),
                    line(Level::Should, fail()),
                    line(Level::Clients, fail()),
                    line(Level::Must, skip()),
                ],
                false,
                "1 pass, 2 fail, 1 skipped",
            ),
            (
                vec![line(Level::Must, fail())],
                true,
                "0 pass, 1 fail, 0 skipped",
            ),
        ] {
            let report = Report(lines);
            assert_eq!(report.breaks_a_must(), breaks);
            assert_eq!(report.to_string(), last);
        }
    }

    #[test]
    fn lines() {
        let failed = line(Level::Must, Outcome::Fail("401".into()));
        assert_eq!(
            failed.to_string(),
            "FAIL  auth-1        1.0  MUST    It is so.\n      seen: 401"
        );
        let document = Report(vec![failed]).to_json();
        assert_eq!(document[0]["outcome"], "fail");
        assert_eq!(document[0]["detail"], "401");
    }
}
