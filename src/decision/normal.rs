//! The form in which a provider's claims are read: booleans that it sends as text, and distinguished names, as its quirks say.
//!
//! Claims are stored as they came, so that a changed setting holds for what is stored too.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::config::resolved::preset::Quirks;

/// The claims of a provider that are read in another form than they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Normal {
    booleans: Vec<String>,
    distinguished_names: Vec<String>,
}

impl Normal {
    /// As the quirks say.
    #[must_use]
    pub fn of(quirks: &Quirks) -> Self {
        Self { booleans: quirks.booleans.clone(), distinguished_names: quirks.distinguished_names.clone() }
    }

    /// The claims in the form in which they are read.
    #[must_use]
    pub fn claims<'c>(&self, claims: &'c Map<String, Value>) -> Cow<'c, Map<String, Value>> {
        let mut read = Cow::Borrowed(claims);
        for (names, form) in
            [(&self.booleans, boolean as fn(&Value) -> Option<Value>), (&self.distinguished_names, first)]
        {
            for name in names {
                if let Some(value) = claims.get(name).and_then(form) {
                    read.to_mut().insert(name.clone(), value);
                }
            }
        }
        read
    }
}

/// A boolean that is written as text or number; `None` for anything else, which stays as it is.
fn boolean(value: &Value) -> Option<Value> {
    let truth = match value {
        Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => true,
        Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => false,
        Value::Number(number) if number.as_i64() == Some(1) => true,
        Value::Number(number) if number.as_i64() == Some(0) => false,
        _ => return None,
    };
    Some(Value::Bool(truth))
}

/// The first values of distinguished names; `None` if there is nothing to change.
fn first(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => first_value(text).map(Value::String),
        Value::Array(items) => {
            let item = |item: &Value| item.as_str().and_then(first_value).map_or_else(|| item.clone(), Value::String);
            Some(Value::Array(items.iter().map(item).collect()))
        }
        _ => None,
    }
}

/// The value of the first attribute of a distinguished name (RFC 4514 §3); `None` if the text is not one.
fn first_value(name: &str) -> Option<String> {
    let (attribute, rest) = name.split_once('=')?;
    let attribute = attribute.trim();
    if attribute.is_empty() || !attribute.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.') {
        return None;
    }
    let mut bytes = Vec::with_capacity(rest.len());
    let mut characters = rest.trim_start().chars();
    let mut kept = 0;
    while let Some(c) = characters.next() {
        match c {
            ',' | ';' | '+' => break,
            '\\' => {
                let pair: String = characters.clone().take(2).collect();
                let hexadecimal = pair.len() == 2 && pair.chars().all(|c| c.is_ascii_hexdigit());
                match u8::from_str_radix(&pair, 16).ok().filter(|_| hexadecimal) {
                    Some(byte) => {
                        bytes.push(byte);
                        characters.nth(1);
                    }
                    None => bytes.extend(characters.next()?.to_string().bytes()),
                }
                // An escaped space at the end is a part of the value.
                kept = bytes.len();
            }
            c => {
                bytes.extend(c.to_string().bytes());
                if c != ' ' {
                    kept = bytes.len();
                }
            }
        }
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_value_of_a_distinguished_name() {
        for (name, value) in [
            ("CN=sre,OU=groups,DC=corp", Some("sre")),
            ("cn = Site Reliability , ou=x", Some("Site Reliability")),
            ("CN=Smith\\, John,OU=people", Some("Smith, John")),
            ("CN=L\\C3\\BCbeck,DC=x", Some("Lübeck")),
            ("CN=a\\+b+UID=7,DC=x", Some("a+b")),
            ("CN=trailing\\ ,DC=x", Some("trailing ")),
            ("2.5.4.3=sre", Some("sre")),
            ("sre", None),
            ("=sre", None),
            ("CN=,OU=x", None),
            ("a b=c", None),
            ("CN=x\\", None),
        ] {
            assert_eq!(first_value(name).as_deref(), value, "{name}");
        }
    }

    #[test]
    fn only_named_claims_are_read_in_another_form() {
        let normal = Normal { booleans: vec!["v".to_owned()], distinguished_names: vec!["m".to_owned()] };
        let read = |claims: Value| match claims {
            Value::Object(claims) => Value::Object(normal.claims(&claims).into_owned()),
            other => other,
        };
        for (sent, value) in [
            (json!("true"), json!(true)),
            (json!("False"), json!(false)),
            (json!(1), json!(true)),
            (json!("0"), json!(false)),
            (json!(true), json!(true)),
            (json!("yes"), json!("yes")),
            (json!(2), json!(2)),
            (json!(null), json!(null)),
        ] {
            assert_eq!(read(json!({ "v": sent, "w": "true" })), json!({ "v": value, "w": "true" }));
        }
        assert_eq!(
            read(json!({ "m": ["CN=a,DC=x", "b", 7], "n": "CN=a" })),
            json!({ "m": ["a", "b", 7], "n": "CN=a" })
        );
        assert_eq!(read(json!({ "m": "cn=a,dc=x" })), json!({ "m": "a" }));
    }
}
