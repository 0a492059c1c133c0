//! Between JSON and CEL values, both ways, within bounds.

use std::collections::HashMap;
use std::sync::Arc;

use cel::objects::{Key, Map};
use cel::{ExecutionError, Value as Cel};
use serde_json::{Map as Object, Value};

use super::bounds::OUTPUT_NODES;
use super::{EvalError, Outcome};

/// A JSON value as CEL sees it; null members of objects are left out.
pub(super) fn from_json(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(b) => Cel::Bool(*b),
        Value::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(int), _) => Cel::Int(int),
            (None, Some(uint)) => Cel::UInt(uint),
            (None, None) => Cel::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(s) => Cel::String(Arc::new(s.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(from_json).collect())),
        Value::Object(members) => from_object(members),
    }
}

/// A list of strings as CEL sees it.
pub(super) fn from_strings(items: &[String]) -> Cel {
    Cel::List(Arc::new(items.iter().map(|item| Cel::String(Arc::new(item.clone()))).collect()))
}

/// A JSON object as CEL sees it; null members are left out.
pub(super) fn from_object(members: &Object<String, Value>) -> Cel {
    let map: HashMap<Key, Cel> = members
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (Key::String(Arc::new(key.clone())), from_json(value)))
        .collect();
    Cel::Map(Map { map: Arc::new(map) })
}

/// The result of an expression as JSON.
pub(super) fn to_json(value: &Cel) -> Result<Outcome, EvalError> {
    let mut budget = OUTPUT_NODES;
    if let Cel::Opaque(opaque) = value
        && let Ok(optional) = <&cel::objects::OptionalValue>::try_from(value)
    {
        let _ = opaque;
        return optional.value().map_or(Ok(Outcome::Absent), to_json);
    }
    match convert(value, &mut budget)? {
        Value::Null => Ok(Outcome::Absent),
        json => Ok(Outcome::Present(json)),
    }
}

fn convert(value: &Cel, budget: &mut usize) -> Result<Value, EvalError> {
    let cost = match value {
        Cel::String(s) => 1 + s.len() / 64,
        _ => 1,
    };
    *budget = budget.checked_sub(cost).ok_or_else(|| EvalError("the result is too large".to_owned()))?;
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::Bool(b) => Value::Bool(*b),
        Cel::Int(i) => Value::from(*i),
        Cel::UInt(u) => Value::from(*u),
        Cel::Float(f) => serde_json::Number::from_f64(*f)
            .map(Value::Number)
            .ok_or_else(|| EvalError("the result is not a finite number".to_owned()))?,
        Cel::String(s) => Value::String(s.as_ref().clone()),
        Cel::Timestamp(t) => Value::String(t.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
        Cel::Duration(d) => Value::String(format!("{}s", d.num_seconds())),
        Cel::List(items) => Value::Array(items.iter().map(|item| convert(item, budget)).collect::<Result<_, _>>()?),
        Cel::Map(map) => {
            let mut members: Vec<(String, Value)> = Vec::with_capacity(map.map.len());
            for (key, value) in map.map.iter() {
                members.push((key_text(key), convert(value, budget)?));
            }
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        Cel::Bytes(bytes) => {
            use base64::Engine as _;
            Value::String(base64::engine::general_purpose::STANDARD.encode(bytes.as_slice()))
        }
        Cel::Function(..) | Cel::Opaque(_) | Cel::Struct(_) => {
            return Err(EvalError(format!("a {} is no claim value", value.type_of())));
        }
    })
}

fn key_text(key: &Key) -> String {
    match key {
        Key::Int(i) => i.to_string(),
        Key::Uint(u) => u.to_string(),
        Key::Bool(b) => b.to_string(),
        Key::String(s) => s.as_ref().clone(),
    }
}

/// The type of a JSON value, in the words of CEL.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "double",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

/// An evaluation error in words that carry no value.
pub(super) fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchOverload(overload) => overload.to_string(),
        ExecutionError::FunctionError { function, message } => format!("{function}(): {message}"),
        ExecutionError::UnexpectedType { got, want } => format!("expected {want}, got {got}"),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("expected {expected} arguments, got {actual}")
        }
        ExecutionError::UnsupportedTargetType { target } => format!("not supported on a {}", target.type_of()),
        ExecutionError::NotSupportedAsMethod { method, target } => {
            format!("{method}() is not supported on a {}", target.type_of())
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("a {} can't be compared with a {}", left.type_of(), right.type_of())
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            format!("{operator} is not supported between a {} and a {}", left.type_of(), right.type_of())
        }
        ExecutionError::UnsupportedIndex(index, target) => {
            format!("a {} can't be indexed by a {}", target.type_of(), index.type_of())
        }
        ExecutionError::UnsupportedKeyType(key) => format!("a {} can't be a key", key.type_of()),
        ExecutionError::IndexOutOfBounds(_) => "the index is out of bounds".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(operator, ..) => format!("overflow in {operator}"),
        ExecutionError::UndeclaredReference(name) => format!("unknown name {name}"),
        ExecutionError::DuplicateKey(_) => "a map literal has a key twice".to_owned(),
        ExecutionError::InternalError(message) => message.clone(),
        ExecutionError::MissingArgumentOrTarget => "an argument is missing".to_owned(),
        _ => "the expression can't be evaluated with these values".to_owned(),
    }
}
