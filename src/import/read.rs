//! Reads imported files: YAML and JSON as one type of value, and values from it as leniently as the products do.

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

/// The maximum nesting of a YAML document.
const DEEPEST: usize = 64;

/// Parses the YAML documents of a text; empty ones are left out.
///
/// # Errors
/// The text is not valid YAML. The message never contains the file's content.
pub(crate) fn yaml_documents(text: &str) -> Result<Vec<Value>, String> {
    let documents = Yaml::load_from_str(text)
        .map_err(|error| format!("is not YAML: line {}, column {}", error.marker().line(), error.marker().col() + 1))?;
    let values: Vec<Value> = documents.iter().map(|document| node(document, 0)).collect::<Result<_, _>>()?;
    Ok(values.into_iter().filter(|value| !value.is_null()).collect())
}

/// Parses one YAML document; null if there is none.
///
/// # Errors
/// As [`yaml_documents`].
pub(crate) fn yaml(text: &str) -> Result<Value, String> {
    Ok(yaml_documents(text)?.into_iter().next().unwrap_or(Value::Null))
}

fn node(yaml: &Yaml<'_>, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err("is nested too deeply".to_owned());
    }
    Ok(match yaml {
        Yaml::Value(Scalar::Boolean(flag)) => Value::Bool(*flag),
        Yaml::Value(Scalar::Integer(number)) => Value::from(*number),
        Yaml::Value(Scalar::FloatingPoint(number)) => Value::from(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => Value::from(text.as_ref()),
        Yaml::Representation(text, ..) => Value::from(text.as_ref()),
        Yaml::Sequence(items) => {
            Value::Array(items.iter().map(|item| node(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let (mut object, mut merged) = (Map::new(), Vec::new());
            for (key, value) in entries {
                let key = scalar(&node(key, depth + 1)?).ok_or("has a key that is not text")?;
                match (key.as_str(), node(value, depth + 1)?) {
                    ("<<", one @ Value::Object(_)) => merged.push(one),
                    ("<<", Value::Array(several)) => merged.extend(several),
                    (_, value) => drop(object.insert(key, value)),
                }
            }
            // Merge keys (YAML 1.1): what is written beside one counts, then the first.
            for (key, value) in merged.into_iter().filter_map(|one| one.as_object().cloned()).flatten() {
                object.entry(key).or_insert(value);
            }
            Value::Object(object)
        }
        Yaml::Tagged(_, inner) => node(inner, depth + 1)?,
        Yaml::BadValue | Yaml::Alias(_) => return Err("uses YAML that can't be read (a bad tag or alias)".to_owned()),
        Yaml::Value(Scalar::Null) => Value::Null,
    })
}

/// A string, number or boolean as a string.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The string at a key; an empty one counts as absent.
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    scalar(value.get(key)?).filter(|text| !text.is_empty())
}

/// The boolean at a key, which may be written as a string.
pub(crate) fn flag(value: &Value, key: &str) -> Option<bool> {
    match value.get(key)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Whether the boolean at a key exists and is true.
pub(crate) fn on(value: &Value, key: &str) -> bool {
    flag(value, key) == Some(true)
}

/// The positive integer at a key, which may be written as a string.
pub(crate) fn positive(value: &Value, key: &str) -> Option<u64> {
    let number = match value.get(key)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| *number > 0)
}

/// The items of the list at a key.
pub(crate) fn items<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The strings of the list at a key, without duplicates; a single string counts as a list of one.
pub(crate) fn texts(value: &Value, key: &str) -> Vec<String> {
    let single = value.get(key).filter(|value| value.is_string()).and_then(scalar);
    let all = items(value, key).iter().filter_map(scalar).chain(single).filter(|text| !text.is_empty());
    distinct(all)
}

/// The strings in their order, without duplicates.
pub(crate) fn distinct(all: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    all.into_iter().filter(|item| seen.insert(item.clone())).collect()
}

/// The value at a key, or null.
pub(crate) fn below<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&Value::Null)
}

/// Whether the value at a key is set: not null, false, empty or zero.
pub(crate) fn is_set(value: &Value, key: &str) -> bool {
    match below(value, key) {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}
