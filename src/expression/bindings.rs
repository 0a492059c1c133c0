//! The variables of an evaluation: borrowed as they are, and converted for `cel` only as far as an expression needs them.

use std::cell::{Cell, OnceCell};
use std::collections::HashSet;

use cel::Context;
use cel::common::types::{CelMap, CelMapKey};
use cel::common::value::Val;
use serde_json::{Map, Value};

use crate::expression::engine::Engine;
use crate::expression::reads::{Part, Reads};
use crate::expression::value::Reader;

/// A list of strings, with a set that is built once it has been searched a few times.
#[derive(Clone, Debug)]
pub(crate) struct Strings<'v> {
    pub(crate) items: &'v [String],
    asked: Cell<usize>,
    set: OnceCell<HashSet<&'v str, foldhash::quality::RandomState>>,
}

impl Strings<'_> {
    /// How many membership tests search the list. Beyond that, building a set costs less.
    const FEW: usize = 4;

    pub(crate) fn contains(&self, text: &str) -> bool {
        if self.asked.get() < Self::FEW {
            self.asked.set(self.asked.get() + 1);
            return self.items.iter().any(|item| item == text);
        }
        self.set.get_or_init(|| self.items.iter().map(String::as_str).collect()).contains(text)
    }
}

/// The value of a variable.
#[derive(Clone, Debug)]
pub struct Variable<'v>(pub(crate) Shape<'v>);

#[derive(Clone, Debug)]
pub(crate) enum Shape<'v> {
    Text(&'v str),
    Strings(Strings<'v>),
    Json(&'v Value),
    /// An object, and members that replace those of the same name.
    Object(&'v Map<String, Value>, Vec<(&'static str, Shape<'v>)>),
}

impl<'v> Variable<'v> {
    /// A string.
    #[must_use]
    pub fn text(text: &'v str) -> Self {
        Self(Shape::Text(text))
    }

    /// A list of strings.
    #[must_use]
    pub fn strings(items: &'v [String]) -> Self {
        Self(Shape::Strings(Strings { items, asked: Cell::new(0), set: OnceCell::new() }))
    }

    /// An object. Members that are null are absent.
    #[must_use]
    pub fn object(members: &'v Map<String, Value>) -> Self {
        Self(Shape::Object(members, Vec::new()))
    }

    /// Any value. Members of objects that are null are absent.
    #[must_use]
    pub fn json(value: &'v Value) -> Self {
        Self(Shape::Json(value))
    }

    /// The object with a member added or replaced.
    #[must_use]
    pub fn with(mut self, name: &'static str, member: Self) -> Self {
        if let Shape::Object(_, also) = &mut self.0 {
            also.push((name, member.0));
        }
        self
    }
}

/// The variables of one evaluation, read by many expressions.
pub struct Bindings<'v> {
    engine: &'v Engine,
    variables: Vec<(&'static str, Variable<'v>)>,
    /// What the expressions to be evaluated read, if known.
    reads: Option<&'v Reads>,
    converted: OnceCell<Scope<'v>>,
}

/// Variables as `cel` values, with their total cost in units.
pub(crate) struct Scope<'v> {
    pub(crate) context: Context<'v, 'v>,
    pub(crate) units: u64,
}

impl<'v> Bindings<'v> {
    /// No variables yet.
    #[must_use]
    pub fn new(engine: &'v Engine) -> Self {
        Self { engine, variables: Vec::new(), reads: None, converted: OnceCell::new() }
    }

    /// No variables yet. Only the parts in `reads` will be converted.
    #[must_use]
    pub fn read_by(engine: &'v Engine, reads: &'v Reads) -> Self {
        Self { reads: Some(reads), ..Self::new(engine) }
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: &'static str, variable: Variable<'v>) -> Self {
        self.variables.push((name, variable));
        self.converted = OnceCell::new();
        self
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&Shape<'v>> {
        self.variables.iter().rev().find(|(known, _)| *known == name).map(|(_, variable)| &variable.0)
    }

    /// The variables that the expressions read, converted once.
    pub(crate) fn shared(&self) -> &Scope<'v> {
        self.converted.get_or_init(|| self.convert(self.reads))
    }

    /// The variables that `reads` names, or all of them if it is `None`.
    pub(crate) fn convert(&self, reads: Option<&Reads>) -> Scope<'v> {
        let engine: &'v Context<'v, 'v> = &self.engine.context;
        let mut scope = Scope { context: engine.new_inner_scope(), units: 0 };
        for (name, variable) in &self.variables {
            let part = match reads {
                None => &Part::Whole,
                Some(Reads(reads)) => match reads.get(name) {
                    None => continue,
                    Some(part) => part,
                },
            };
            let mut reader = Reader::default();
            scope.context.add_variable_as_val(*name, convert(&variable.0, part, &mut reader));
            scope.units = scope.units.saturating_add(reader.units);
        }
        scope
    }
}

fn convert<'v>(shape: &Shape<'v>, part: &Part, reader: &mut Reader) -> Box<dyn Val + 'v> {
    let read = |name: &str| match part {
        Part::Whole => true,
        Part::Members(names) => names.contains(name),
    };
    match shape {
        Shape::Text(text) => reader.text(text),
        Shape::Strings(strings) => reader.strings(strings.items.iter().map(String::as_str)),
        Shape::Json(Value::Object(members)) => reader.object(members.iter().filter(|(name, _)| read(name))),
        Shape::Json(value) => reader.value(value),
        Shape::Object(members, also) => {
            let own = members.iter().filter(|(name, _)| read(name) && !also.iter().any(|(set, _)| set == name));
            let mut object = reader.members(own);
            for (name, member) in also.iter().filter(|(name, _)| read(name)) {
                object.insert(CelMapKey::String((*name).into()), convert(member, &Part::Whole, reader));
            }
            Box::new(CelMap::from(object))
        }
    }
}
