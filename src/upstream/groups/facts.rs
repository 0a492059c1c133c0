//! What an API said of a person: claims to set.

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
