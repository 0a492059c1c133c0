//! Checks the names in an expression when the file is loaded, including those in branches that are never taken.
//!
//! Owns the walk over a parsed expression that compares every name with the [`catalogue`](crate::expression::catalogue).
//! [`Positions`] finds where in the text a problem is; they are computed only when there is one.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue};

use crate::expression::catalogue::{FUNCTIONS, MACROS, QUALIFIED, QUALIFIED_TYPES, TYPES};
use crate::expression::engine::Tables;
use crate::expression::patterns::Patterns;
use crate::expression::place::Place;
use crate::expression::problem::Problem;
use crate::expression::syntax::Positions;
use crate::expression::tree::children;

/// Where in the text a problem is.
#[derive(Clone, Copy)]
enum At {
    /// The node with this id.
    Node(u64),
    /// The name of the function that the node with this id calls.
    Callee(u64),
    /// A range within the quotes of the string literal that is the node with this id.
    Text(u64),
}

struct Finding {
    at: At,
    message: String,
    suggestion: Option<String>,
}

/// Every name that does not exist at this place, every wrong number of arguments, unknown table and invalid pattern.
pub(crate) fn check(place: Place, expr: &IdedExpr, source: &str, tables: &Tables, patterns: &Patterns) -> Vec<Problem> {
    let mut checker = Checker { place, tables, patterns, scope: Vec::new(), findings: Vec::new() };
    checker.walk(expr);
    if checker.findings.is_empty() {
        return Vec::new();
    }
    let positions = Positions::of(source);
    let mut problems: Vec<Problem> = checker
        .findings
        .into_iter()
        .map(|finding| {
            let (offset, len) = match finding.at {
                At::Node(id) => positions.node(id),
                At::Callee(id) => positions.callee(id),
                At::Text(id) => within_quotes(source, positions.node(id)),
            };
            Problem { offset, len, message: finding.message, suggestion: finding.suggestion }
        })
        .collect();
    let mut seen = BTreeSet::new();
    problems.retain(|problem| seen.insert((problem.offset, problem.message.clone())));
    problems.sort_by_key(|problem| problem.offset);
    problems
}

fn within_quotes(source: &str, (offset, len): (usize, usize)) -> (usize, usize) {
    let literal = source.get(offset..offset + len).unwrap_or_default();
    let text = literal.trim_start_matches(['r', 'R']).trim_matches(['\'', '"']);
    match literal.find(text) {
        Some(start) if !text.is_empty() => (offset + start, text.len()),
        _ => (offset, len),
    }
}

struct Checker<'a> {
    place: Place,
    tables: &'a Tables,
    patterns: &'a Patterns,
    /// Loop variables in scope, innermost last.
    scope: Vec<&'a str>,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn walk(&mut self, node: &'a IdedExpr) {
        match &node.expr {
            Expr::Ident(name) => self.variable(node.id, name),
            Expr::Select(_) if self.qualified_type(node) => {}
            Expr::Call(call) => {
                match self.namespace(call) {
                    Some(namespace) => self.qualified(node.id, namespace, call),
                    None => {
                        self.function(node.id, call);
                        call.target.iter().for_each(|target| self.walk(target));
                    }
                }
                // The arguments of a malformed macro may name the variable that it was meant to declare.
                if !is_macro(&call.func_name) {
                    call.args.iter().for_each(|arg| self.walk(arg));
                }
            }
            Expr::Comprehension(c) => {
                self.walk(&c.iter_range);
                self.walk(&c.accu_init);
                let depth = self.scope.len();
                self.scope.push(&c.iter_var);
                self.scope.extend(c.iter_var2.as_deref());
                self.scope.push(&c.accu_var);
                self.walk(&c.loop_cond);
                self.walk(&c.loop_step);
                self.walk(&c.result);
                self.scope.truncate(depth);
            }
            Expr::Struct(strct) => {
                let message = format!("unknown type {}; an object is written {{'key': value}}", strct.type_name);
                self.report(At::Node(node.id), message, None);
            }
            other => children(other).into_iter().for_each(|child| self.walk(child)),
        }
    }

    fn known_variable(&self, name: &str) -> bool {
        self.scope.contains(&name) || self.place.variables().contains(&name)
    }

    fn variable(&mut self, id: u64, name: &str) {
        if self.known_variable(name) || TYPES.contains(&name) {
            return;
        }
        let variables = self.place.variables().join(", ");
        let elsewhere = Place::ALL.iter().any(|place| place.variables().contains(&name));
        let message = if elsewhere {
            format!("{name} can't be read here; available here: {variables}")
        } else {
            format!("unknown variable {name}; available here: {variables}")
        };
        let known = self.scope.iter().copied().filter(|known| !known.starts_with('@'));
        let suggestion = nearest(name, known.chain(self.place.variables().iter().copied()));
        self.report(At::Node(id), message, suggestion);
    }

    /// A qualified name, such as `google.protobuf.Timestamp`.
    fn qualified_type(&self, node: &IdedExpr) -> bool {
        let Expr::Select(last) = &node.expr else { return false };
        let Expr::Select(middle) = &last.operand.expr else { return false };
        let Expr::Ident(first) = &middle.operand.expr else { return false };
        !self.known_variable(first) && QUALIFIED_TYPES.contains(&[first.as_str(), &middle.field, &last.field])
    }

    /// The namespace that a call's target names, if it is not a variable.
    fn namespace(&self, call: &'a CallExpr) -> Option<&'a str> {
        let Expr::Ident(name) = &call.target.as_deref()?.expr else { return None };
        let known = QUALIFIED.iter().any(|(namespace, ..)| namespace == name);
        (known && !self.known_variable(name)).then_some(name.as_str())
    }

    fn qualified(&mut self, id: u64, namespace: &str, call: &CallExpr) {
        let (name, given) = (call.func_name.as_str(), call.args.len());
        let mut known = QUALIFIED.iter().filter(|(space, ..)| *space == namespace);
        match known.clone().find(|(_, function, _)| *function == name) {
            Some((.., expected)) if *expected == given => {}
            Some((.., expected)) => {
                let message = format!("{namespace}.{name}() takes {}, not {given}", arguments(*expected, *expected));
                self.report(At::Callee(id), message, None);
            }
            None => {
                let suggestion = nearest(name, known.by_ref().map(|(_, function, _)| *function));
                self.report(At::Callee(id), format!("unknown function {namespace}.{name}()"), suggestion);
            }
        }
    }

    fn function(&mut self, id: u64, call: &'a CallExpr) {
        let (name, on_value) = (call.func_name.as_str(), call.target.is_some());
        if name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            return; // an operator
        }
        if let Some((_, usage)) = MACROS.iter().find(|(macro_name, _)| *macro_name == name) {
            self.report(At::Callee(id), format!("{name}() is written {usage}"), None);
            return;
        }
        let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
            let macros = MACROS.iter().map(|(name, _)| *name);
            let suggestion = nearest(name, FUNCTIONS.iter().map(|function| function.name).chain(macros));
            self.report(At::Callee(id), format!("unknown function {name}()"), suggestion);
            return;
        };
        if if on_value { !function.method } else { !function.global } {
            let usage = if function.method { format!("value.{name}()") } else { format!("{name}(value)") };
            self.report(At::Callee(id), format!("{name}() is written {usage}"), None);
            return;
        }
        let (least, most) = function.args;
        let shift = usize::from(!on_value && function.method);
        if call.args.len() < least + shift || call.args.len() > most + shift {
            let message = format!("{name}() takes {}, not {}", arguments(least + shift, most + shift), call.args.len());
            self.report(At::Callee(id), message, None);
            return;
        }
        self.literal_argument(name, call.args.last());
    }

    /// Checks literal arguments: table names and regular expressions.
    fn literal_argument(&mut self, name: &str, argument: Option<&IdedExpr>) {
        let Some(IdedExpr { id, expr: Expr::Literal(LiteralValue::String(text)) }) = argument else { return };
        let text = text.inner();
        if name == "lookup" && !self.tables.contains_key(text) {
            let suggestion = nearest(text, self.tables.keys().map(String::as_str));
            self.report(At::Text(*id), format!("there is no table {text:?}; declare [tables.{text}]"), suggestion);
        }
        if name == "matches"
            && let Err(reason) = self.patterns.add(text)
        {
            self.report(At::Text(*id), format!("this is not a regular expression: {reason}"), None);
        }
    }

    fn report(&mut self, at: At, message: String, suggestion: Option<String>) {
        self.findings.push(Finding { at, message, suggestion });
    }
}

fn is_macro(name: &str) -> bool {
    MACROS.iter().any(|(known, _)| *known == name)
}

fn arguments(least: usize, most: usize) -> String {
    match (least, most) {
        (0, 0) => "no argument".to_owned(),
        (1, 1) => "1 argument".to_owned(),
        (least, most) if least == most => format!("{least} arguments"),
        (least, most) => format!("{least} to {most} arguments"),
    }
}

/// The text that may have been meant by `wanted`: the same but for case, slashes, separators or a path, or a similar one.
#[must_use]
pub fn resembles<'a>(wanted: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    let plain =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let last = |text: &str| plain(text.rsplit(['/', ':', '=', ',']).next().unwrap_or_default());
    let (whole, part) = (plain(wanted), last(wanted));
    let same = |text: &&str| !whole.is_empty() && plain(text) == whole;
    let related = |text: &&str| !part.is_empty() && last(text) == part;
    let found = known.clone().find(same).or_else(|| known.clone().find(related)).map(str::to_owned);
    found.or_else(|| nearest(wanted, known))
}

/// The most similar name in `known`, if it is similar enough to be what was meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let name = name.to_lowercase();
    known
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance < candidate.len() && *distance <= candidate.len().div_ceil(4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}
