//! The directives of a `mercure` block in a Caddyfile, one a line.

use super::{Key, Settings, duration};

/// Directives that mean nothing here, and why.
const WITHOUT_EFFECT: [(&str, &str); 14] = [
    (
        "transport_url",
        "history is kept in the hub's data directory; see 'store' and 'retention'",
    ),
    ("ui", "the console is configured by the hub's own settings"),
    (
        "demo",
        "the console is configured by the hub's own settings",
    ),
    (
        "playground",
        "the console is configured by the hub's own settings",
    ),
    (
        "protocol_version_compatibility",
        "both versions of the protocol are always spoken",
    ),
    ("topic_selector_cache", "matching is indexed"),
    ("lru_cache", "matching is indexed"),
    ("subscriber_list_cache_size", "matching is indexed"),
    ("subscriber_list_cache", "matching is indexed"),
    (
        "use_forwarded_headers",
        "set the proxies that are trusted in the hub's own settings",
    ),
    ("metrics", "metrics are always there"),
    ("write_buffer_size", "buffers have the hub's own bounds"),
    ("log", "logging has the hub's own settings"),
    ("debug", "logging has the hub's own settings"),
];

/// Reads `text`, the value of `variable`. What is wrong is left out, with a
/// warning: of a hub whose configuration isn't understood, nothing is opened.
pub(super) fn read(settings: &mut Settings, variable: &str, text: &str) {
    let mut reader = Reader {
        settings,
        variable,
        line: 0,
    };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        reader.line += 1;
        let begin = reader.line;
        let Some(mut words) = words(line) else {
            reader.warn("a quote is not closed; the line is left out");
            continue;
        };
        let opens = words.last().is_some_and(|word| word == "{");
        let mut block = Vec::new();
        if opens {
            words.pop();
            for line in lines.by_ref() {
                reader.line += 1;
                match self::words(line) {
                    Some(words) if words == ["}"] => break,
                    Some(words) if !words.is_empty() => block.push((reader.line, words)),
                    _ => {}
                }
            }
        }
        let end = std::mem::replace(&mut reader.line, begin);
        if let Some((name, arguments)) = words.split_first() {
            reader.directive(name, arguments, &block);
        }
        reader.line = end;
    }
}

struct Reader<'a> {
    settings: &'a mut Settings,
    variable: &'a str,
    /// Of the directive that is read, from 1.
    line: usize,
}

type Block = [(usize, Vec<String>)];

impl Reader<'_> {
    fn directive(&mut self, name: &str, arguments: &[String], block: &Block) {
        if arguments.iter().any(|word| has_placeholder(word)) {
            // Taken as it stands it might become a key that anyone can guess.
            self.warn("placeholders are not replaced here; the line is left out");
            return;
        }
        if !block.is_empty() && name != "transport" {
            self.warn("this directive takes no block, which is left out");
        }
        match (name, arguments) {
            ("anonymous", []) => self.settings.anonymous = true,
            ("subscriptions", []) => self.settings.subscriptions = true,
            ("cors_origins", [_, ..]) => self.settings.cors_origins = origins(arguments),
            ("publish_origins", [_, ..]) => self.settings.publish_origins = origins(arguments),
            ("cookie_name", [name]) => self.settings.cookie_name = Some(name.clone()),
            ("heartbeat" | "write_timeout" | "dispatch_timeout", [text]) => {
                self.duration(name, text);
            }
            ("publisher_jwt", [secret]) => self.settings.publisher_key = Some(Key::new(secret)),
            ("publisher_jwt", [secret, algorithm]) => {
                self.settings.publisher_key = Some(key(secret, algorithm));
            }
            ("subscriber_jwt", [secret]) => self.settings.subscriber_key = Some(Key::new(secret)),
            ("subscriber_jwt", [secret, algorithm]) => {
                self.settings.subscriber_key = Some(key(secret, algorithm));
            }
            ("publisher_jwks_url", [url]) => self.settings.publisher_jwks_url = Some(url.clone()),
            ("subscriber_jwks_url", [url]) => self.settings.subscriber_jwks_url = Some(url.clone()),
            ("transport", [kind]) => self.transport(kind, block),
            (name, arguments) => self.other(name, arguments),
        }
    }

    fn duration(&mut self, name: &str, text: &str) {
        let Some(duration) = duration::parse(text) else {
            self.warn("the value is no duration such as '40s'; the line is left out");
            return;
        };
        match name {
            "heartbeat" => self.settings.heartbeat = Some(duration),
            "write_timeout" => self.settings.write_timeout = Some(duration),
            _ => self.settings.dispatch_timeout = Some(duration),
        }
    }

    fn transport(&mut self, kind: &str, block: &Block) {
        match kind {
            "bolt" => {}
            "local" => {
                self.warn(
                    "history is kept in the data directory; for none set 'store' to 'memory'",
                );
            }
            _ => self.warn("this transport isn't known; history is kept in the data directory"),
        }
        for (line, words) in block {
            self.line = *line;
            match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["size", count] if count.bytes().all(|b| b.is_ascii_digit()) => {
                    self.settings.history_events = count.parse().ok();
                }
                ["size", ..] => self.warn("'size' is a number of events; the line is left out"),
                ["path" | "bucket_name" | "cleanup_frequency", ..] => {
                    self.warn("it has no effect: history is kept in the hub's data directory");
                }
                _ => self.warn("this option of 'transport' isn't known; it has no effect"),
            }
        }
    }

    fn other(&mut self, name: &str, arguments: &[String]) {
        const KNOWN: [&str; 12] = [
            "anonymous",
            "subscriptions",
            "cors_origins",
            "publish_origins",
            "cookie_name",
            "heartbeat",
            "write_timeout",
            "dispatch_timeout",
            "publisher_jwt",
            "subscriber_jwt",
            "publisher_jwks_url",
            "subscriber_jwks_url",
        ];
        if let Some((name, reason)) = WITHOUT_EFFECT.iter().find(|(known, _)| *known == name) {
            self.warn(&format!("'{name}' has no effect: {reason}"));
        } else if KNOWN.contains(&name) || name == "transport" {
            let count = arguments.len();
            self.warn(&format!(
                "'{name}' doesn't take {count} arguments; the line is left out"
            ));
        } else {
            self.warn("no such directive is known; the line is left out");
        }
    }

    fn warn(&mut self, detail: &str) {
        self.settings.warn(self.variable, Some(self.line), detail);
    }
}

fn key(secret: &str, algorithm: &str) -> Key {
    Key {
        secret: secret.to_owned(),
        algorithm: Some(algorithm.to_owned()),
    }
}

/// Origins may be given as several words, or in one with commas or spaces between.
fn origins(arguments: &[String]) -> Vec<String> {
    let parts = arguments.iter().flat_map(|word| word.split([',', ' ']));
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// `{$NAME}`, `{env.NAME}` and their like, but not a brace alone.
fn has_placeholder(word: &str) -> bool {
    word.find('{').is_some_and(|at| word[at..].contains('}'))
}

/// The words of a line, as a Caddyfile has them: quoted by `"` (with `\"`) or
/// a backquote, up to a word that begins with `#`. `None` if a quote isn't closed.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        match first {
            '#' => break,
            '`' => {
                let (word, behind) = rest[1..].split_once('`')?;
                words.push(word.to_owned());
                rest = behind;
            }
            '"' => {
                let (word, behind) = quoted(&rest[1..])?;
                words.push(word);
                rest = behind;
            }
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                words.push(rest[..end].to_owned());
                rest = &rest[end..];
            }
        }
        rest = rest.trim_start();
    }
    Some(words)
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((word, &text[at + 1..])),
            '\\' if characters.peek().is_some_and(|(_, next)| *next == '"') => {
                word.push('"');
                characters.next();
            }
            character => word.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn read_text(text: &str) -> Settings {
        let mut settings = Settings::default();
        read(&mut settings, "V", text);
        settings
    }

    #[test]
    fn directives() {
        let settings = read_text(
            "# of the image's documentation\n  anonymous\nsubscriptions # too\n\
             cors_origins https://a.example \"https://b.example https://c.example\"\n\
             publish_origins *\nheartbeat 40s\nwrite_timeout 0\ndispatch_timeout 1m\n\
             cookie_name `my cookie`\npublisher_jwt \"a \\\"secret\\\"\" HS512\n\
             subscriber_jwks_url https://a.example/jwks\n\
             transport bolt {\n  size 1000\n}\n",
        );
        let expected = Settings {
            anonymous: true,
            subscriptions: true,
            cors_origins: [
                "https://a.example",
                "https://b.example",
                "https://c.example",
            ]
            .map(str::to_owned)
            .into(),
            publish_origins: vec!["*".into()],
            heartbeat: Some(Duration::from_secs(40)),
            write_timeout: Some(Duration::ZERO),
            dispatch_timeout: Some(Duration::from_secs(60)),
            cookie_name: Some("my cookie".into()),
            publisher_key: Some(key("a \"secret\"", "HS512")),
            subscriber_jwks_url: Some("https://a.example/jwks".into()),
            history_events: Some(1_000),
            ..Settings::default()
        };
        assert_eq!(settings, expected);
    }

    fn check_warned(text: &str, lines: &[usize]) {
        let settings = read_text(text);
        let warned: Vec<usize> = settings.warnings.iter().filter_map(|w| w.line).collect();
        assert_eq!(warned, lines, "{text}: {:?}", settings.warnings);
        let silent = Settings {
            warnings: Vec::new(),
            ..settings
        };
        assert_eq!(silent, Settings::default(), "{text}");
    }

    #[test]
    fn what_is_wrong_opens_nothing_and_is_said() {
        for text in [
            "anonymus",
            "anonymous yes",
            "subscriptions {$X}",
            "heartbeat soon",
            "heartbeat",
            "cors_origins",
            "cors_origins {env.ORIGINS}",
            "publisher_jwt {$KEY}",
            "publisher_jwt a b c",
            "publisher_jwt \"a",
            "transport_url bolt://x",
            "demo",
            "transport local",
            "transport nonsense",
            "transport",
            "ui",
            "playground",
        ] {
            check_warned(text, &[1]);
        }
        check_warned(
            "\n\ntransport bolt {\n path x\n\n cleanup_frequency 0.3\n size many\n new 1\n}\nx",
            &[4, 6, 7, 8, 10],
        );
        check_warned("transport bolt {\n size", &[2]);
        check_warned("", &[]);
        check_warned("}\n{", &[1]);
    }

    #[test]
    fn no_value_is_repeated() {
        let settings = read_text(
            "publisher_jwt canary a b\nheartbeat canary\ncanary\nui canary\ntransport canary {\n size canary\n canary\n}\nanonymous {\n canary\n}",
        );
        assert!(settings.warnings.len() >= 7);
        assert!(!format!("{:?}", settings.warnings).contains("canary"));
    }
}
