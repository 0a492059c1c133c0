//! Expressions of simple forms, answered directly from the variables: `claims.a.b`, `'x' in groups`,
//! `user.department == 'it'`, and combinations of these with `!`, `&&`, `||` and `? :`.
//!
//! Most expressions have these forms, and answering them takes a fraction of the time of converting the variables for
//! `cel`. Where `cel` might give another answer (a value of another type, an absent key inside an operator), there is no
//! direct answer, and the expression is evaluated in full.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use serde_json::Value;

use crate::expression::bindings::{Bindings, Shape, Strings};
use crate::expression::limits::Limit;
use crate::expression::place::Place;
use crate::expression::tree::text;
use crate::expression::value::Outcome;

/// An expression of one of these forms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Direct {
    /// `true`.
    Bool(bool),
    /// `'x'`.
    Text(String),
    /// `claims.a`, `claims['a']`, `groups`.
    Path(Path),
    /// `'x' in path`.
    Member(String, Path),
    /// `path == 'x'`, `path in ['x', 'y']`.
    OneOf(Path, Vec<String>),
    /// `!a`.
    Not(Box<Direct>),
    /// `a && b`.
    And(Box<Direct>, Box<Direct>),
    /// `a || b`.
    Or(Box<Direct>, Box<Direct>),
    /// `a ? b : c`.
    Choice(Box<[Direct; 3]>),
}

/// A variable, and the members selected from it one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    variable: &'static str,
    members: Vec<String>,
}

/// What is found at the end of a path.
enum Found<'b, 'v> {
    Absent,
    Text(&'b str),
    Strings(&'b Strings<'v>),
    Json(&'b Value),
}

impl Direct {
    /// Recognises a parsed expression of one of these forms; `None` for any other.
    pub(crate) fn of(place: Place, node: &IdedExpr) -> Option<Self> {
        let direct = |node| Self::of(place, node).map(Box::new);
        if let Some(path) = Path::of(place, node) {
            return Some(Self::Path(path));
        }
        match &node.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Some(Self::Bool(*value.inner())),
            Expr::Literal(LiteralValue::String(text)) => Some(Self::Text(text.inner().to_owned())),
            Expr::Call(CallExpr { func_name, target: None, args }) => match (func_name.as_str(), args.as_slice()) {
                (operators::LOGICAL_NOT, [a]) => Some(Self::Not(direct(a)?)),
                (operators::LOGICAL_AND, [a, b]) => Some(Self::And(direct(a)?, direct(b)?)),
                (operators::LOGICAL_OR, [a, b]) => Some(Self::Or(direct(a)?, direct(b)?)),
                (operators::CONDITIONAL, [a, b, c]) => {
                    Some(Self::Choice(Box::new([*direct(a)?, *direct(b)?, *direct(c)?])))
                }
                (operators::EQUALS, [a, b]) => Self::equality(place, a, b),
                (operators::NOT_EQUALS, [a, b]) => Some(Self::Not(Box::new(Self::equality(place, a, b)?))),
                (operators::IN, [item, list]) => match (text(item), &list.expr) {
                    (Some(text), _) => Some(Self::Member(text.to_owned(), Path::of(place, list)?)),
                    (None, Expr::List(list)) if list.optional_indices.is_empty() => {
                        let texts = list.elements.iter().map(|element| text(element).map(str::to_owned));
                        Some(Self::OneOf(Path::of(place, item)?, texts.collect::<Option<_>>()?))
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    fn equality(place: Place, a: &IdedExpr, b: &IdedExpr) -> Option<Self> {
        let (path, literal) = match (text(a), text(b)) {
            (None, Some(literal)) => (a, literal),
            (Some(literal), None) => (b, literal),
            _ => return None,
        };
        Some(Self::OneOf(Path::of(place, path)?, vec![literal.to_owned()]))
    }

    /// The expression's result, if it can be answered directly.
    pub(crate) fn outcome(&self, bindings: &Bindings<'_>) -> Option<Outcome> {
        match self {
            Self::Text(text) => Some(Outcome::Present(Value::String(text.clone()))),
            Self::Path(path) => path.find(bindings)?.outcome(),
            Self::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                if condition.holds(bindings)? { yes.outcome(bindings) } else { no.outcome(bindings) }
            }
            condition => condition.holds(bindings).map(|holds| Outcome::Present(Value::Bool(holds))),
        }
    }

    /// Whether it is true, if that can be determined directly.
    pub(crate) fn holds(&self, bindings: &Bindings<'_>) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(_) => None,
            Self::Path(path) => match path.find(bindings)? {
                Found::Json(value) => value.as_bool(),
                _ => None,
            },
            Self::Member(text, path) => match path.find(bindings)? {
                Found::Strings(strings) => Some(strings.contains(text)),
                Found::Json(Value::Array(items)) => {
                    let mut found = false;
                    for item in items {
                        found |= item.as_str()? == text;
                    }
                    Some(found)
                }
                _ => None,
            },
            Self::OneOf(path, texts) => {
                let found = match path.find(bindings)? {
                    Found::Text(found) => found,
                    Found::Json(value) => value.as_str()?,
                    Found::Absent | Found::Strings(_) => return None,
                };
                Some(texts.iter().any(|text| text == found))
            }
            Self::Not(a) => a.holds(bindings).map(|holds| !holds),
            Self::And(a, b) => match a.holds(bindings)? {
                false => Some(false),
                true => b.holds(bindings),
            },
            Self::Or(a, b) => match a.holds(bindings)? {
                true => Some(true),
                false => b.holds(bindings),
            },
            Self::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                if condition.holds(bindings)? { yes.holds(bindings) } else { no.holds(bindings) }
            }
        }
    }
}

impl Path {
    /// The longest path that is answered directly. Longer ones may exceed the permitted nesting and are evaluated in full.
    const LONGEST: usize = Limit::VALUE_DEPTH / 2;

    fn of(place: Place, node: &IdedExpr) -> Option<Self> {
        let mut members = Vec::new();
        let mut node = node;
        let variable = loop {
            node = match &node.expr {
                Expr::Ident(name) => break place.variable(name)?,
                Expr::Select(select) if !select.test => {
                    members.push(select.field.clone());
                    &select.operand
                }
                Expr::Call(CallExpr { func_name, target: None, args }) => match (func_name.as_str(), args.as_slice()) {
                    (operators::INDEX, [operand, key]) => {
                        members.push(text(key)?.to_owned());
                        operand
                    }
                    _ => return None,
                },
                _ => return None,
            };
        };
        members.reverse();
        (members.len() <= Self::LONGEST).then_some(Self { variable, members })
    }

    fn find<'b, 'v>(&self, bindings: &'b Bindings<'v>) -> Option<Found<'b, 'v>> {
        select(bindings.variable(self.variable)?, &self.members)
    }
}

fn select<'b, 'v>(shape: &'b Shape<'v>, members: &[String]) -> Option<Found<'b, 'v>> {
    match (shape, members) {
        (Shape::Text(text), []) => Some(Found::Text(text)),
        (Shape::Strings(strings), []) => Some(Found::Strings(strings)),
        (Shape::Json(value), _) => descend(value, members),
        (Shape::Object(object, also), [first, rest @ ..]) => match also.iter().find(|(name, _)| name == first) {
            Some((_, member)) => select(member, rest),
            None => object.get(first).map_or(Some(Found::Absent), |value| descend(value, rest)),
        },
        (Shape::Text(_) | Shape::Strings(_), [_, ..]) | (Shape::Object(..), []) => None,
    }
}

fn descend<'b, 'v>(value: &'b Value, members: &[String]) -> Option<Found<'b, 'v>> {
    let mut value = value;
    for member in members {
        match value {
            Value::Null => return Some(Found::Absent),
            Value::Object(object) => match object.get(member) {
                Some(inner) => value = inner,
                None => return Some(Found::Absent),
            },
            _ => return None,
        }
    }
    Some(if value.is_null() { Found::Absent } else { Found::Json(value) })
}

impl Found<'_, '_> {
    fn outcome(self) -> Option<Outcome> {
        let strings = |items: &mut dyn ExactSizeIterator<Item = Option<&str>>| {
            let (mut list, mut bytes) = (Vec::with_capacity(items.len()), 0);
            for item in items {
                let item = item?;
                bytes += item.len();
                list.push(Value::String(item.to_owned()));
            }
            (list.len() < Limit::RESULT_VALUES && bytes <= Limit::RESULT_BYTES)
                .then_some(Outcome::Present(Value::Array(list)))
        };
        match self {
            Self::Absent => Some(Outcome::Absent),
            Self::Text(text) => Some(Outcome::Present(Value::String(text.to_owned()))),
            Self::Strings(found) => strings(&mut found.items.iter().map(|item| Some(item.as_str()))),
            Self::Json(Value::Array(items)) => strings(&mut items.iter().map(Value::as_str)),
            Self::Json(Value::String(text)) if text.len() > Limit::RESULT_BYTES => None,
            Self::Json(value @ (Value::String(_) | Value::Bool(_) | Value::Number(_))) => {
                Some(Outcome::Present(value.clone()))
            }
            Self::Json(Value::Object(_) | Value::Null) => None,
        }
    }
}
