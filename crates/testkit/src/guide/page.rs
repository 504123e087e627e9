//! What a page of Markdown asks to be run.

use std::collections::BTreeMap;

/// A page, as far as something in it is to be run.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The page that it goes on from, named from the root of the repository.
    pub after: Option<String>,
    /// Its fences and hidden commands, in order.
    pub blocks: Vec<Block>,
}

/// A fence, or hidden commands.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// The line of its first command or text, counted from 1.
    pub line: usize,
    /// What stands in it.
    pub form: Form,
    /// What is said about it.
    pub words: Words,
}

/// The kinds of blocks.
#[derive(Debug, PartialEq, Eq)]
pub enum Form {
    /// Commands, each with the output that is shown, if one is.
    Commands(Vec<(String, Option<String>)>),
    /// Any other fence: its language and its text.
    Text(String, String),
}

/// What a comment says about a block: `name=value` or `name`, with spaces between.
///
/// - `stays=1,3`: these commands (all, without numbers) run on while the page goes
///   on, and what is shown of them is how their output begins, at the end of the page;
/// - `watches=2`: so does this one, and the page goes on when a hub on port 8080 says
///   that it has one watcher more; with others, it goes on when they have said something;
/// - `quiet`: it goes on at once;
/// - `listens=443`: it goes on when somebody listens on this port;
/// - `exit=N`: the exit code of its commands, instead of 0;
/// - `file=NAME`: the text is a file, in the directory where the commands run;
/// - `not`: it isn't run;
/// - `needs=PROGRAM,…`: the page can't run without these; `root` is who runs it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Words(BTreeMap<String, String>);

const WORDS: [&str; 8] = [
    "stays", "quiet", "watches", "listens", "exit", "file", "not", "needs",
];

impl Words {
    fn parse(text: &str, line: usize) -> Self {
        let words = text.split_whitespace().map(|word| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            assert!(WORDS.contains(&name), "line {line}: what is {name:?}?");
            (name.to_owned(), value.to_owned())
        });
        Self(words.collect())
    }

    /// What it says under a name; empty if it only names it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether `name` is said of the command with this number, counted from 1.
    pub fn say(&self, name: &str, number: usize) -> bool {
        self.get(name).is_some_and(|numbers| {
            numbers.is_empty() || numbers.split(',').any(|n| n.parse() == Ok(number))
        })
    }
}

impl Page {
    /// Reads a page.
    ///
    /// # Panics
    /// If a comment or a fence has no end, or a comment says what means nothing.
    pub fn parse(markdown: &str) -> Self {
        let mut blocks = Vec::new();
        let mut after = None;
        let mut words = Words::default();
        let mut lines = markdown.lines().zip(1..);
        while let Some((text, line)) = lines.next() {
            let mut until = |end: &str| -> Vec<&str> {
                let inner = lines.by_ref().map(|(text, _)| text);
                let mut ended = false;
                let inner = inner.take_while(|text| {
                    ended = text.trim() == end;
                    !ended
                });
                let inner = inner.collect();
                assert!(ended, "line {line}: there is no {end:?}");
                inner
            };
            if let Some(page) = comment(text, "<!-- after:", line) {
                after = Some(page.to_owned());
            } else if let Some(rest) = comment(text, "<!-- run:", line) {
                words = Words::parse(rest, line);
            } else if let Some(rest) = text.strip_prefix("<!-- sh:") {
                let hidden = until("-->");
                blocks.push(Block {
                    line: line + 1,
                    form: Form::Commands(script(&hidden)),
                    words: Words::parse(rest, line),
                });
            } else if let Some(language) = text.trim_start().strip_prefix("```") {
                let inner = until("```");
                let form = match language {
                    "sh" => Form::Commands(script(&inner)),
                    "console" => Form::Commands(dialogue(&inner, line)),
                    _ => Form::Text(language.to_owned(), lines_of(&inner)),
                };
                blocks.push(Block {
                    line: line + 1,
                    form,
                    words: std::mem::take(&mut words),
                });
            } else if !text.trim().is_empty() {
                assert_eq!(words, Words::default(), "line {line}: no fence follows");
            }
        }
        Self { after, blocks }
    }
}

/// What a comment of one line says behind its `start`.
fn comment<'a>(text: &'a str, start: &str, line: usize) -> Option<&'a str> {
    let rest = text.strip_prefix(start)?;
    let rest = rest.trim_end().strip_suffix("-->");
    Some(
        rest.unwrap_or_else(|| panic!("line {line}: there is no \"-->\""))
            .trim(),
    )
}

fn lines_of(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The commands of a script: a line, and those that it needs to be whole.
fn script(lines: &[&str]) -> Vec<(String, Option<String>)> {
    let mut commands = Vec::new();
    let mut command = String::new();
    for line in lines {
        command.push_str(line);
        command.push('\n');
        if is_whole(&command) {
            let command = std::mem::take(&mut command);
            if command.lines().any(|line| !is_idle(line)) {
                commands.push((command, None));
            }
        }
    }
    assert!(command.is_empty(), "a command has no end: {command}");
    commands
}

fn is_idle(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// Commands behind `$ ` (and `> ` where they go on), and below each its output.
fn dialogue(lines: &[&str], at: usize) -> Vec<(String, Option<String>)> {
    let mut commands: Vec<(String, Option<String>)> = Vec::new();
    for line in lines {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push((format!("{command}\n"), Some(String::new())));
            continue;
        }
        let Some((command, Some(output))) = commands.last_mut() else {
            panic!("line {at}: output before the first command");
        };
        match line.strip_prefix("> ") {
            Some(more) if !is_whole(command) => command.push_str(&format!("{more}\n")),
            _ => output.push_str(&format!("{line}\n")),
        }
    }
    commands
}

/// Whether the shell wouldn't wait for more.
fn is_whole(command: &str) -> bool {
    if command.trim_end().ends_with('\\') {
        return false;
    }
    // Of a heredoc without its end the shell only warns.
    if let Some((_, rest)) = command.split_once("<<'") {
        let word = rest.split('\'').next().unwrap_or_default();
        return rest.lines().skip(1).any(|line| line == word);
    }
    let mut shell = std::process::Command::new("sh");
    let shell = shell
        .args(["-n", "-c", command])
        .stderr(std::process::Stdio::null());
    shell.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(markdown: &str) -> Vec<(String, Option<String>)> {
        let blocks = Page::parse(markdown).blocks;
        let commands = blocks.into_iter().flat_map(|block| match block.form {
            Form::Commands(commands) => commands,
            Form::Text(..) => Vec::new(),
        });
        commands.collect()
    }

    #[track_caller]
    fn check_script(text: &str, expected: &[&str]) {
        let found = commands(&format!("```sh\n{text}\n```\n"));
        let expected: Vec<_> = expected.iter().map(|c| (format!("{c}\n"), None)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_script_is_cut_where_commands_end() {
        check_script("a\nb  # why\n\n# alone\nc", &["a", "b  # why", "c"]);
        check_script("a \\\n  b\nc", &["a \\\n  b", "c"]);
        check_script("a |\n  b\nc", &["a |\n  b", "c"]);
        check_script("x='1\n2'\nc", &["x='1\n2'", "c"]);
        check_script(
            "cat > f <<'END'\na\nb\nEND\nc",
            &["cat > f <<'END'\na\nb\nEND", "c"],
        );
        check_script("if a; then\nb\nfi", &["if a; then\nb\nfi"]);
    }

    #[test]
    fn a_dialogue_has_output_below_its_commands() {
        let found = commands("```console\n$ a |\n> b\n1\n\n2\n$ c\n> 3\n```\n");
        let pair = |c: &str, o: &str| (c.to_owned(), Some(o.to_owned()));
        assert_eq!(found, [pair("a |\nb\n", "1\n\n2\n"), pair("c\n", "> 3\n")]);
    }

    #[test]
    fn comments_say_how() {
        let page = "<!-- run: stays=1,3 exit=2 -->\n\n```sh\na\n```\n<!-- sh: stays\nhidden\n-->\n";
        let page = Page::parse(page);
        let [first, second] = &page.blocks[..] else {
            panic!("{page:?}");
        };
        let stays = |block: &Block| [1, 2, 3].map(|n| block.words.say("stays", n));
        assert_eq!(stays(first), [true, false, true]);
        assert_eq!(first.words.get("exit"), Some("2"));
        assert_eq!(stays(second), [true; 3]);
        assert_eq!((first.line, second.line), (4, 7));
        assert_eq!(second.form, Form::Commands(vec![("hidden\n".into(), None)]));
    }

    #[test]
    fn other_fences_are_text() {
        let page = Page::parse("<!-- run: file=hub.toml -->\n```toml\na = 1\n```\n");
        assert_eq!(
            page.blocks[0].form,
            Form::Text("toml".into(), "a = 1\n".into())
        );
        assert_eq!(page.blocks[0].words.get("file"), Some("hub.toml"));
    }

    #[test]
    #[should_panic(expected = "what is \"stay\"?")]
    fn words_that_mean_nothing_are_refused() {
        Page::parse("<!-- run: stay -->\n```sh\na\n```\n");
    }

    #[test]
    #[should_panic(expected = "no fence follows")]
    fn words_about_nothing_are_refused() {
        Page::parse("<!-- run: stays -->\ntext\n");
    }
}
