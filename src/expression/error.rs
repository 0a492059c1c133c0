//! Why an expression has no result. The messages contain no values, because values are personal data.
//!
//! Owns the wording of evaluation errors. The messages of `cel` are never passed on, because some quote values; only the names
//! of types, operators and functions are used.

use cel::{ExecutionError, OverloadError};

use crate::expression::catalogue;
use crate::expression::catalogue::is_ours;

/// What kind of failure stopped an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A value has a type that can't be used there.
    WrongType,
    /// A function or operator does not take these types.
    NoOverload,
    /// A limit was reached.
    Limit,
    /// Anything else: a conversion that fails, a division by zero, an index out of bounds.
    Failed,
}

/// Why an expression has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// The reason, without any value.
    pub message: String,
}

impl EvalError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

pub(crate) const UNEVALUABLE: &str = "the expression can't be evaluated with these values";
pub(crate) const TOO_COSTLY: &str = "the expression costs too much with these values";
pub(crate) const LONG_PATTERN: &str = "the regular expression is too long or too large";
pub(crate) const LONG_MATCH: &str = "the text is too long for matches()";
const LIMITS: &[&str] = &[TOO_COSTLY, LONG_PATTERN, LONG_MATCH];

/// The error of exceeding a limit, as our functions raise it inside `cel`.
pub(crate) fn limit(message: &'static str) -> ExecutionError {
    ExecutionError::InternalError(message.to_owned())
}

pub(crate) fn too_costly() -> EvalError {
    EvalError::new(ErrorKind::Limit, TOO_COSTLY)
}

/// Converts an error of `cel` to our wording.
pub(crate) fn describe(error: &ExecutionError) -> EvalError {
    use ErrorKind::{Failed, Limit, NoOverload, WrongType};
    use ExecutionError as E;
    let (kind, message) = match error {
        E::NoSuchOverload(overload) => (NoOverload, describe_overload(overload)),
        E::UndeclaredReference(name) => (NoOverload, format!("unknown name {name}")),
        E::FunctionError { function, message } if is_ours(function) => {
            (Failed, format!("{}: {message}", operation(function)))
        }
        E::FunctionError { function, .. } => (Failed, format!("{} fails on this value", operation(function))),
        E::UnexpectedType { got, want } => (WrongType, format!("{} is given where {} is needed", a(got), a(want))),
        E::UnsupportedTargetType { target } => (WrongType, format!("{} can't be used there", a_value(target))),
        E::NotSupportedAsMethod { method, target } => {
            (WrongType, format!("{} can't be applied to {}", operation(method), a_value(target)))
        }
        E::ValuesNotComparable(left, right) => {
            (WrongType, format!("{} can't be compared with {}", a_value(left), a_value(right)))
        }
        E::UnsupportedBinaryOperator(operator, left, right) => {
            (WrongType, format!("{} can't be applied to {} and {}", operation(operator), a_value(left), a_value(right)))
        }
        E::UnsupportedIndex(index, target) => {
            (WrongType, format!("{} has no index that is {}", a_value(target), a_value(index)))
        }
        E::UnsupportedKeyType(key) => (WrongType, format!("{} can't be a key", a_value(key))),
        E::IndexOutOfBounds(_) => (Failed, "the index is out of bounds".to_owned()),
        E::DivisionByZero(_) | E::RemainderByZero(_) => (Failed, "division by zero".to_owned()),
        E::Overflow(operator, ..) => (Failed, format!("overflow in {}", operation(operator))),
        E::DuplicateKey(_) => (Failed, "an object has the same key twice".to_owned()),
        E::InternalError(message) if LIMITS.contains(&message.as_str()) => (Limit, message.clone()),
        _ => (Failed, UNEVALUABLE.to_owned()),
    };
    EvalError { kind, message }
}

fn describe_overload(overload: &OverloadError) -> String {
    let types: Vec<&str> = overload.argument_types().iter().map(|name| a(name)).collect();
    let operation = operation(overload.function());
    match types.as_slice() {
        [one, ..] if matches!(overload.function(), "_._" | "_?._") => format!("{one} has no members"),
        [] => format!("{operation} can't be used like that"),
        [one] => format!("{operation} can't be applied to {one}"),
        [one, other] if !operation.ends_with(')') => format!("{operation} can't be applied to {one} and {other}"),
        [one, others @ ..] => format!("{operation} can't be applied to {one} with {}", others.join(", ")),
    }
}

/// A function or operator as it is written.
fn operation(name: &str) -> String {
    let operator = match name {
        "_+_" | "add" | catalogue::CONCAT => "+",
        "_-_" | "sub" => "-",
        "_*_" | "mul" => "*",
        "_/_" | "div" => "/",
        "_%_" | "rem" => "%",
        "-_" | "negate" => "- in front",
        "!_" => "!",
        "_&&_" => "&&",
        "_||_" => "||",
        "_==_" => "==",
        "_!=_" => "!=",
        "_<_" => "<",
        "_<=_" => "<=",
        "_>_" => ">",
        "_>=_" => ">=",
        "@in" | catalogue::MEMBER => "in",
        "_[_]" | "_[?_]" | catalogue::KEY => "[ ]",
        "_?_:_" => "? :",
        function => return format!("{}()", function.trim_start_matches('@')),
    };
    operator.to_owned()
}

fn a_value(value: &cel::Value) -> &'static str {
    a(&value.type_of().to_string())
}

/// The name of a type with its article. Unknown names are not repeated, because they may be values.
pub(crate) fn a(name: &str) -> &'static str {
    match name {
        "bool" => "a bool",
        "bytes" => "bytes",
        "double" | "float" => "a double",
        "int" => "an int",
        "uint" => "a uint",
        "string" => "a string",
        "list" => "a list",
        "map" => "an object",
        "null" | "null_type" => "null",
        "type" => "a type",
        "iterable" => "a list or an object",
        "map key" => "a key",
        "optional_type" | "opaque" => "an optional",
        "google.protobuf.Timestamp" | "timestamp" => "a timestamp",
        "google.protobuf.Duration" | "duration" => "a duration",
        _ => "a value of another type",
    }
}
