//! Templates against two naive readings of RFC 6570: an expander, whose every
//! output must match, and a matcher that tries every way.

use proptest::prelude::*;
use tidings_matcher::Template;

/// A value of a variable (RFC 6570, 2.3).
#[derive(Debug, Clone)]
enum Value {
    Undefined,
    Text(String),
    List(Vec<String>),
    Pairs(Vec<(String, String)>),
}

#[derive(Debug, Clone)]
struct Expression {
    sign: &'static str,
    variables: Vec<(&'static str, &'static str)>,
}

fn behaviour(sign: &str) -> (&str, &str, bool, &str, bool) {
    match sign {
        "" => ("", ",", false, "", false),
        "+" => ("", ",", false, "", true),
        "#" => ("#", ",", false, "", true),
        "." => (".", ".", false, "", false),
        "/" => ("/", "/", false, "", false),
        ";" => (";", ";", true, "", false),
        "?" => ("?", "&", true, "=", false),
        _ => ("&", "&", true, "=", false),
    }
}

fn encode(text: &str, reserved: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric()
            || b"-._~".contains(&byte)
            || (reserved && b":/?#[]@!$&'()*+,;=".contains(&byte));
        if plain {
            out.push(byte.into());
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

/// The algorithm of RFC 6570, 3.2.1, step by step. `None` for a value that
/// its modifier is not made for.
fn expand(expression: &Expression, values: &[Value]) -> Option<String> {
    let (first, separator, named, if_empty, reserved) = behaviour(expression.sign);
    let mut members = Vec::new();
    for ((name, modifier), value) in expression.variables.iter().zip(values) {
        let pair = |name: &str, value: &str| match (named, value.is_empty()) {
            (false, _) => value.to_owned(),
            (true, true) => format!("{name}{if_empty}"),
            (true, false) => format!("{name}={value}"),
        };
        let item = |text: &String| encode(text, reserved);
        match (value, *modifier) {
            (Value::Undefined, _) => {}
            (Value::Text(text), modifier) => {
                let most = modifier
                    .strip_prefix(':')
                    .map_or(usize::MAX, |n| n.parse().unwrap());
                let cut: String = text.chars().take(most).collect();
                members.push(pair(name, &item(&cut)));
            }
            (Value::List(list), "*") => {
                members.extend(list.iter().map(|text| pair(name, &item(text))));
            }
            (Value::Pairs(pairs), "*") => members.extend(pairs.iter().map(|(key, value)| {
                let (key, value) = (item(key), item(value));
                if named {
                    pair(&key, &value)
                } else {
                    format!("{key}={value}")
                }
            })),
            (Value::List(list), "") => {
                let list: Vec<String> = list.iter().map(item).collect();
                members.push(pair(name, &list.join(",")));
            }
            (Value::Pairs(pairs), "") => {
                let list: Vec<String> = pairs
                    .iter()
                    .flat_map(|(key, value)| [item(key), item(value)])
                    .collect();
                members.push(pair(name, &list.join(",")));
            }
            _ => return None,
        }
    }
    Some(match members.is_empty() {
        true => String::new(),
        false => first.to_owned() + &members.join(separator),
    })
}

fn template(literals: &[String], expressions: &[Expression]) -> String {
    let mut text = literals[0].clone();
    for (expression, literal) in expressions.iter().zip(&literals[1..]) {
        let list: Vec<String> = expression
            .variables
            .iter()
            .map(|(name, modifier)| format!("{name}{modifier}"))
            .collect();
        text += &format!("{{{}{}}}{literal}", expression.sign, list.join(","));
    }
    text
}

fn expressions() -> impl Strategy<Value = Vec<Expression>> {
    let variable = (
        prop::sample::select(&["a", "b", "ab"][..]),
        prop::sample::select(&["", "", "*", ":1", ":3"][..]),
    );
    let expression = (
        prop::sample::select(&["", "+", "#", ".", "/", ";", "?", "&"][..]),
        prop::collection::vec(variable, 1..3),
    );
    let expression = expression.prop_map(|(sign, variables)| Expression { sign, variables });
    prop::collection::vec(expression, 1..4)
}

fn literals() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[ab/?=&;,.]{0,2}", 4)
}

fn value() -> impl Strategy<Value = Value> {
    let text = || "[aé/,=%]{0,3}";
    prop_oneof![
        Just(Value::Undefined),
        text().prop_map(Value::Text),
        prop::collection::vec(text(), 1..3).prop_map(Value::List),
        prop::collection::vec((text(), text()), 1..3).prop_map(Value::Pairs),
    ]
}

/// All ways to read `topic` as literals and expressions, one after the other.
fn naive(topic: &str, literals: &[String], expressions: &[Expression]) -> bool {
    let Some(rest) = topic.strip_prefix(literals[0].as_str()) else {
        return false;
    };
    let Some((expression, later)) = expressions.split_first() else {
        return rest.is_empty();
    };
    (0..=rest.len())
        .filter(|end| rest.is_char_boundary(*end))
        .any(|end| {
            naive_expression(&rest[..end], expression) && naive(&rest[end..], &literals[1..], later)
        })
}

fn naive_expression(text: &str, expression: &Expression) -> bool {
    let (first, ..) = behaviour(expression.sign);
    if text.is_empty() {
        return true;
    }
    text.strip_prefix(first)
        .is_some_and(|rest| naive_variables(rest, expression, &expression.variables))
}

/// Whether `text` is a member for the first of `variables` that is defined,
/// and those of later ones, separated.
fn naive_variables(text: &str, expression: &Expression, variables: &[(&str, &str)]) -> bool {
    let (_, separator, ..) = behaviour(expression.sign);
    let Some(((name, modifier), later)) = variables.split_first() else {
        return false;
    };
    if naive_variables(text, expression, later)
        || naive_member(text, expression.sign, name, modifier)
    {
        return true;
    }
    text.match_indices(separator).any(|(at, _)| {
        naive_member(&text[..at], expression.sign, name, modifier)
            && naive_variables(&text[at + 1..], expression, later)
    })
}

fn naive_member(text: &str, sign: &str, name: &str, modifier: &str) -> bool {
    let (_, separator, named, if_empty, reserved) = behaviour(sign);
    let value = |text: &str, more: &str| is_value(text, reserved, more).is_some();
    let pair = |text: &str| match text.split_once('=') {
        // Then `=` is a character of values.
        _ if !named && reserved => false,
        Some((key, member)) => value(key, "") && value(member, ""),
        None => named && if_empty.is_empty() && value(text, ""),
    };
    let exploded = |test: &dyn Fn(&str) -> bool| text.split(separator).all(test);
    if modifier == "*" {
        return exploded(&pair) || (!named && value(text, separator));
    }
    let text = if named {
        let Some(rest) = text.strip_prefix(name) else {
            return false;
        };
        match rest.strip_prefix('=') {
            Some(rest) => rest,
            None => return rest.is_empty() && if_empty.is_empty(),
        }
    } else {
        text
    };
    match modifier.strip_prefix(':') {
        Some(most) => {
            is_value(text, reserved, "").is_some_and(|count| count <= most.parse().unwrap())
        }
        None => value(text, ","),
    }
}

/// How many characters a value has, if it is one, with `more` allowed.
fn is_value(text: &str, reserved: bool, more: &str) -> Option<usize> {
    let (mut rest, mut count) = (text, 0);
    while let Some(first) = rest.chars().next() {
        let hex = |at: usize| rest.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
        if first == '%' && hex(1) && hex(2) {
            let continues = matches!(&rest[1..2], "8" | "9" | "A" | "B" | "a" | "b");
            count += usize::from(!continues);
            rest = &rest[3..];
        } else if first != '%'
            && (encode(&rest[..first.len_utf8()], reserved).len() == 1 || more.contains(first))
        {
            count += 1;
            rest = &rest[first.len_utf8()..];
        } else {
            return None;
        }
    }
    Some(count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn every_expansion_matches(
        literals in literals(),
        expressions in expressions(),
        values in prop::collection::vec(value(), 9),
    ) {
        let text = template(&literals, &expressions);
        let parsed = Template::new(&text).unwrap();
        let mut topic = literals[0].clone();
        for ((expression, literal), values) in expressions.iter().zip(&literals[1..]).zip(values.chunks(3)) {
            let Some(part) = expand(expression, values) else {
                return Ok(());
            };
            topic += &part;
            topic += literal;
        }
        prop_assert!(parsed.matches(&topic), "{text} {topic:?}");
        prop_assert!(topic.starts_with(parsed.prefix()));
        prop_assert!(naive(&topic, &literals[..=expressions.len()], &expressions), "the oracle: {text} {topic:?}");
    }

    #[test]
    fn it_matches_what_trying_every_way_does(
        literals in literals(),
        expressions in expressions(),
        topic in "([ab/?=&;,.#é ]|%C3|%A9|%2F|%){0,9}",
    ) {
        let text = template(&literals, &expressions);
        let expected = topic == text || naive(&topic, &literals[..=expressions.len()], &expressions);
        prop_assert_eq!(Template::new(&text).unwrap().matches(&topic), expected, "{} {:?}", text, topic);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "[a{}+*:,%2.é ]{0,12}", topic in "\\PC{0,12}") {
        if let Ok(template) = Template::new(&text) {
            template.matches(&topic);
            prop_assert!(template.matches(&text));
        }
    }
}
