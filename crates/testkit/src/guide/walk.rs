//! Doing what a page says.

use super::page::{Block, Form, Page, Words};
use super::shown::differs;
use super::{Machine, Running, root};
use crate::{skip, wait_until};

/// A page, as it is run.
pub struct Walk {
    page: String,
    machine: Machine,
    /// What is to be done, and of which page.
    blocks: Vec<(String, Block)>,
    /// What runs on, where it stands, and what is shown of it.
    staying: Vec<(String, Running, Option<String>)>,
    /// How many commands ended as they should.
    done: usize,
}

impl Walk {
    /// Does all that a page says, which is named from the root of the repository;
    /// answers how many commands that were, or `None` if something is missing here.
    ///
    /// # Panics
    /// If a command doesn't do what the page says.
    pub fn through(page: &str, binary: &str) -> Option<usize> {
        let mut walk = Self::begin(page, binary)?;
        walk.go();
        Some(walk.finish())
    }

    /// The machine for a page, with the files of the page, and of those that it goes
    /// on from; nothing has run yet.
    pub fn begin(page: &str, binary: &str) -> Option<Self> {
        let machine = match Machine::new(binary) {
            Ok(machine) => machine,
            Err(why) => {
                skip(&why);
                return None;
            }
        };
        let walk = Self {
            page: page.to_owned(),
            machine,
            blocks: blocks(page),
            staying: Vec::new(),
            done: 0,
        };
        for (_, block) in &walk.blocks {
            let needs = block.words.get("needs").unwrap_or_default();
            let mut missing = needs.split(',').filter(|program| !program.is_empty());
            if let Some(missing) = missing.find(|program| !walk.machine.has(program)) {
                skip(&format!(
                    "{missing} is missing; `cargo xtask test` installs it"
                ));
                return None;
            }
            walk.write(block);
        }
        Some(walk)
    }

    /// Does all that the page says. What runs on is held against the page in
    /// [`Walk::finish`].
    pub fn go(&mut self) {
        for (page, block) in std::mem::take(&mut self.blocks) {
            self.page = page;
            self.step(&block);
        }
    }

    /// Where it runs.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    fn write(&self, block: &Block) {
        if let (Some(name), Form::Text(_, text)) = (block.words.get("file"), &block.form) {
            let path = self.machine.directory().join(name);
            let parent = path.parent().expect("a directory");
            let written =
                std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text));
            written.unwrap_or_else(|error| panic!("{path:?}: {error}"));
        }
    }

    fn step(&mut self, block: &Block) {
        let Form::Commands(commands) = &block.form else {
            return;
        };
        if block.words.get("not").is_some() {
            return;
        }
        for (number, (command, shown)) in (1..).zip(commands) {
            let at = format!("{}:{}: {command}", self.page, block.line);
            if let Some(sign) = Sign::of(&block.words, number) {
                self.stay(at, command, shown.clone(), &sign);
            } else {
                let exit = block.words.get("exit").unwrap_or("0");
                self.run(&at, command, shown.as_deref(), exit);
            }
        }
    }

    fn run(&mut self, at: &str, command: &str, shown: Option<&str>, exit: &str) {
        let (status, output) = self.machine.end(command);
        let code = status.code().map(|code| code.to_string());
        assert_eq!(
            code.as_deref(),
            Some(exit),
            "{at}\n{output}\n{}",
            self.others()
        );
        if let Some(difference) = shown.and_then(|shown| differs(shown, &output, false)) {
            panic!("{at}{difference}");
        }
        self.done += 1;
    }

    /// Starts what runs on, and waits until it does its work.
    fn stay(&mut self, at: String, command: &str, shown: Option<String>, sign: &Sign) {
        let machine = &self.machine;
        let before = match sign {
            Sign::Watches => watchers(machine),
            _ => String::new(),
        };
        let mut running = machine.start(command);
        match sign {
            Sign::Says => {
                running.wait_for("it says something", |output| !output.is_empty());
            }
            Sign::Watches => wait_until(&format!("{at} watches"), || watchers(machine) != before),
            Sign::Listens(port) => {
                running.wait_for("it listens", |_| machine.listens(*port));
            }
            Sign::Nothing => {}
        }
        self.staying.push((at, running, shown));
    }

    /// What those that run on have written, for who looks for a fault.
    fn others(&self) -> String {
        let others = self.staying.iter();
        let others = others.map(|(at, running, _)| format!("-- {at}{}", running.output()));
        others.collect::<Vec<_>>().join("\n")
    }

    /// Waits until all that runs on has written what the page shows; answers how many
    /// commands there were.
    ///
    /// # Panics
    /// If it doesn't.
    pub fn finish(mut self) -> usize {
        for (at, mut running, shown) in std::mem::take(&mut self.staying) {
            if let Some(shown) = shown {
                let what = format!("{at}what is shown:\n{shown}");
                running.wait_for(&what, |output| differs(&shown, output, true).is_none());
            }
            self.done += 1;
        }
        self.done
    }
}

/// How a command that runs on shows that it does its work.
enum Sign {
    Says,
    Watches,
    Listens(u16),
    Nothing,
}

impl Sign {
    /// What is said of a command; `None` if it is one that ends.
    fn of(words: &Words, number: usize) -> Option<Self> {
        if words.say("watches", number) {
            return Some(Self::Watches);
        }
        let sign = match words.get("listens") {
            Some(port) => Self::Listens(port.parse().expect("a port")),
            None if words.get("quiet").is_some() => Self::Nothing,
            None => Self::Says,
        };
        words.say("stays", number).then_some(sign)
    }
}

/// How many watchers the hub has, as it says it.
fn watchers(machine: &Machine) -> String {
    machine.run("curl -s http://localhost:8080/metrics | grep '^tidings_subscribers '")
}

/// The blocks of a page, behind those of the page that it goes on from.
fn blocks(page: &str) -> Vec<(String, Block)> {
    let text = std::fs::read_to_string(root().join(page));
    let text = text.unwrap_or_else(|error| panic!("{page}: {error}"));
    let parsed = Page::parse(&text);
    let mut all = parsed.after.as_deref().map(blocks).unwrap_or_default();
    all.extend(
        parsed
            .blocks
            .into_iter()
            .map(|block| (page.to_owned(), block)),
    );
    all
}
