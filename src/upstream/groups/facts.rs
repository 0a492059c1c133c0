//! What an API said of a person: reading it, and the claims to set.

use serde_json::{Map, Value};

/// The claims that a source sets.
pub(crate) type Facts = Map<String, Value>;

/// The claim that every source sets.
pub(super) const GROUPS: &str = "groups";

/// Names as a claim, sorted and without duplicates.
pub(super) fn names(mut names: Vec<String>) -> Value {
    names.sort_unstable();
    names.dedup();
    Value::Array(names.into_iter().map(Value::String).collect())
}

/// A member of a JSON document that is a list.
pub(super) fn list<'v>(body: &'v Value, name: &str) -> Option<&'v Vec<Value>> {
    body.get(name)?.as_array()
}

/// A member of an object that is a text, and not empty.
pub(super) fn text<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}
