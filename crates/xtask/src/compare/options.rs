//! What is to be measured.

use super::contender;

/// Of `cargo xtask compare`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Everything once and small, in debug builds.
    pub quick: bool,
    /// Numbers of subscribers.
    pub connections: Vec<u64>,
    /// How often everything is measured.
    pub rounds: u64,
    /// How long a measurement takes, about.
    pub seconds: u64,
    /// For how many seconds subscribers are idle before memory is read.
    pub settle: u64,
    /// Keys of contenders; none: all.
    pub only: Vec<String>,
    /// Empty: all.
    pub parts: Vec<Part>,
}

/// What a run consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// One topic, all subscribers.
    Fanout,
    /// A topic for each subscriber, over HTTP/2.
    Topics,
    /// Some subscribers don't read.
    Stalled,
    /// All subscribers come back at once.
    Resume,
    /// The hub in an application, beside what that application has without it.
    Library,
}

const PARTS: [(&str, Part); 5] = [
    ("fanout", Part::Fanout),
    ("topics", Part::Topics),
    ("stalled", Part::Stalled),
    ("resume", Part::Resume),
    ("library", Part::Library),
];

impl Default for Options {
    fn default() -> Self {
        Self {
            quick: false,
            connections: vec![2000, 5000, 15_000],
            rounds: 3,
            seconds: 5,
            settle: 1,
            only: Vec::new(),
            parts: Vec::new(),
        }
    }
}

impl Options {
    /// Everything once and small: whether all of it still works.
    pub fn quick() -> Self {
        Self {
            quick: true,
            connections: vec![50],
            rounds: 1,
            seconds: 1,
            ..Self::default()
        }
    }

    /// Reads the command line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(args: &[&str]) -> Result<Self, String> {
        let mut options = match args.contains(&"--quick") {
            true => Self::quick(),
            false => Self::default(),
        };
        let mut args = args.iter().filter(|arg| **arg != "--quick");
        while let Some(name) = args.next() {
            let value = args.next().ok_or(format!("{name} needs a value"))?;
            let list = value.split(',');
            match *name {
                "--connections" => {
                    options.connections = list.map(positive).collect::<Result<_, _>>()?
                }
                "--rounds" => options.rounds = positive(value)?,
                "--seconds" => options.seconds = positive(value)?,
                "--only" => options.only = list.map(key).collect::<Result<_, _>>()?,
                "--parts" => options.parts = list.map(part).collect::<Result<_, _>>()?,
                _ => return Err(format!("compare has no option {name}")),
            }
        }
        Ok(options)
    }

    /// Whether a part of the run is wanted.
    pub fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// Whether the library's page shows it.
    pub fn is_for_library(&self) -> bool {
        let numbers = self.connections == Self::default().connections;
        !self.quick && self.has(Part::Library) && numbers
    }

    /// Whether it is all that the page shows.
    pub fn is_whole(&self) -> bool {
        let all = Self::default();
        !self.quick
            && self.only.is_empty()
            && self.parts.is_empty()
            && self.connections == all.connections
    }

    /// A number of something, or a hundredth of it in a quick run.
    pub fn scaled(&self, number: u64) -> u64 {
        match self.quick {
            true => number / 100,
            false => number,
        }
    }
}

fn positive(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{text} is no number from 1 on"))
}

fn key(text: &str) -> Result<String, String> {
    let known = contender::ALL.iter().any(|contender| contender.key == text);
    known
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text} is none of those that are compared"))
}

fn part(text: &str) -> Result<Part, String> {
    let found = PARTS.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, part)| *part)
        .ok_or_else(|| format!("{text} is no part of the comparison"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(args: &str, expect: Result<Options, &str>) {
        let args: Vec<&str> = args.split_whitespace().collect();
        let expect = expect.map_err(str::to_owned);
        assert_eq!(Options::parse(&args), expect, "{args:?}");
    }

    #[test]
    fn what_can_be_asked() {
        check("", Ok(Options::default()));
        check("--quick", Ok(Options::quick()));
        let some = Options {
            connections: vec![10, 20],
            rounds: 2,
            seconds: 3,
            only: vec!["floor".into(), "nchan".into()],
            parts: vec![Part::Fanout, Part::Resume, Part::Library],
            ..Options::quick()
        };
        let asked = "--connections 10,20 --quick --rounds 2 --seconds 3 --only floor,nchan --parts fanout,resume,library";
        check(asked, Ok(some));
        assert!(Options::default().is_whole() && !Options::quick().is_whole());
        let library = Options::parse(&["--parts", "library"]);
        assert!(library.is_ok_and(|options| options.is_for_library() && !options.is_whole()));
        assert!(!Options::quick().is_for_library());
    }

    #[test]
    fn what_can_not() {
        check("--rounds 0", Err("0 is no number from 1 on"));
        check("--rounds", Err("--rounds needs a value"));
        check(
            "--only mercury",
            Err("mercury is none of those that are compared"),
        );
        check("--parts all", Err("all is no part of the comparison"));
        check("--fast 1", Err("compare has no option --fast"));
    }
}
