//! Whether a hub does what the Mercure protocol asks for, seen from outside.
//!
//! `rules.toml` says what is asked for; every rule has one check, which talks to
//! a hub over HTTP/1.1 and knows nothing of it but its URL and what its operator
//! gave. That something does *not* arrive is seen by a later event that does.
//! The checks themselves are held against a hub that breaks one rule at a time
//! (`tests/faults.rs`).

pub mod check;
pub mod context;
pub mod options;
pub mod outcome;
pub mod report;
pub mod rules;
pub mod stream;
pub mod suite;
pub mod target;
pub mod token;

pub use context::{Context, Credentials};
pub use options::Options;
pub use outcome::Stop;
pub use report::{Line, Outcome, Report};
pub use rules::{Dialect, Level, Rule, rules};
pub use target::Target;

/// Runs the checks that `options` ask for, one after the other. `told` hears of
/// each as it ends.
///
/// # Errors
/// In words, if the hub's URL can't be used, or nobody listens there.
pub fn run(options: &Options, mut told: impl FnMut(&Line)) -> Result<Report, String> {
    let target = Target::new(&options.url, options.insecure, options.patience)?;
    target.connect().map_err(|error| error.to_string())?;
    let contexts: Vec<Context<'_>> = options
        .dialects
        .iter()
        .map(|dialect| {
            let mut context = Context::new(&target, *dialect, &options.credentials);
            context.heartbeat = options.heartbeat;
            context.origin = options.origin.as_deref();
            context
        })
        .collect();
    let mut report = Report::default();
    let mut add = |line: Line| {
        told(&line);
        let failed = matches!(line.outcome, Outcome::Fail(_));
        report.0.push(line);
        // A hub that has gone breaks no more rules.
        match failed {
            true => target.connect().map(drop),
            false => Ok(()),
        }
        .map_err(|error| error.to_string())
    };
    for rule in rules()
        .into_iter()
        .filter(|rule| options.asks_for(&rule.id))
    {
        let check = check::of(&rule.id).ok_or_else(|| format!("{} has no check", rule.id))?;
        for context in &contexts {
            if rule.dialect.contains(&context.dialect) {
                add(Line {
                    id: rule.id.clone(),
                    dialect: context.dialect,
                    level: rule.level,
                    about: rule.rule.clone(),
                    outcome: check(context).into(),
                })?;
            }
        }
    }
    for (row, number) in suite::rows().iter().zip(1..) {
        let id = format!("row-{number}");
        if !options.asks_for(&id) {
            continue;
        }
        for context in &contexts {
            add(Line {
                id: id.clone(),
                dialect: context.dialect,
                level: Level::Must,
                about: format!("A row of the public suite: {}.", row.about),
                outcome: suite::run(context, row).into(),
            })?;
        }
    }
    match report.0.is_empty() {
        true => Err("--only names no rule of these versions".into()),
        false => Ok(report),
    }
}
