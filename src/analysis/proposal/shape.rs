//! The expression for a value of the form that a provider sends it in.

use serde_json::{Map, Value};

use crate::config::language::cel_source::cel_member;

/// What a value needs to become an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The expression.
    Expression(String),
    /// The same, with the claim among `booleans` of the quirks.
    Boolean(String),
    /// The same, with the claim among `distinguished_names` of the quirks.
    DistinguishedNames(String),
    /// No expression can read it: the reason.
    Unreadable(&'static str),
}

/// Members of an object that name a group, the best first.
const NAMING: [&str; 10] =
    ["name", "display", "displayName", "display_name", "slug", "full_path", "path", "key", "value", "id"];

/// A list of names. `direct`: the value is a claim itself, and not a member of one.
pub(super) fn list(at: &str, value: &Value, direct: bool) -> Option<Shape> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text_list(at, text, direct)),
        Value::Array(items) => Some(items_list(at, items, direct)?),
        Value::Object(members) => object_list(at, members).map(Shape::Expression),
        _ => None,
    }
}

fn text_list(at: &str, text: &str, direct: bool) -> Shape {
    let trimmed = text.trim_start();
    if trimmed.starts_with(['[', '{']) {
        return Shape::Unreadable("it is a text with JSON in it: let the provider send a list");
    }
    if is_distinguished(text) {
        return if direct { Shape::DistinguishedNames(at.to_owned()) } else { Shape::Expression(at.to_owned()) };
    }
    let separator = [',', ';'].into_iter().find(|separator| text.contains(*separator));
    Shape::Expression(match separator {
        None => at.to_owned(),
        Some(separator) => format!("{at}.split('{separator}').map(g, g.trim())"),
    })
}

fn items_list(at: &str, items: &[Value], direct: bool) -> Option<Shape> {
    let texts = || items.iter().filter_map(Value::as_str);
    if texts().count() == items.len() {
        let named = !items.is_empty() && texts().all(is_distinguished);
        return Some(match (named, direct) {
            (true, true) => Shape::DistinguishedNames(at.to_owned()),
            (true, false) => Shape::Expression(format!("{at}.map(g, g.split(',')[0].after('='))")),
            (false, _) => Shape::Expression(at.to_owned()),
        });
    }
    if items.iter().all(Value::is_number) {
        return Some(Shape::Expression(format!("{at}.map(g, string(g))")));
    }
    let listed = |item: &Value| item.as_array().is_some_and(|items| items.iter().all(Value::is_string));
    if items.iter().all(|item| item.is_string() || listed(item)) {
        return Some(Shape::Expression(format!("{at}.flatten()")));
    }
    let names = |name: &str| {
        let text = |item: &Value| item.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        items.iter().all(text)
    };
    let name = NAMING.into_iter().find(|name| names(name))?;
    Some(Shape::Expression(format!("{at}.map(g, {})", cel_member("g", name))))
}

/// An object whose members are named as the groups are.
fn object_list(at: &str, members: &Map<String, Value>) -> Option<String> {
    if members.is_empty() {
        return None;
    }
    if members.values().all(Value::is_boolean) {
        return Some(format!("{at}.filter(g, {at}[g])"));
    }
    members.values().all(Value::is_object).then(|| format!("{at}.map(g, g)"))
}

/// A text: one, or the first of a list of texts or of objects with a `value` (RFC 7643 §2.4).
pub(super) fn text(at: &str, value: &Value) -> Option<Shape> {
    let filled = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    match value {
        Value::String(text) if !text.is_empty() => Some(Shape::Expression(at.to_owned())),
        Value::Array(items) => {
            let first = items.first()?;
            let whole = filled(first).then(|| format!("{at}[0]"));
            let member = || first.get("value").filter(|value| filled(value)).map(|_| format!("{at}[0].value"));
            whole.or_else(member).map(Shape::Expression)
        }
        _ => None,
    }
}

/// A boolean, also one that is sent as text or number.
pub(super) fn boolean(at: &str, value: &Value, direct: bool) -> Option<Shape> {
    match value {
        Value::Bool(_) => Some(Shape::Expression(at.to_owned())),
        Value::String(text) if direct && matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "1" | "0") => {
            Some(Shape::Boolean(at.to_owned()))
        }
        Value::Number(number) if direct && matches!(number.as_i64(), Some(0 | 1)) => {
            Some(Shape::Boolean(at.to_owned()))
        }
        _ => None,
    }
}

/// Whether a text is a distinguished name (RFC 4514 §2): at least two parts, each an attribute with its value.
pub(super) fn is_distinguished(text: &str) -> bool {
    let attribute = |part: &str| {
        part.split_once('=').is_some_and(|(name, value)| {
            let name = name.trim();
            !name.is_empty()
                && !value.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
        })
    };
    let mut parts = text.split(',');
    parts.next().is_some_and(attribute) && parts.any(attribute)
}
