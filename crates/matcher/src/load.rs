//! What one topic may cost at worst.

use crate::Matcher;
use crate::radix::Radix;
use std::collections::HashMap;

/// The patterns of many watchers, each counted once, and what holding one topic
/// against all of them may take. What begins with different literals never meets the
/// same topic, and adds nothing up; what begins with none meets every topic.
#[derive(Debug)]
pub struct Load {
    /// Which number a pattern has, and how often it was added.
    held: HashMap<Matcher, (usize, usize)>,
    numbers: usize,
    templates: Radix,
    url_patterns: Radix,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            held: HashMap::new(),
            numbers: 0,
            templates: Radix::new(),
            url_patterns: Radix::new(),
        }
    }
}

impl Load {
    /// Adds a pattern once more. What isn't one counts for nothing: topics are
    /// found by hash.
    pub fn add(&mut self, matcher: &Matcher) {
        if let Some((_, times)) = self.held.get_mut(matcher) {
            *times += 1;
            return;
        }
        let number = self.numbers;
        let Some((tree, prefix)) = self.place(matcher) else {
            return;
        };
        tree.insert(prefix, number, matcher.work());
        self.held.insert(matcher.clone(), (number, 1));
        self.numbers += 1;
    }

    /// Takes back what was added once.
    pub fn remove(&mut self, matcher: &Matcher) {
        let Some((number, times)) = self.held.get_mut(matcher) else {
            return;
        };
        *times -= 1;
        if *times > 0 {
            return;
        }
        let number = *number;
        self.held.remove(matcher);
        crate::shrink_map(&mut self.held);
        if let Some((tree, prefix)) = self.place(matcher) {
            tree.remove(prefix, number, matcher.work());
        }
    }

    /// The most that one short topic costs when nothing is remembered of it, in
    /// units of [`Matcher::work`]; as much again for each 64 bytes of topic.
    pub fn heaviest(&self) -> usize {
        self.templates.heaviest() + self.url_patterns.heaviest()
    }

    fn place<'a>(&mut self, matcher: &'a Matcher) -> Option<(&mut Radix, &'a str)> {
        match matcher {
            Matcher::Any | Matcher::Exact(_) => None,
            Matcher::Template(template) => Some((&mut self.templates, template.prefix())),
            Matcher::UrlPattern(pattern) => Some((&mut self.url_patterns, pattern.prefix())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Base;

    fn check(texts: &[&str], expected: &[&str]) {
        let base = Base::new("https://example.com").unwrap();
        let new = |text: &&str| match text.strip_prefix("url ") {
            Some(pattern) => Matcher::url_pattern(pattern, &base).unwrap(),
            None => Matcher::selector(text).unwrap(),
        };
        let all: Vec<Matcher> = texts.iter().map(new).collect();
        let expected: usize = expected.iter().map(|text| new(text).work()).sum();
        let mut load = Load::default();
        // Twice: who asks for the same costs nothing more.
        all.iter().chain(&all).for_each(|own| load.add(own));
        assert_eq!(load.heaviest(), expected, "{texts:?}");
        all.iter().rev().for_each(|own| load.remove(own));
        assert_eq!(load.heaviest(), expected, "{texts:?}");
        for (gone, own) in all.iter().enumerate() {
            load.remove(own);
            let mut fresh = Load::default();
            all[gone + 1..].iter().for_each(|own| fresh.add(own));
            assert_eq!(load.heaviest(), fresh.heaviest(), "{texts:?} {gone}");
        }
        assert_eq!((load.heaviest(), load.held.len()), (0, 0), "{texts:?}");
        assert_eq!((load.templates.size(), load.url_patterns.size()), (1, 1));
    }

    #[test]
    fn a_topic_costs_what_begins_as_it_does() {
        check(&[], &[]);
        check(&["*", "/a"], &[]);
        check(&["/a/{x}", "/b/{x}"], &["/a/{x}"]);
        check(&["/a/{x}", "/b/{x}{y}"], &["/b/{x}{y}"]);
        check(
            &["{x}", "/a{x}", "/ab{x}", "/ac{x}{y}"],
            &["{x}", "/a{x}", "/ac{x}{y}"],
        );
        check(
            &["/abc{x}", "/ab{x}", "/a{x}"],
            &["/abc{x}", "/ab{x}", "/a{x}"],
        );
        check(
            &["url /a/([ab]+c)", "url /b/([ab]+c)"],
            &["url /a/([ab]+c)"],
        );
        check(
            &["url *://*/(a+)", "url *://*/(b+)"],
            &["url *://*/(a+)", "url *://*/(b+)"],
        );
        check(&["/a/{x}", "url /a/:x"], &["/a/{x}", "url /a/:x"]);
    }
}
