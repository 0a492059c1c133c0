//! The scalar types of the language: durations, sizes, secrets, expressions.
//!
//! Each parses from one TOML value and describes itself to the JSON Schema, so that an editor, `check` and the broker agree on
//! what is valid. None of them does I/O: a [`Secret`] only says where its value is.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A span of time written as `"30s"`, `"10m"`, `"12h"`, `"90d"` or a sequence of them (`"1h30m"`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Duration {
    /// A duration of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// A duration of whole minutes.
    #[must_use]
    pub const fn minutes(minutes: u64) -> Self {
        Self(minutes * 60)
    }

    /// A duration of whole hours.
    #[must_use]
    pub const fn hours(hours: u64) -> Self {
        Self(hours * 3600)
    }

    /// A duration of whole days.
    #[must_use]
    pub const fn days(days: u64) -> Self {
        Self(days * 86_400)
    }

    /// The length in seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// The length in seconds as a signed number, for arithmetic on Unix times.
    #[must_use]
    pub fn seconds(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// Parses `"1h30m"`; the error says what is expected.
    ///
    /// # Errors
    /// If the text is not a sequence of whole numbers each followed by `s`, `m`, `h` or `d`, or exceeds 100 years.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a duration such as \"30s\", \"10m\", \"12h\" or \"90d\"";
        const SHORTER: &str = "at most \"36500d\", a hundred years";
        let mut total: u64 = 0;
        let mut number: Option<u64> = None;
        for c in text.chars() {
            if let Some(digit) = c.to_digit(10) {
                let so_far = number.unwrap_or(0);
                number = Some(so_far.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit))).ok_or(SHORTER)?);
                continue;
            }
            let unit = match c {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                'd' => 86_400,
                _ => return Err(EXPECTED),
            };
            let part = number.take().ok_or(EXPECTED)?.checked_mul(unit).ok_or(SHORTER)?;
            total = total.checked_add(part).ok_or(SHORTER)?;
        }
        if number.is_some() || text.is_empty() {
            return Err(EXPECTED);
        }
        if total > 100 * 365 * 86_400 {
            return Err(SHORTER);
        }
        Ok(Self(total))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0s"),
            n if n % 86_400 == 0 => write!(f, "{}d", n / 86_400),
            n if n % 3600 == 0 => write!(f, "{}h", n / 3600),
            n if n % 60 == 0 => write!(f, "{}m", n / 60),
            n => write!(f, "{n}s"),
        }
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+[smhd])+$",
            "description": "A duration such as \"30s\", \"10m\", \"12h\" or \"90d\".",
            "x-expected": "a duration such as \"30s\", \"10m\", \"12h\" or \"90d\""
        })
    }
}

/// A number of bytes written as `"64KiB"`, `"1MiB"` or `"512B"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// A size of whole kibibytes.
    #[must_use]
    pub const fn kib(kib: u64) -> Self {
        Self(kib * 1024)
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Parses `"64KiB"`; the error says what is expected.
    ///
    /// # Errors
    /// If the text is not a whole number followed by `B`, `KiB`, `MiB` or `GiB`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a size such as \"64KiB\" or \"1MiB\"";
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(EXPECTED)?;
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit {
            "B" => 1,
            "KiB" => 1024,
            "MiB" => 1024 * 1024,
            "GiB" => 1024 * 1024 * 1024,
            _ => return Err(EXPECTED),
        };
        if number.is_empty() {
            return Err(EXPECTED);
        }
        let number: Option<u64> = number.parse().ok();
        number.and_then(|number| number.checked_mul(factor)).map(Self).ok_or("a size below 16777216 TiB")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n > 0 && n % (1024 * 1024) == 0 => write!(f, "{}MiB", n / (1024 * 1024)),
            n if n > 0 && n % 1024 == 0 => write!(f, "{}KiB", n / 1024),
            n => write!(f, "{n}B"),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(B|KiB|MiB|GiB)$",
            "description": "A size such as \"64KiB\" or \"1MiB\".",
            "x-expected": "a size such as \"64KiB\" or \"1MiB\""
        })
    }
}

/// One CEL expression, as written. It is compiled, with the variables of its place, by the `expression` module.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Expression(pub String);

impl Expression {
    /// The expression's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl JsonSchema for Expression {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "A CEL expression, such as \"claims.email.before('@')\".",
            "x-expression": true,
            "x-expected": "an expression (a string)"
        })
    }
}

/// One value, or a list of them: `"a"` or `["a", "b"]`. Never empty once checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// A single value.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [item, { "type": "array", "items": item, "minItems": 1 }] })
    }
}

/// Where a secret's value is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expected" = "{ file = \"...\" }, { env = \"...\" } or a string"))]
pub enum SecretSource {
    /// The value itself, in the file. Accepted with a warning.
    Literal(#[schemars(with = "String")] SecretValue),
    /// A file that contains the value; trailing line ends are not part of it. Re-read when it changes.
    #[serde(rename = "file")]
    File(SecretFile),
    /// An environment variable that contains the value.
    #[serde(rename = "env")]
    Env(SecretEnv),
}

/// `{ file = "..." }`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretFile {
    /// The file's path, relative to the configuration file that names it.
    #[schemars(extend("x-path" = true))]
    pub file: PathBuf,
}

/// `{ env = "..." }`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretEnv {
    /// The variable's name.
    pub env: String,
}

/// A secret: one source, or two while it is rotated (both are accepted, the first one is sent).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub OneOrMany<SecretSource>);

impl Secret {
    /// The sources; the first one is sent.
    #[must_use]
    pub fn sources(&self) -> &[SecretSource] {
        self.0.as_slice()
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let source = generator.subschema_for::<SecretSource>();
        json_schema!({
            "description": "A secret: \"literal\" (warns), { file = \"...\" } or { env = \"...\" }; a list of two while it is rotated.",
            "anyOf": [source, { "type": "array", "items": source, "minItems": 1, "maxItems": 2 }],
            "x-secret": true,
            "x-expected": "a secret: { file = \"...\" }, { env = \"...\" }, a string, or a list of two of them"
        })
    }
}

/// A secret's value, printed as `***` everywhere; only [`SecretValue::expose`] gives access to it.
///
/// The memory is overwritten when the value is dropped. That is not so for the texts that a configuration was read from, which
/// are kept for snippets: a secret that is written in the file itself stays in memory there.
#[derive(Clone)]
pub struct SecretValue(SecretString);

impl SecretValue {
    /// Wraps a value that was read.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value.into())
    }

    /// The value itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Constant-time for values of equal length.
impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.expose().as_bytes(), other.expose().as_bytes()).is_ok()
    }
}

impl Eq for SecretValue {}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for SecretValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
