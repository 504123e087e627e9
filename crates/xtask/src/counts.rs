//! How many tests a runner says it ran.

use std::ops::AddAssign;

/// What became of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Counts {
    /// Adds what a line of a runner's output says: a summary of cargo-nextest,
    /// of cargo test, or of node. Other lines say nothing.
    pub fn read(&mut self, line: &str) {
        let line = without_colour(line);
        let line = line.trim_end();
        if let Some((_, rest)) = line.split_once("Summary [")
            && let Some((_, rest)) = rest.split_once(" run: ")
        {
            self.read_list(&without_parentheses(rest), ',');
        // Only cargo test's own: what nextest shows of a test that has failed is
        // indented, and counted in its summary already.
        } else if let Some(rest) = line.strip_prefix("test result: ")
            && let Some((_, rest)) = rest.split_once(". ")
        {
            self.read_list(rest, ';');
        } else if let Some(rest) = line.strip_prefix("ℹ ").or(line.strip_prefix("# "))
            && let Some((what, number)) = rest.split_once(' ')
        {
            self.read_node(what, number);
        }
    }

    /// `29 passed, 1 failed, 1 timed out, 21 skipped`.
    fn read_list(&mut self, list: &str, separator: char) {
        for item in list.split(separator) {
            let Some((number, what)) = item.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "skipped" | "ignored" => self.skipped += number,
                "measured" | "filtered out" => {}
                what if what.starts_with("filtered out") => {}
                // failed, timed out, exec failed
                _ => self.failed += number,
            }
        }
    }

    fn read_node(&mut self, what: &str, number: &str) {
        let Ok(number) = number.parse::<u64>() else {
            return;
        };
        match what {
            "pass" => self.passed += number,
            "fail" | "cancelled" => self.failed += number,
            "skipped" | "todo" => self.skipped += number,
            _ => {}
        }
    }
}

fn without_colour(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        rest = after
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or("", |at| &after[at + 1..]);
    }
    out + rest
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0u32;
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    // `29 passed (1 slow), 3 skipped` leaves a blank before the comma.
    out.replace(" ,", ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(output: &str, passed: u64, failed: u64, skipped: u64) {
        let mut counts = Counts::default();
        output.lines().for_each(|line| counts.read(line));
        assert_eq!(
            counts,
            Counts {
                passed,
                failed,
                skipped
            },
            "{output}"
        );
    }

    #[test]
    fn nextest() {
        check(
            "     Summary [   0.124s] 51 tests run: 51 passed, 0 skipped",
            51,
            0,
            0,
        );
        check(
            "\u{1b}[31;1m     Summary\u{1b}[0m [   9.1s] \u{1b}[1m30\u{1b}[0m/51 tests run: \
             \u{1b}[1m26\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m (1 slow, 2 flaky), 1 failed, 2 timed \
             out, 1 exec failed, 21 skipped",
            26,
            4,
            21,
        );
        check(
            "     Summary [   0.0s] 1 test run: 1 passed (1 leaky), 0 skipped",
            1,
            0,
            0,
        );
    }

    /// As it was, but for the banners and the backtrace.
    const NEXTEST_WITH_A_FAILURE: &str = "    Starting 2 tests across 1 binary (1 test skipped)
        PASS [   0.005s] (1/2) rec holds
        FAIL [   0.123s] (2/2) rec fails
  stdout ───

    running 1 test
    test fails ... FAILED

    failures:

    failures:
        fails

    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.12s

  stderr ───

    thread 'fails' (30259) panicked at src/lib.rs:2:71:
    no

────────────
     Summary [   0.124s] 2 tests run: 1 passed, 1 failed, 1 skipped
        FAIL [   0.123s] (2/2) rec fails
error: test run failed
";

    #[test]
    fn a_test_that_fails_under_nextest_counts_once() {
        check(NEXTEST_WITH_A_FAILURE, 1, 1, 1);
    }

    #[test]
    fn cargo_test_adds_up() {
        check(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished \
             in 0.00s\ntest a ... ok\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 \
             measured; 0 filtered out",
            13,
            2,
            1,
        );
    }

    #[test]
    fn node() {
        let output = "ℹ tests 5\nℹ suites 0\nℹ pass 2\nℹ fail 1\nℹ cancelled 1\nℹ skipped 1\nℹ todo \
                      0\nℹ duration_ms 21.2";
        check(output, 2, 2, 1);
        check(&output.replace('ℹ', "#"), 2, 2, 1);
    }

    #[test]
    fn other_lines_say_nothing() {
        check(
            "12 passed, 1 failed\ntest result\nSummary [\nℹ pass many",
            0,
            0,
            0,
        );
    }
}
