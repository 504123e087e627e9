//! What is wrong with a configuration, and where it was said.

use std::fmt;
use std::ops::Range;

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the configuration file: its name, line and column, both from 1.
    File(String, u32, u32),
    /// In the configuration file as a whole.
    WholeFile(String),
    /// In this environment variable.
    Env(String),
    /// In this flag on the command line.
    Flag(&'static str),
    /// Nowhere in particular: the setting of this path.
    Setting(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name, line, column) => write!(f, "{name}:{line}:{column}"),
            Self::WholeFile(name) => f.write_str(name),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Setting(path) => f.write_str(path),
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it was said.
    pub place: Place,
    /// What is wrong with it and what to write instead. Never a value as it
    /// was given; of an unknown name at most 64 characters, escaped.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Everything that is wrong with a configuration, one line each. At least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

/// A fault whose place is known only as bytes of the file that is being read,
/// or not at all (a value from elsewhere).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub span: Option<Range<usize>>,
    pub what: String,
}

impl Fault {
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            span: None,
            what: what.into(),
        }
    }

    pub fn at(span: Range<usize>, what: impl Into<String>) -> Self {
        Self {
            span: Some(span),
            what: what.into(),
        }
    }

    /// Fills in the place if nothing closer to the fault did.
    pub fn or_at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

/// A name that somebody gave, fit to be shown: at most 64 characters, quoted,
/// with control characters escaped.
pub(super) fn quoted(name: &str) -> String {
    const MAX: usize = 64;
    let mut shown: String = name
        .chars()
        .take(MAX)
        .flat_map(char::escape_debug)
        .take(MAX)
        .collect();
    if name.chars().nth(MAX).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

/// `; did you mean "…"?` with the candidate nearest to `name`, said with less
/// confidence if it isn't near.
pub(super) fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    // Names of ours are short, and the comparison takes time by the product of
    // both lengths.
    if name.len() > 128 {
        return String::new();
    }
    let nearest = candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((similarity, candidate)) if similarity > 0.7 => {
            format!("; did you mean \"{candidate}\"?")
        }
        Some((_, candidate)) => format!("; the nearest is \"{candidate}\""),
        None => String::new(),
    }
}
