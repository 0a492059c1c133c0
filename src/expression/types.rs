//! Types of values, as far as they are known before an expression is evaluated, and the signatures of functions and operators.

use std::fmt;

use crate::protocol::ClaimType;

/// What is known about the case of a string's letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// Nothing is known.
    Any,
    /// All letters are in lower case.
    Lower,
    /// All ASCII letters are in lower case.
    LowerAscii,
    /// All letters are in upper case.
    Upper,
    /// All ASCII letters are in upper case.
    UpperAscii,
}

impl Case {
    /// A text in the case of such a string, if that differs from how the text is written.
    pub(crate) fn corrected(self, text: &str) -> Option<String> {
        let folded = match self {
            Self::Any => return None,
            Self::Lower => text.to_lowercase(),
            Self::LowerAscii => text.to_ascii_lowercase(),
            Self::Upper => text.to_uppercase(),
            Self::UpperAscii => text.to_ascii_uppercase(),
        };
        (folded != text).then_some(folded)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Any | Self::Lower | Self::LowerAscii => "lower case",
            Self::Upper | Self::UpperAscii => "upper case",
        }
    }
}

/// The origin of a string whose possible values the file determines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// No particular origin.
    Elsewhere,
    AssertedRole,
    Role,
    Permission,
    Scope,
    Provider,
    Client,
}

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// An unknown type.
    Any,
    Bool,
    Int,
    Uint,
    Double,
    Text(Case, Origin),
    Bytes,
    Null,
    List(Box<Type>),
    Map,
    Timestamp,
    Duration,
    Optional,
    /// The type of a type.
    Meta,
}

pub(crate) const TEXT: Type = Type::Text(Case::Any, Origin::Elsewhere);

impl Type {
    pub(crate) fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    pub(crate) const fn is_text(&self) -> bool {
        matches!(self, Self::Text(..))
    }

    const fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// Whether a value of this type can also be a value of the other.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) | (Self::Text(..), Self::Text(..)) => true,
            (Self::List(a), Self::List(b)) => a.may_be(b),
            // What an optional contains is not tracked, so that it is compatible with every type.
            (Self::Optional, _) | (_, Self::Optional) => true,
            (a, b) => a == b || (a.is_number() && b.is_number()),
        }
    }

    /// Whether a value of this type can be the value of a claim. Timestamps, durations and bytes become strings; null is an
    /// absent claim.
    pub(crate) fn may_be_claim(&self, claim: ClaimType) -> bool {
        let text = matches!(self, Self::Text(..) | Self::Timestamp | Self::Duration | Self::Bytes);
        match (self, claim) {
            (Self::Any | Self::Optional | Self::Null, _) => true,
            (Self::Meta, _) => false,
            (_, ClaimType::Any) => true,
            (_, ClaimType::Text) => text,
            (_, ClaimType::Boolean) => matches!(self, Self::Bool),
            (_, ClaimType::Number) => self.is_number(),
            (_, ClaimType::Object) => matches!(self, Self::Map),
            (Self::List(of), ClaimType::List) => **of == Self::Any || of.may_be_claim(ClaimType::Text),
            (_, ClaimType::List) => text,
        }
    }

    /// The type of a value that has one type or the other.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Text(..), Self::Text(..)) => TEXT,
            (Self::List(a), Self::List(b)) => Self::list(a.or(*b)),
            _ => Self::Any,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "something",
            Self::Bool => "a bool",
            Self::Int => "an int",
            Self::Uint => "a uint",
            Self::Double => "a double",
            Self::Text(..) => "a string",
            Self::Bytes => "bytes",
            Self::Null => "null",
            Self::List(of) if of.is_text() => "a list of strings",
            Self::List(_) => "a list",
            Self::Map => "an object",
            Self::Timestamp => "a timestamp",
            Self::Duration => "a duration",
            Self::Optional => "an optional",
            Self::Meta => "a type",
        })
    }
}

/// The values that a function accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Anything,
    Text,
    Lists,
    TextOrList,
    /// A value that has a size.
    Sized,
    Optional,
    Time,
    /// A value that is neither a list nor an object.
    Scalar,
}

impl Takes {
    pub(crate) fn accepts(self, given: &Type) -> bool {
        let any = matches!(given, Type::Any);
        any || match self {
            Self::Anything => true,
            Self::Text => given.is_text(),
            Self::Lists => matches!(given, Type::List(_)),
            Self::TextOrList => matches!(given, Type::Text(..) | Type::List(_) | Type::Null),
            Self::Sized => matches!(given, Type::Text(..) | Type::List(_) | Type::Map | Type::Bytes),
            Self::Optional => matches!(given, Type::Optional),
            Self::Time => matches!(given, Type::Timestamp | Type::Duration),
            Self::Scalar => !matches!(given, Type::List(_) | Type::Map),
        }
    }

    pub(crate) const fn described(self) -> &'static str {
        match self {
            Self::Anything => "anything",
            Self::Text => "a string",
            Self::Lists => "a list",
            Self::TextOrList => "a string or a list",
            Self::Sized => "a string, a list or an object",
            Self::Optional => "an optional",
            Self::Time => "a timestamp or a duration",
            Self::Scalar => "a single value",
        }
    }
}

/// The signature of a function: the type that it is called on, the type of its arguments, and the type of its result.
pub(crate) fn signature(function: &str, on: &Type) -> Option<(Takes, Takes, Type)> {
    let text = |case| Type::Text(case, Origin::Elsewhere);
    let found = match function {
        "contains" | "startsWith" | "endsWith" | "matches" => (Takes::Text, Takes::Text, Type::Bool),
        "indexOf" | "lastIndexOf" => (Takes::Text, Takes::Scalar, Type::Int),
        "charAt" | "reverse" | "substring" | "trim" | "replace" | "before" | "after" => {
            (Takes::Text, Takes::Scalar, TEXT)
        }
        "format" => (Takes::Text, Takes::Lists, TEXT),
        "split" => (Takes::Text, Takes::Scalar, Type::list(TEXT)),
        "lower" | "domain" | "sha256" => (Takes::Text, Takes::Anything, text(Case::Lower)),
        "lowerAscii" => (Takes::Text, Takes::Anything, text(Case::LowerAscii)),
        "upper" => (Takes::Text, Takes::Anything, text(Case::Upper)),
        "upperAscii" => (Takes::Text, Takes::Anything, text(Case::UpperAscii)),
        "join" => (Takes::Lists, Takes::Text, TEXT),
        "size" => (Takes::Sized, Takes::Anything, Type::Int),
        "intersects" => (Takes::Lists, Takes::Lists, Type::Bool),
        "distinct" | "sorted" => (Takes::Lists, Takes::Anything, on.clone()),
        "flatten" => (Takes::Lists, Takes::Anything, Type::list(Type::Any)),
        "prefix" | "lookup" => {
            let given = match on {
                Type::Text(..) => TEXT,
                Type::List(_) => Type::list(TEXT),
                _ => Type::Any,
            };
            (Takes::TextOrList, Takes::Text, given)
        }
        "asList" => {
            let given = match on {
                Type::List(_) => on.clone(),
                Type::Text(..) => Type::list(on.clone()),
                _ => Type::list(Type::Any),
            };
            (Takes::TextOrList, Takes::Anything, given)
        }
        "hasValue" => (Takes::Optional, Takes::Anything, Type::Bool),
        "value" | "orValue" => (Takes::Optional, Takes::Anything, Type::Any),
        "or" => (Takes::Optional, Takes::Anything, Type::Optional),
        "int" => (Takes::Scalar, Takes::Anything, Type::Int),
        "uint" => (Takes::Scalar, Takes::Anything, Type::Uint),
        "double" => (Takes::Scalar, Takes::Anything, Type::Double),
        "string" => (Takes::Scalar, Takes::Anything, TEXT),
        "bool" => (Takes::Scalar, Takes::Anything, Type::Bool),
        "bytes" => (Takes::Scalar, Takes::Anything, Type::Bytes),
        "timestamp" => (Takes::Scalar, Takes::Anything, Type::Timestamp),
        "duration" => (Takes::Scalar, Takes::Anything, Type::Duration),
        "type" => (Takes::Anything, Takes::Anything, Type::Meta),
        "dyn" => (Takes::Anything, Takes::Anything, Type::Any),
        name if name.starts_with("get") => (Takes::Time, Takes::Text, Type::Int),
        _ => return None,
    };
    Some(found)
}

/// The type of the result of a binary operator; `None` if it can't be applied to these types.
pub(crate) fn arithmetic(operator: &str, left: &Type, right: &Type) -> Option<Type> {
    use Type::{Any, Bytes, Duration, List, Optional, Timestamp};
    let given = match (left, right) {
        (Any | Optional, _) | (_, Any | Optional) => Any,
        (a, b) if a.is_number() && a == b => a.clone(),
        (Type::Text(..), Type::Text(..)) if operator == "_+_" => TEXT,
        (List(a), List(b)) if operator == "_+_" => List(Box::new((**a).clone().or((**b).clone()))),
        (Bytes, Bytes) if operator == "_+_" => Bytes,
        (Timestamp, Duration) | (Duration, Timestamp) if operator == "_+_" => Timestamp,
        (Timestamp, Duration) if operator == "_-_" => Timestamp,
        (Timestamp, Timestamp) if operator == "_-_" => Duration,
        (Duration, Duration) if matches!(operator, "_+_" | "_-_") => Duration,
        _ => return None,
    };
    Some(given)
}

/// The type of a claim, with its article.
pub(crate) const fn described(claim: ClaimType) -> &'static str {
    match claim {
        ClaimType::Text => "a string",
        ClaimType::Boolean => "a bool",
        ClaimType::Number => "a number",
        ClaimType::List => "a string or a list of strings",
        ClaimType::Object => "an object",
        ClaimType::Any => "a JSON value",
    }
}

/// Whether two types can be ordered.
pub(crate) fn ordered(left: &Type, right: &Type) -> bool {
    let has_order = |one: &Type| !matches!(one, Type::List(_) | Type::Map | Type::Null | Type::Meta);
    has_order(left) && has_order(right) && left.may_be(right)
}
