//! The JSON Schema in a form that is quick to walk: references are resolved and patterns compiled once for the process.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::Regex;
use serde_json::{Map, Value};

use crate::config::diagnostics::problem::list;

/// The types of TOML, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Types(u8);

impl Types {
    pub(crate) const STRING: Self = Self(1);
    pub(crate) const INTEGER: Self = Self(2);
    pub(crate) const NUMBER: Self = Self(4);
    pub(crate) const BOOLEAN: Self = Self(8);
    pub(crate) const ARRAY: Self = Self(16);
    pub(crate) const TABLE: Self = Self(32);

    const NAMES: [(Self, &'static str, &'static str); 6] = [
        (Self::STRING, "string", "a string"),
        (Self::INTEGER, "integer", "an integer"),
        (Self::NUMBER, "number", "a number"),
        (Self::BOOLEAN, "boolean", "a boolean"),
        (Self::ARRAY, "array", "an array"),
        (Self::TABLE, "object", "a table"),
    ];

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn named(name: &str) -> Self {
        Self::NAMES.iter().find(|(_, json, _)| *json == name).map_or(Self(0), |(types, _, _)| *types)
    }

    fn words(self) -> Vec<&'static str> {
        Self::NAMES.iter().filter(|(types, _, _)| self.has(*types)).map(|(_, _, words)| *words).collect()
    }
}

/// How the relative value of a path setting is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathKind {
    /// The value is the path of a file.
    File,
    /// The path follows `sqlite:`.
    Sqlite,
}

/// Which further keys a table may have.
#[derive(Clone, Debug)]
pub(crate) enum Additional {
    Any,
    None,
    Shaped(Box<Shape>),
}

/// The form that the keys of a table must have.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) pattern: Regex,
    pub(crate) reserved: Vec<String>,
    pub(crate) expected: String,
}

/// One schema, ready to be walked.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Accepted types; if none are given, any type.
    pub(crate) types: Types,
    pub(crate) alternatives: Vec<Shape>,
    pub(crate) values: Vec<String>,
    pub(crate) pattern: Option<Regex>,
    pub(crate) min_length: usize,
    pub(crate) min_items: usize,
    pub(crate) max_items: usize,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) properties: BTreeMap<String, Shape>,
    pub(crate) required: Vec<String>,
    /// Keys that match the pattern; their values are plain strings.
    pub(crate) localized: Option<Regex>,
    pub(crate) additional: Additional,
    pub(crate) names: Option<Names>,
    pub(crate) items: Option<Box<Shape>>,
    pub(crate) expected: Option<String>,
    pub(crate) path: Option<PathKind>,
    pub(crate) secret: bool,
    /// A URL that may contain a password.
    pub(crate) connection: bool,
    pub(crate) expression: bool,
    pub(crate) claims: bool,
    pub(crate) optional: bool,
    pub(crate) default: Option<Value>,
}

impl Shape {
    /// The shape of a whole file.
    pub(crate) fn root() -> &'static Self {
        static ROOT: OnceLock<Shape> = OnceLock::new();
        ROOT.get_or_init(|| {
            let schema = crate::config::schema::with_nulls();
            let empty = Map::new();
            let definitions = schema.get("$defs").and_then(Value::as_object).unwrap_or(&empty);
            Self::compile(&schema, definitions)
        })
    }

    /// What is expected, in words.
    pub(crate) fn describe(&self) -> String {
        if let Some(expected) = &self.expected {
            return expected.clone();
        }
        if !self.values.is_empty() {
            return format!("one of {}", list(self.values.iter().map(String::as_str)));
        }
        let mut words: Vec<String> = self.types.words().into_iter().map(str::to_owned).collect();
        words.extend(self.alternatives.iter().map(Self::describe));
        if let (Some(items), true) = (&self.items, self.types == Types::ARRAY) {
            let plain = items.types.words();
            words = match plain.as_slice() {
                [one] => vec![format!("an array of {}s", one.split(' ').next_back().unwrap_or("value"))],
                _ => words,
            };
        }
        words.dedup();
        words.join(" or ")
    }

    /// Whether a value of these types can fit.
    pub(crate) fn accepts(&self, types: Types) -> bool {
        if !self.alternatives.is_empty() {
            return self.alternatives.iter().any(|alternative| alternative.accepts(types));
        }
        self.types == Types::default()
            || self.types.has(types)
            || (types == Types::INTEGER && self.types.has(Types::NUMBER))
    }

    /// Whether it, or one of its alternatives, has a property of this name.
    pub(crate) fn has_property(&self, key: &str) -> bool {
        self.property(key).is_some()
    }

    /// Whether it is a secret, or a list or table whose entries are secrets.
    pub(crate) fn holds_secrets(&self) -> bool {
        let entries = match &self.additional {
            Additional::Shaped(entry) => entry.secret,
            Additional::Any | Additional::None => false,
        };
        let items = self.items.as_ref().is_some_and(|items| items.secret);
        self.secret || entries || items || self.alternatives.iter().any(Self::holds_secrets)
    }

    /// The property of this name, its own or that of one of its alternatives.
    pub(crate) fn property(&self, key: &str) -> Option<&Self> {
        let below = || self.alternatives.iter().find_map(|alternative| alternative.property(key));
        self.properties.get(key).or_else(below)
    }

    /// Whether it is a keyed section, such as `[clients.X]`, whose keys are ids.
    pub(crate) fn is_keyed(&self) -> bool {
        matches!(self.additional, Additional::Shaped(_))
    }

    /// A plain text that is not empty.
    pub(crate) fn text() -> Self {
        Self { types: Types::STRING, min_length: 1, ..Self::empty() }
    }

    fn compile(schema: &Value, definitions: &Map<String, Value>) -> Self {
        let mut shape = Self::empty();
        let Some(object) = schema.as_object() else { return shape };
        if let Some(name) = object.get("$ref").and_then(Value::as_str) {
            let name = name.rsplit('/').next().unwrap_or(name);
            if let Some(definition) = definitions.get(name) {
                shape = Self::compile(definition, definitions);
            }
        }
        shape.read_alternatives(object, definitions);
        shape.read_scalars(object);
        shape.read_collections(object, definitions);
        shape.read_extensions(object);
        shape
    }

    fn empty() -> Self {
        Self {
            types: Types::default(),
            alternatives: Vec::new(),
            values: Vec::new(),
            pattern: None,
            min_length: 0,
            min_items: 0,
            max_items: usize::MAX,
            minimum: None,
            maximum: None,
            properties: BTreeMap::new(),
            required: Vec::new(),
            localized: None,
            additional: Additional::Any,
            names: None,
            items: None,
            expected: None,
            path: None,
            secret: false,
            connection: false,
            expression: false,
            claims: false,
            optional: false,
            default: None,
        }
    }

    fn read_alternatives(&mut self, object: &Map<String, Value>, definitions: &Map<String, Value>) {
        let alternatives = ["anyOf", "oneOf"].iter().filter_map(|key| object.get(*key)).filter_map(Value::as_array);
        let mut found: Vec<Self> = Vec::new();
        for alternative in alternatives.flatten() {
            if alternative.get("type").is_some_and(|name| name == "null") {
                self.optional = true;
            } else {
                found.push(Self::compile(alternative, definitions));
            }
        }
        // An enumeration with a description for each value is a list of constants.
        if !found.is_empty() && found.iter().all(|one| !one.values.is_empty() && one.alternatives.is_empty()) {
            self.values = found.into_iter().flat_map(|one| one.values).collect();
            self.types = Types::STRING;
        } else if found.len() == 1 {
            if let Some(only) = found.pop() {
                let optional = self.optional;
                *self = only;
                self.optional |= optional;
            }
        } else if !found.is_empty() {
            self.alternatives = found;
        }
    }

    fn read_scalars(&mut self, object: &Map<String, Value>) {
        let names: Vec<&str> = match object.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        self.optional |= names.contains(&"null");
        self.types = names.iter().fold(self.types, |types, name| types.or(Types::named(name)));
        if let Some(Value::Array(values)) = object.get("enum") {
            self.values = values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        if let Some(value) = object.get("const").and_then(Value::as_str) {
            self.values = vec![value.to_owned()];
        }
        if let Some(pattern) = object.get("pattern").and_then(Value::as_str) {
            self.pattern = Regex::new(pattern).ok();
        }
        let size = |key: &str| object.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        self.min_length = size("minLength").unwrap_or(self.min_length);
        self.min_items = size("minItems").unwrap_or(self.min_items);
        self.max_items = size("maxItems").unwrap_or(self.max_items);
        self.minimum = object.get("minimum").and_then(Value::as_f64).or(self.minimum);
        self.maximum = object.get("maximum").and_then(Value::as_f64).or(self.maximum);
    }

    fn read_collections(&mut self, object: &Map<String, Value>, definitions: &Map<String, Value>) {
        if let Some(properties) = object.get("properties").and_then(Value::as_object) {
            self.properties =
                properties.iter().map(|(key, value)| (key.clone(), Self::compile(value, definitions))).collect();
        }
        if let Some(required) = object.get("required").and_then(Value::as_array) {
            self.required = required.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        if let Some(patterns) = object.get("patternProperties").and_then(Value::as_object) {
            self.localized = patterns.keys().next().and_then(|pattern| Regex::new(pattern).ok());
        }
        match object.get("additionalProperties") {
            Some(Value::Bool(false)) => self.additional = Additional::None,
            Some(value @ Value::Object(_)) => {
                self.additional = Additional::Shaped(Box::new(Self::compile(value, definitions)));
            }
            _ => {}
        }
        if let Some(names) = object.get("propertyNames").and_then(Value::as_object) {
            self.names = compile_names(names);
        }
        if let Some(items) = object.get("items") {
            self.items = Some(Box::new(Self::compile(items, definitions)));
        }
    }

    fn read_extensions(&mut self, object: &Map<String, Value>) {
        let set = |key: &str| object.get(key).is_some_and(|value| value == &Value::Bool(true));
        self.secret |= set("x-secret");
        self.connection |= set("x-connection-url");
        self.expression |= set("x-expression");
        self.claims |= set("x-claims");
        if let Some(expected) = object.get("x-expected").and_then(Value::as_str) {
            self.expected = Some(expected.to_owned());
        }
        self.path = match object.get("x-path") {
            Some(Value::Bool(true)) => Some(PathKind::File),
            Some(Value::String(kind)) if kind == "sqlite" => Some(PathKind::Sqlite),
            _ => self.path,
        };
        self.default = object.get("default").filter(|value| !value.is_null()).cloned().or(self.default.take());
    }
}

fn compile_names(names: &Map<String, Value>) -> Option<Names> {
    let pattern = Regex::new(names.get("pattern")?.as_str()?).ok()?;
    let reserved = names.get("not").and_then(|not| not.get("enum")).and_then(Value::as_array);
    let reserved = reserved.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let expected = names.get("x-expected").and_then(Value::as_str).unwrap_or("another name").to_owned();
    Some(Names { pattern, reserved, expected })
}
