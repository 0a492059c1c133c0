//! Why a condition does not hold: the values that it read, and what came close to what it tests for.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::expression::{Compiled, resembles};

/// The most items of a list that are shown.
const ITEMS: usize = 20;

/// A condition that does not hold, with what it read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The expression, as it is written in the file.
    pub expression: String,
    /// The values that it read, in the order of their names.
    pub values: Vec<Read>,
    /// What came close to what the expression tests for: "'/platform' is not 'platform'".
    pub near_misses: Vec<String>,
}

/// A value that an expression read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// The variable, with its member: `groups`, `user.department`.
    pub name: String,
    /// The value; `None` if it is absent. A long list is cut.
    pub value: Option<Value>,
    /// How many items of a long list are left out.
    pub left_out: usize,
}

/// Explains a condition that does not hold, by the values of its variables.
#[must_use]
pub(super) fn explained(expression: &Compiled, variables: &Map<String, Value>) -> Condition {
    let near_misses = near_misses(expression, variables);
    Condition { expression: expression.source().to_owned(), values: reads(expression, variables), near_misses }
}

/// The values that an expression reads.
pub(super) fn reads(expression: &Compiled, variables: &Map<String, Value>) -> Vec<Read> {
    expression.reads().paths().map(|name| read(name, variables)).collect()
}

/// The value of `variable` or `variable.member.member`.
fn value_of<'v>(path: &str, variables: &'v Map<String, Value>) -> Option<&'v Value> {
    let (variable, members) =
        path.split_once('.').map_or((path, None), |(variable, members)| (variable, Some(members)));
    let value = variables.get(variable)?;
    match members {
        // A member may have a dot in its name.
        Some(members) => {
            value.get(members).or_else(|| members.split('.').try_fold(value, |value, name| value.get(name)))
        }
        None => Some(value),
    }
}

pub(super) fn read(name: String, variables: &Map<String, Value>) -> Read {
    let value = value_of(&name, variables).cloned();
    match value {
        Some(Value::Array(mut items)) if items.len() > ITEMS => {
            let left_out = items.len() - ITEMS;
            items.truncate(ITEMS);
            Read { name, value: Some(Value::Array(items)), left_out }
        }
        value => Read { name, value, left_out: 0 },
    }
}

fn near_misses(expression: &Compiled, variables: &Map<String, Value>) -> Vec<String> {
    let facts = expression.facts();
    let mut found = Vec::new();
    for (path, wanted) in facts.members.iter().chain(&facts.equals) {
        let texts: Vec<&str> = match value_of(path, variables) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(text)) => vec![text],
            _ => continue,
        };
        if texts.contains(&wanted.as_str()) {
            continue;
        }
        if let Some(near) = resembles(wanted, texts.iter().copied()) {
            let text = format!("'{near}' is not '{wanted}'");
            if !found.contains(&text) {
                found.push(text);
            }
        }
    }
    found
}
