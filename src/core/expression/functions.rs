//! Our functions, and the context that every evaluation of a generation shares.

use std::sync::Arc;

use cel::extractors::This;
use cel::{Context, Env, ExecutionError, Value};

use super::bounds::{self, METER, charge};
use super::{Engine, Tables};

type Evaluated = Result<Value, ExecutionError>;

/// Builds the shared context.
pub(super) fn engine(tables: &Arc<Tables>) -> Engine {
    let mut env = Env::stdlib().with_optional_support(true);
    // Both only fail on names that are declared twice, which the tests of this module would show at once.
    let declared = env.add_extension(cel::extensions::strings).and_then(|()| {
        env.add_overload(METER, "meter_dyn", vec![cel::common::types::DYN_TYPE], bounds::meter_function)
    });
    debug_assert!(declared.is_ok(), "{declared:?}");
    let env = Arc::new(env);
    let mut context = Context::with_env(Arc::clone(&env));
    let declared = declare(&mut context, tables);
    debug_assert!(declared.is_ok(), "{declared:?}");
    Engine { context, env, tables: Arc::clone(tables) }
}

fn declare(context: &mut Context<'static, 'static>, tables: &Arc<Tables>) -> Result<(), cel::DeclarationError> {
    context.add_function("lower", |This(this): This<Value>| each_string("lower", &this, |s| Ok(s.to_lowercase())))?;
    context.add_function("upper", |This(this): This<Value>| each_string("upper", &this, |s| Ok(s.to_uppercase())))?;
    context.add_function("before", |This(this): This<Value>, separator: Arc<String>| {
        each_string("before", &this, |s| {
            Ok(s.split_once(separator.as_str()).map_or(s, |(before, _)| before).to_owned())
        })
    })?;
    context.add_function("after", |This(this): This<Value>, separator: Arc<String>| {
        each_string("after", &this, |s| Ok(s.split_once(separator.as_str()).map_or("", |(_, after)| after).to_owned()))
    })?;
    context.add_function("domain", |This(this): This<Value>| each_string("domain", &this, domain))?;
    context.add_function("prefix", |This(this): This<Value>, prefix: Arc<String>| {
        each_string("prefix", &this, |s| Ok(format!("{prefix}{s}")))
    })?;
    context.add_function("sha256", |This(this): This<Arc<String>>| -> Evaluated { Ok(text(sha256_hex(&this))) })?;
    context.add_function("asList", |This(this): This<Value>| -> Evaluated { as_list(this) })?;
    context.add_function("distinct", |This(this): This<Value>| distinct(&this))?;
    context.add_function("sorted", |This(this): This<Value>| sorted(&this))?;
    context.add_function("flatten", |This(this): This<Value>| flatten(&this))?;
    context.add_function("intersects", |This(this): This<Value>, other: Value| intersects(&this, &other))?;
    let tables = Arc::clone(tables);
    context
        .add_function("lookup", move |This(this): This<Value>, table: Arc<String>| lookup(&tables, &this, &table))?;
    Ok(())
}

fn text(value: String) -> Value {
    Value::String(Arc::new(value))
}

fn wrong_type(function: &str, value: &Value, wanted: &str) -> ExecutionError {
    ExecutionError::function_error(function, format!("expected {wanted}, got {}", value.type_of()))
}

/// Applies a function to a string, or to each string of a list.
fn each_string(
    function: &'static str,
    value: &Value,
    apply: impl Fn(&str) -> Result<String, ExecutionError>,
) -> Evaluated {
    match value {
        Value::String(s) => apply(s).map(text),
        Value::List(items) => {
            charge(items.len() as u64 / 16)?;
            let mapped = items.iter().map(|item| match item {
                Value::String(s) => apply(s).map(text),
                other => Err(wrong_type(function, other, "a list of strings")),
            });
            Ok(Value::List(Arc::new(mapped.collect::<Result<_, _>>()?)))
        }
        other => Err(wrong_type(function, other, "a string")),
    }
}

fn domain(address: &str) -> Result<String, ExecutionError> {
    match address.split_once('@') {
        Some((_, domain)) if !domain.contains('@') => Ok(domain.to_owned()),
        _ => Err(ExecutionError::function_error("domain", "an address has exactly one @")),
    }
}

fn sha256_hex(value: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, value.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn as_list(value: Value) -> Evaluated {
    Ok(match value {
        Value::List(_) => value,
        Value::Null => Value::List(Arc::default()),
        other => Value::List(Arc::new(vec![other])),
    })
}

fn list<'a>(function: &str, value: &'a Value) -> Result<&'a Arc<Vec<Value>>, ExecutionError> {
    match value {
        Value::List(items) => Ok(items),
        other => Err(wrong_type(function, other, "a list")),
    }
}

/// A value that can be told apart from others of its kind.
fn key(function: &str, value: &Value) -> Result<(u8, String), ExecutionError> {
    match value {
        Value::String(s) => Ok((0, s.as_ref().clone())),
        Value::Int(i) => Ok((1, format!("{:020}", i128::from(*i) + i128::from(i64::MAX)))),
        Value::UInt(u) => Ok((1, format!("{:020}", i128::from(*u) + i128::from(i64::MAX)))),
        Value::Bool(b) => Ok((2, b.to_string())),
        other => Err(wrong_type(function, other, "a list of strings or numbers")),
    }
}

fn distinct(value: &Value) -> Evaluated {
    let items = list("distinct", value)?;
    charge(items.len() as u64 / 16)?;
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    let mut kept = Vec::with_capacity(items.len());
    for item in items.iter() {
        if seen.insert(key("distinct", item)?) {
            kept.push(item.clone());
        }
    }
    Ok(Value::List(Arc::new(kept)))
}

fn sorted(value: &Value) -> Evaluated {
    let items = list("sorted", value)?;
    charge(items.len() as u64 / 16)?;
    let mut keyed = items
        .iter()
        .map(|item| Ok((key("sorted", item)?, item.clone())))
        .collect::<Result<Vec<_>, ExecutionError>>()?;
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Value::List(Arc::new(keyed.into_iter().map(|(_, item)| item).collect())))
}

/// One level: lists in the list give their items.
fn flatten(value: &Value) -> Evaluated {
    let mut flat = Vec::new();
    for item in list("flatten", value)?.iter() {
        match item {
            Value::List(inner) => {
                charge(inner.len() as u64 / 16)?;
                flat.extend(inner.iter().cloned());
            }
            other => flat.push(other.clone()),
        }
    }
    Ok(Value::List(Arc::new(flat)))
}

fn intersects(value: &Value, other: &Value) -> Evaluated {
    let (left, right) = (list("intersects", value)?, list("intersects", other)?);
    charge((left.len() + right.len()) as u64 / 16)?;
    let known = left.iter().map(|item| key("intersects", item)).collect::<Result<std::collections::HashSet<_>, _>>()?;
    for item in right.iter() {
        if known.contains(&key("intersects", item)?) {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// Through a table: a list loses the items that the table misses; a single string that it misses is absent.
fn lookup(tables: &Tables, value: &Value, table: &str) -> Evaluated {
    let table =
        tables.get(table).ok_or_else(|| ExecutionError::function_error("lookup", "there is no table of that name"))?;
    match value {
        Value::String(s) => table
            .get(s.as_str())
            .map(|found| text(found.clone()))
            .ok_or_else(|| ExecutionError::NoSuchKey(Arc::new("lookup".to_owned()))),
        Value::List(items) => {
            charge(items.len() as u64 / 16)?;
            let mut found = Vec::new();
            for item in items.iter() {
                match item {
                    Value::String(s) => found.extend(table.get(s.as_str()).map(|hit| text(hit.clone()))),
                    other => return Err(wrong_type("lookup", other, "a list of strings")),
                }
            }
            Ok(Value::List(Arc::new(found)))
        }
        other => Err(wrong_type("lookup", other, "a string or a list of strings")),
    }
}
