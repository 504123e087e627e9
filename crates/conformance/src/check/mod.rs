//! The checks: for each rule one function.

mod auth;
mod claims;
mod cursor;
mod discovery;
mod endpoint;
mod presence;
mod publish;
mod stream;
mod subscribe;
mod subscribe_query;
mod subscriptions;
mod templates;

use crate::context::Context;
use crate::outcome::Checked;

/// Looks at one rule.
pub type Check = fn(&Context<'_>) -> Checked;

/// Rules and their checks.
pub type Checks = &'static [(&'static str, Check)];

const ALL: [Checks; 11] = [
    endpoint::CHECKS,
    subscribe::CHECKS,
    subscribe_query::CHECKS,
    stream::CHECKS,
    cursor::CHECKS,
    publish::CHECKS,
    auth::CHECKS,
    claims::CHECKS,
    presence::CHECKS,
    subscriptions::CHECKS,
    discovery::CHECKS,
];

/// All checks, by the id of their rule.
pub fn all() -> impl Iterator<Item = (&'static str, Check)> {
    ALL.into_iter().flatten().copied()
}

/// The check of a rule.
pub fn of(id: &str) -> Option<Check> {
    all()
        .find(|(other, _)| *other == id)
        .map(|(_, check)| check)
}

#[cfg(test)]
mod tests {
    use crate::rules::rules;

    #[test]
    fn every_rule_has_one_check_and_every_check_a_rule() {
        let mut of_table: Vec<String> = rules().into_iter().map(|rule| rule.id).collect();
        let mut of_code: Vec<&str> = super::all().map(|(id, _)| id).collect();
        of_table.sort_unstable();
        of_code.sort_unstable();
        assert_eq!(of_code, of_table);
    }
}
