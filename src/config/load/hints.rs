//! What the structure check needs to know about single values: their type, the intended alternative, a suggestion, a
//! placeholder.

use std::collections::BTreeSet;

use figment::value::{Dict, Tag, Value};

use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{nearest, quote};
use crate::config::load::shape::{Additional, Shape, Types};

/// Lists whose items have no spaces.
const SPACED: &[&str] = &["scopes", "grant_types", "response_types", "redirect_uris", "default_acr_values", "forward"];

pub(crate) fn types_of(value: &Value) -> Types {
    match value {
        Value::String(..) | Value::Char(..) => Types::STRING,
        Value::Bool(..) => Types::BOOLEAN,
        Value::Num(_, number) if number.to_i128().is_some() => Types::INTEGER,
        Value::Num(..) => Types::NUMBER,
        Value::Array(..) => Types::ARRAY,
        Value::Dict(..) | Value::Empty(..) => Types::TABLE,
    }
}

/// The alternative that a value is meant to be: one of its type, and among several tables the one whose keys it has. `None`:
/// none.
pub(crate) fn choose<'s>(alternatives: &'s [Shape], types: Types, value: &Value) -> Option<&'s Shape> {
    let fitting: Vec<&Shape> = alternatives.iter().filter(|alternative| alternative.accepts(types)).collect();
    let Value::Dict(_, dict) = value else { return fitting.first().copied() };
    let score = |shape: &Shape| {
        let known = || shape.properties.keys().map(String::as_str);
        let exact = dict.keys().filter(|key| shape.properties.contains_key(*key)).count();
        let near = dict.keys().filter(|key| nearest(key, known()).is_some()).count();
        2 * exact + near
    };
    // The first of equally good ones: `max_by_key` would return the last.
    let best = fitting.iter().rev().max_by_key(|shape| score(shape)).copied();
    best.filter(|shape| fitting.len() == 1 || score(shape) > 0)
}

/// The keys of a table that mixes several alternatives. `None`: it has those of `chosen` alone, or an unknown one.
pub(crate) fn mixed(shape: &Shape, chosen: &Shape, value: &Value) -> Option<String> {
    let Value::Dict(_, dict) = value else { return None };
    let known = dict.keys().all(|key| shape.has_property(key));
    let several =
        known && matches!(chosen.additional, Additional::None) && dict.keys().any(|key| !chosen.has_property(key));
    several.then(|| dict.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and "))
}

/// One of the values with the words of the text in another order, which has no meaning in a response type (OAuth 2.0 Multiple
/// Response Types §3).
pub(crate) fn reordered(text: &str, values: &[String]) -> Option<String> {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
    let same = values.iter().find(|value| value.contains(' ') && words(value) == words(text))?;
    Some(format!("write {}", quote(same)))
}

pub(crate) fn type_hint(shape: &Shape, value: &Value, at: &At<'_>) -> Option<String> {
    let text_expected = shape.accepts(Types::STRING);
    match value {
        // Keys of page texts contain dots, and so do names of claims.
        Value::Dict(_, dict)
            if text_expected && (expects_expression(shape) || at.to_string().starts_with("ui.texts.")) =>
        {
            let child = dict.keys().next().map_or("...", String::as_str);
            Some(format!("quote the key: \"{}.{child}\" = \"...\"", at.name()))
        }
        Value::String(_, text) if shape.accepts(Types::BOOLEAN) && (text == "true" || text == "false") => {
            Some(format!("write {text} without quotes"))
        }
        // The text is a secret, which is not repeated.
        Value::String(..) if shape.holds_secrets() && !shape.secret && shape.items.is_some() => {
            Some("put it in brackets".to_owned())
        }
        Value::String(_, text) if shape.accepts(Types::ARRAY) && shape.items.is_some() && !shape.secret => {
            // OAuth writes these lists with spaces; other texts have spaces of their own.
            let items: Vec<String> = match SPACED.contains(&at.name().as_str()) {
                true => text.split_whitespace().map(quote).collect(),
                false => vec![quote(text)],
            };
            Some(format!("put it in brackets: [{}]", items.join(", ")))
        }
        Value::Array(_, items) if shape.is_keyed() && items.iter().all(|item| matches!(item, Value::Dict(..))) => {
            Some(format!("give each an id: [{at}.ID] instead of [[{at}]]"))
        }
        Value::Num(_, number) if shape.accepts(Types::ARRAY) && at.name() == "listen" => {
            number.to_i128().map(|port| format!("write [\"127.0.0.1:{port}\"]"))
        }
        Value::Bool(_, on) if !shape.values.is_empty() => instead_of_flag(shape, *on),
        // The message lists the values.
        Value::Num(..) if !shape.values.is_empty() => None,
        Value::Num(_, number) if text_expected && shape.pattern.is_some() => {
            number.to_i128().map(|number| format!("write \"{number}s\" for seconds"))
        }
        Value::Num(..) | Value::Bool(..) if text_expected => Some("put it in quotes".to_owned()),
        Value::String(..) if shape.accepts(Types::INTEGER) => Some("write the number without quotes".to_owned()),
        _ => None,
    }
}

/// The value that `true` or `false` stands for in a setting that has names for its values.
pub(crate) fn instead_of_flag(shape: &Shape, on: bool) -> Option<String> {
    const ON: &[&str] = &["explicit", "required", "always", "verify", "verified_email", "upstream"];
    const OFF: &[&str] = &["implicit", "auto", "never", "none", "unsupported", "cached"];
    let names = if on { ON } else { OFF };
    let meant = names.iter().find(|name| shape.values.iter().any(|value| value == *name))?;
    Some(format!("write \"{meant}\" instead of {on}"))
}

pub(crate) fn expects_expression(shape: &Shape) -> bool {
    shape.expression || shape.alternatives.iter().any(expects_expression)
}

/// A top-level key that is not a table, and so can end up in the table above it by mistake.
pub(crate) fn is_top_level(key: &str) -> bool {
    Shape::root().properties.get(key).is_some_and(|shape| !shape.accepts(Types::TABLE))
}

/// A value that is valid and has no effect.
pub(crate) fn stand_in(shape: &Shape) -> Option<Value> {
    if !shape.alternatives.is_empty() {
        return shape.alternatives.iter().find_map(stand_in);
    }
    if shape.types.has(Types::STRING) && shape.values.is_empty() && shape.pattern.is_none() {
        return Some(Value::from(String::new()));
    }
    if shape.types.has(Types::ARRAY) {
        return Some(Value::from(Vec::<String>::new()));
    }
    if !shape.types.has(Types::TABLE) {
        return None;
    }
    let mut dict = Dict::new();
    for required in &shape.required {
        dict.insert(required.clone(), stand_in(shape.properties.get(required)?)?);
    }
    Some(Value::Dict(Tag::Default, dict))
}
