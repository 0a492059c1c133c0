//! Which parts of their variables expressions read, so that only these are converted.

use std::collections::{BTreeMap, BTreeSet};

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use crate::expression::place::Place;
use crate::expression::tree::children;

/// The parts that are read of one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Members(BTreeSet<String>),
}

impl Part {
    fn join(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Whole, _) => {}
            (Self::Members(own), Self::Members(others)) => own.extend(others.iter().cloned()),
            (Self::Members(_), Self::Whole) => *self = Self::Whole,
        }
    }
}

/// The parts of their variables that expressions read. A loop variable of the same name is included too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads(pub(crate) BTreeMap<&'static str, Part>);

impl Reads {
    pub(crate) fn of_expression(place: Place, expr: &IdedExpr) -> Self {
        let mut reads = Self::default();
        let mut pending = vec![expr];
        while let Some(node) = pending.pop() {
            if let Some((variable, member)) = member(node)
                && let Some(variable) = place.variable(variable)
            {
                reads.add(variable, &Part::Members(BTreeSet::from([member.to_owned()])));
            } else {
                if let Expr::Ident(name) = &node.expr
                    && let Some(variable) = place.variable(name)
                {
                    reads.add(variable, &Part::Whole);
                }
                pending.extend(children(&node.expr));
            }
        }
        reads
    }

    /// The paths that are read: a variable, or a variable and its member.
    pub fn paths(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().flat_map(|(variable, part)| match part {
            Part::Whole => vec![(*variable).to_owned()],
            Part::Members(members) => members.iter().map(|member| format!("{variable}.{member}")).collect(),
        })
    }

    /// Whether all of a variable is read, and otherwise which of its members.
    #[must_use]
    pub fn parts(&self, variable: &str) -> (bool, Vec<&str>) {
        match self.0.get(variable) {
            None => (false, Vec::new()),
            Some(Part::Whole) => (true, Vec::new()),
            Some(Part::Members(members)) => (false, members.iter().map(String::as_str).collect()),
        }
    }

    /// Adds the reads of other expressions.
    pub(crate) fn join(&mut self, other: &Self) {
        for (variable, part) in &other.0 {
            self.add(variable, part);
        }
    }

    fn add(&mut self, variable: &'static str, part: &Part) {
        self.0.entry(variable).and_modify(|known| known.join(part)).or_insert_with(|| part.clone());
    }
}

/// `v.m`, `has(v.m)`, `v['m']`, `v.?m` and `v[?'m']`: the variable and its member.
fn member(node: &IdedExpr) -> Option<(&str, &str)> {
    let ident = |node: &'_ IdedExpr| matches!(node.expr, Expr::Ident(_));
    let name = |node| match node {
        &IdedExpr { expr: Expr::Ident(ref name), .. } => Some(name.as_str()),
        _ => None,
    };
    match &node.expr {
        Expr::Select(select) if ident(&select.operand) => Some((name(&select.operand)?, &select.field)),
        Expr::Call(CallExpr { func_name, args, target: None }) => match (func_name.as_str(), args.as_slice()) {
            (
                operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT,
                [variable, IdedExpr { expr: Expr::Literal(LiteralValue::String(key)), .. }],
            ) => Some((name(variable)?, key.inner())),
            _ => None,
        },
        _ => None,
    }
}
