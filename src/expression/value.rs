//! The result of an expression, and the conversion between JSON and CEL values in both directions, within limits.

use std::collections::HashMap;

use base64::Engine as _;
use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelDuration, CelInt, CelList, CelMap, CelMapKey, CelNull, CelOptional, CelString,
    CelTimestamp, CelUInt, Kind,
};
use cel::common::value::Val;
use serde_json::{Map as Object, Value};

use crate::expression::error::{ErrorKind, EvalError, a};
use crate::expression::limits::{Limit, UNIT_BYTES};

/// The result of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It has a value.
    Present(Value),
    /// A key is absent, or the value is null or an empty optional.
    Absent,
}

type Boxed<'v> = Box<dyn Val + 'v>;

/// Converts JSON to CEL values and adds up their units. Integers become `int` (`uint` beyond its range), other numbers
/// `double`. Members that are null, and values nested deeper than [`Limit::VALUE_DEPTH`], are left out.
#[derive(Default)]
pub(crate) struct Reader {
    /// Units of everything read so far.
    pub(crate) units: u64,
    depth: usize,
}

impl Reader {
    pub(crate) fn value<'v>(&mut self, value: &'v Value) -> Boxed<'v> {
        self.units += 1;
        match value {
            Value::Null => Box::new(CelNull),
            Value::Bool(b) => Box::new(CelBool::from(*b)),
            Value::Number(n) => match (n.as_i64(), n.as_u64()) {
                (Some(int), _) => Box::new(CelInt::from(int)),
                (None, Some(uint)) => Box::new(CelUInt::from(uint)),
                (None, None) => Box::new(CelDouble::from(n.as_f64().unwrap_or(f64::NAN))),
            },
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                let items: Vec<Boxed<'v>> = self.nested(|reader| items.iter().map(|item| reader.value(item)).collect());
                Box::new(CelList::from(items))
            }
            Value::Object(members) => self.object(members),
        }
    }

    pub(crate) fn object<'v>(&mut self, members: impl IntoIterator<Item = (&'v String, &'v Value)>) -> Boxed<'v> {
        Box::new(CelMap::from(self.members(members)))
    }

    pub(crate) fn members<'v>(
        &mut self,
        members: impl IntoIterator<Item = (&'v String, &'v Value)>,
    ) -> HashMap<CelMapKey<'v>, Boxed<'v>> {
        self.nested(|reader| {
            let present = members.into_iter().filter(|(_, value)| !value.is_null());
            present
                .map(|(name, value)| {
                    reader.units += (name.len() / UNIT_BYTES) as u64;
                    (CelMapKey::String(CelString::from(name.as_str())), reader.value(value))
                })
                .collect()
        })
    }

    pub(crate) fn strings<'v>(&mut self, items: impl IntoIterator<Item = &'v str>) -> Boxed<'v> {
        let items: Vec<Boxed<'v>> = items.into_iter().map(|item| self.text(item)).collect();
        self.units += items.len() as u64;
        Box::new(CelList::from(items))
    }

    pub(crate) fn text<'v>(&mut self, text: &'v str) -> Boxed<'v> {
        self.units += (text.len() / UNIT_BYTES) as u64;
        Box::new(CelString::from(text))
    }

    fn nested<C: Default>(&mut self, read: impl FnOnce(&mut Self) -> C) -> C {
        if self.depth >= Limit::VALUE_DEPTH {
            return C::default();
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }
}

/// The result of an expression as JSON.
///
/// # Errors
/// When it is larger than a result may be, or is not a JSON value.
pub(crate) fn to_outcome(value: &dyn Val) -> Result<Outcome, EvalError> {
    if let Some(optional) = value.downcast_ref::<CelOptional>() {
        return optional.option().map_or(Ok(Outcome::Absent), to_outcome);
    }
    let mut writer = Writer { values: Limit::RESULT_VALUES, bytes: Limit::RESULT_BYTES, depth: Limit::VALUE_DEPTH };
    Ok(match writer.value(value)? {
        Value::Null => Outcome::Absent,
        json => Outcome::Present(json),
    })
}

/// The remaining limits of a result.
struct Writer {
    values: usize,
    bytes: usize,
    depth: usize,
}

fn too_large() -> EvalError {
    EvalError::new(ErrorKind::Limit, "the result is too large")
}

impl Writer {
    fn value(&mut self, value: &dyn Val) -> Result<Value, EvalError> {
        self.values = self.values.checked_sub(1).ok_or_else(too_large)?;
        if let Some(text) = value.downcast_ref::<CelString>() {
            return self.text(text.inner()).map(Value::String);
        }
        let json = match value.get_type().kind() {
            Kind::NullType => Some(Value::Null),
            Kind::Boolean => value.downcast_ref::<CelBool>().map(|b| Value::Bool(*b.inner())),
            Kind::Int => value.downcast_ref::<CelInt>().map(|i| Value::from(*i.inner())),
            Kind::UInt => value.downcast_ref::<CelUInt>().map(|u| Value::from(*u.inner())),
            Kind::Double => return finite(value),
            Kind::List => return self.list(value),
            Kind::Map => return self.object(value),
            Kind::Timestamp => value
                .downcast_ref::<CelTimestamp>()
                .map(|t| Value::String(t.inner().to_utc().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))),
            Kind::Duration => value.downcast_ref::<CelDuration>().map(|d| Value::String(seconds(d.inner()))),
            Kind::Bytes => match value.downcast_ref::<CelBytes>() {
                Some(bytes) => {
                    let text = base64::engine::general_purpose::STANDARD.encode(bytes.inner());
                    return self.text(&text).map(Value::String);
                }
                None => None,
            },
            _ => None,
        };
        json.ok_or_else(|| {
            EvalError::new(ErrorKind::WrongType, format!("{} can't be a claim value", a(value.get_type().name())))
        })
    }

    fn text(&mut self, text: &str) -> Result<String, EvalError> {
        self.bytes = self.bytes.checked_sub(text.len()).ok_or_else(too_large)?;
        Ok(text.to_owned())
    }

    fn nested<T>(&mut self, write: impl FnOnce(&mut Self) -> Result<T, EvalError>) -> Result<T, EvalError> {
        self.depth = self.depth.checked_sub(1).ok_or_else(too_large)?;
        let written = write(self)?;
        self.depth += 1;
        Ok(written)
    }

    fn list(&mut self, value: &dyn Val) -> Result<Value, EvalError> {
        let items = value.downcast_ref::<CelList>().map(CelList::inner).unwrap_or_default();
        self.nested(|writer| items.iter().map(|item| writer.value(item.as_ref())).collect()).map(Value::Array)
    }

    /// Members are sorted by name, because CEL's objects are unordered.
    fn object(&mut self, value: &dyn Val) -> Result<Value, EvalError> {
        let Some(map) = value.downcast_ref::<CelMap>() else { return Ok(Value::Object(Object::new())) };
        let mut members: Vec<(String, Value)> = self.nested(|writer| {
            map.inner()
                .iter()
                .map(|(key, member)| Ok((writer.text(&key_text(key))?, writer.value(member.as_ref())?)))
                .collect()
        })?;
        members.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Value::Object(members.into_iter().collect()))
    }
}

fn finite(value: &dyn Val) -> Result<Value, EvalError> {
    value
        .downcast_ref::<CelDouble>()
        .and_then(|double| serde_json::Number::from_f64(*double.inner()))
        .map(Value::Number)
        .ok_or_else(|| EvalError::new(ErrorKind::Failed, "the result is not a finite number"))
}

/// A duration in the format of CEL's `string()` and of protobuf's JSON: `1.5s`.
fn seconds(duration: &chrono::Duration) -> String {
    let nanos = i128::from(duration.num_seconds()) * 1_000_000_000 + i128::from(duration.subsec_nanos());
    let sign = if nanos < 0 { "-" } else { "" };
    let (whole, fraction) = (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:09}") };
    format!("{sign}{whole}{}s", fraction.trim_end_matches('0'))
}

pub(crate) fn key_text(key: &CelMapKey<'_>) -> String {
    match key {
        CelMapKey::Int(i) => i.inner().to_string(),
        CelMapKey::UInt(u) => u.inner().to_string(),
        CelMapKey::Bool(b) => b.inner().to_string(),
        CelMapKey::String(s) => s.inner().to_owned(),
    }
}

/// The type of a JSON value with its article, in CEL's terms.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(n) if n.is_f64() => "a double",
        Value::Number(_) => "an int",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
