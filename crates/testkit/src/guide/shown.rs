//! Output, and what a page shows of it.

/// What stands for anything.
const ANY: char = '…';

/// How `output` differs from what is `shown`, for people; `None` if it doesn't.
/// A line `…` stands for any lines, `…` within a line for any text. If `begins`,
/// more output may follow.
pub fn differs(shown: &str, output: &str, begins: bool) -> Option<String> {
    let lines = |text: &str| -> Vec<String> {
        let lines = text.trim_end().lines();
        lines.map(|line| line.trim_end().to_owned()).collect()
    };
    let (mut expected, found) = (lines(shown), lines(output));
    if begins {
        expected.push(ANY.to_string());
    }
    let same = match_all(
        &expected,
        &found,
        |line| is_any_lines(line),
        |a, b| line_matches(a, b),
    );
    (!same).then(|| {
        format!(
            "-- shown:\n{}\n-- but it was:\n{}",
            shown.trim_end(),
            output.trim_end()
        )
    })
}

fn is_any_lines(line: &str) -> bool {
    line.trim() == ANY.to_string()
}

fn line_matches(shown: &str, output: &str) -> bool {
    let shown: Vec<char> = shown.chars().collect();
    let output: Vec<char> = output.chars().collect();
    match_all(&shown, &output, |c| *c == ANY, |a, b| a == b)
}

/// Whether `items` are what `pattern` says, where those that are `any` stand for
/// any number of items. The last `any` is enough to go back to, so that the time
/// is at most the product of both lengths.
fn match_all<T>(
    pattern: &[T],
    items: &[T],
    any: impl Fn(&T) -> bool,
    same: impl Fn(&T, &T) -> bool,
) -> bool {
    let (mut p, mut i) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while i < items.len() {
        if p < pattern.len() && any(&pattern[p]) {
            back = Some((p, i));
            p += 1;
        } else if p < pattern.len() && same(&pattern[p], &items[i]) {
            p += 1;
            i += 1;
        } else if let Some((at, from)) = back {
            back = Some((at, from + 1));
            (p, i) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shown: &str, output: &str, exact: bool, begins: bool) {
        assert_eq!(differs(shown, output, false).is_none(), exact, "exact");
        assert_eq!(differs(shown, output, true).is_none(), begins, "begins");
    }

    #[test]
    fn what_is_shown_is_all() {
        check("a\nb\n", "a\nb", true, true);
        check("a\n", "a\nb\n", false, true);
        check("a\nb\n", "a\n", false, false);
        check("a\nb\n", "b\na\n", false, false);
        check("", "", true, true);
        check("", "a", false, true);
    }

    #[test]
    fn dots_stand_for_text_within_a_line() {
        check("id: td-…\n", "id: td-1f-2\n", true, true);
        check(
            "{\"id\":\"…\",\"n\":…}",
            "{\"id\":\"x\",\"n\":1}",
            true,
            true,
        );
        check(
            "{\"id\":\"…\",\"n\":2}",
            "{\"id\":\"x\",\"n\":1}",
            false,
            false,
        );
        check("id: …-3", "id: a-3-4", false, false);
    }

    #[test]
    fn a_line_of_dots_stands_for_lines() {
        check("a\n…\nc\n", "a\nb\nb\nc\n", true, true);
        check("a\n…\nc\n", "a\nc\n", true, true);
        check("a\n…\nc\n", "a\nb\n", false, false);
        check("…\nc\n", "c\nc\n", true, true);
    }
}
