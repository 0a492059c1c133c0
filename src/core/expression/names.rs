//! What an expression may name: checked when the file is loaded, in branches never taken too.

use std::collections::BTreeSet;

use cel::common::ast::{Expr, LiteralValue, SourceInfo};
use cel::{IdedExpr, ParseErrors};

use super::bounds::children;
use super::{Place, Problem, Tables};

/// A function: name, whether it is called on a value (`x.f()`), and its least and most arguments (without that value).
struct Function {
    name: &'static str,
    on_value: bool,
    global: bool,
    args: (usize, usize),
}

const fn method(name: &'static str, least: usize, most: usize) -> Function {
    Function { name, on_value: true, global: false, args: (least, most) }
}

const fn global(name: &'static str, least: usize, most: usize) -> Function {
    Function { name, on_value: false, global: true, args: (least, most) }
}

const FUNCTIONS: &[Function] = &[
    // The standard library (CEL language definition, "Standard Definitions").
    Function { name: "size", on_value: true, global: true, args: (0, 0) },
    Function { name: "matches", on_value: true, global: true, args: (1, 1) },
    method("contains", 1, 1),
    method("startsWith", 1, 1),
    method("endsWith", 1, 1),
    global("int", 1, 1),
    global("uint", 1, 1),
    global("double", 1, 1),
    global("string", 1, 1),
    global("bool", 1, 1),
    global("bytes", 1, 1),
    global("type", 1, 1),
    global("dyn", 1, 1),
    global("timestamp", 1, 1),
    global("duration", 1, 1),
    method("getDate", 0, 1),
    method("getDayOfMonth", 0, 1),
    method("getDayOfWeek", 0, 1),
    method("getDayOfYear", 0, 1),
    method("getFullYear", 0, 1),
    method("getHours", 0, 1),
    method("getMilliseconds", 0, 1),
    method("getMinutes", 0, 1),
    method("getMonth", 0, 1),
    method("getSeconds", 0, 1),
    // Optional values.
    method("hasValue", 0, 0),
    method("value", 0, 0),
    method("or", 1, 1),
    method("orValue", 1, 1),
    // The string extension.
    method("charAt", 1, 1),
    method("indexOf", 1, 2),
    method("lastIndexOf", 1, 2),
    method("join", 0, 1),
    method("lowerAscii", 0, 0),
    method("upperAscii", 0, 0),
    method("replace", 2, 3),
    method("split", 1, 2),
    method("substring", 1, 2),
    method("trim", 0, 0),
    method("format", 1, 1),
    method("reverse", 0, 0),
    // Ours.
    method("lower", 0, 0),
    method("upper", 0, 0),
    method("before", 1, 1),
    method("after", 1, 1),
    method("domain", 0, 0),
    method("asList", 0, 0),
    method("prefix", 1, 1),
    method("distinct", 0, 0),
    method("sorted", 0, 0),
    method("flatten", 0, 0),
    method("intersects", 1, 1),
    method("lookup", 1, 1),
    method("sha256", 0, 0),
];

/// Functions with a namespace.
const QUALIFIED: &[(&str, &str, usize)] =
    &[("optional", "of", 1), ("optional", "none", 0), ("optional", "ofNonZeroValue", 1), ("strings", "quote", 1)];

/// Macros: parsed into loops and presence tests, but for slips in their arguments.
const MACROS: &[&str] = &["has", "all", "exists", "exists_one", "map", "filter"];

/// Names of types, which may be compared with `type(x)`.
const TYPES: &[&str] = &["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// Syntax errors as problems with byte offsets.
pub(super) fn syntax(source: &str, errors: &ParseErrors) -> Vec<Problem> {
    let mut problems: Vec<Problem> = errors
        .errors
        .iter()
        .map(|error| {
            let (line, column) = error.pos;
            let offset = offset_of(source, line, column);
            Problem { offset, len: 1, message: tidy(&error.msg), suggestion: None }
        })
        .collect();
    problems.dedup_by(|a, b| a.offset == b.offset);
    problems.truncate(3);
    problems
}

fn tidy(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let short = message.split(" expecting {").next().unwrap_or(message);
    format!("this is no CEL: {short}")
}

/// Byte offset of a line (from 1) and column (in characters, from 1).
fn offset_of(source: &str, line: isize, column: isize) -> usize {
    let line = usize::try_from(line.max(1)).unwrap_or(1) - 1;
    let column = usize::try_from(column.max(1)).unwrap_or(1) - 1;
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source.get(start..).unwrap_or("");
    let within = rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset);
    (start + within).min(source.len())
}

/// Every name that does not exist at this place.
pub(super) fn check(place: Place, expr: &IdedExpr, source: &str, info: &SourceInfo, tables: &Tables) -> Vec<Problem> {
    let mut checker = Checker { place, source, info, tables, scope: Vec::new(), problems: Vec::new() };
    checker.walk(expr);
    let mut seen = BTreeSet::new();
    checker.problems.retain(|problem| seen.insert((problem.offset, problem.message.clone())));
    checker.problems.sort_by_key(|problem| problem.offset);
    checker.problems
}

/// The variables of the place that an expression may read.
pub(super) fn reads(place: Place, expr: &IdedExpr) -> Vec<&'static str> {
    let mut reads = Vec::new();
    let mut pending = vec![expr];
    while let Some(node) = pending.pop() {
        if let Expr::Ident(name) = &node.expr {
            reads.extend(
                place
                    .variables()
                    .iter()
                    .filter(|variable| *variable == name && !reads.contains(*variable))
                    .copied()
                    .collect::<Vec<_>>(),
            );
        }
        pending.extend(children(&node.expr));
    }
    reads
}

struct Checker<'a> {
    place: Place,
    source: &'a str,
    info: &'a SourceInfo,
    tables: &'a Tables,
    /// Loop variables in scope, innermost last.
    scope: Vec<&'a str>,
    problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    fn walk(&mut self, node: &'a IdedExpr) {
        match &node.expr {
            Expr::Ident(name) => self.variable(node, name),
            Expr::Call(call) => {
                if let Some((namespace, target)) = self.namespace(call.target.as_deref()) {
                    self.qualified(node, namespace, &call.func_name, call.args.len(), target);
                } else {
                    self.function(node, &call.func_name, call.target.is_some(), &call.args);
                    if let Some(target) = &call.target {
                        self.walk(target);
                    }
                }
                call.args.iter().for_each(|arg| self.walk(arg));
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
                let name = strct.type_name.as_str();
                self.report(node, name, format!("unknown type {name}: an object is written {{'key': value}}"), None);
            }
            other => children(other).into_iter().for_each(|child| self.walk(child)),
        }
    }

    /// A target that is the name of a namespace and no variable.
    fn namespace(&self, target: Option<&'a IdedExpr>) -> Option<(&'a str, &'a IdedExpr)> {
        let node = target?;
        let Expr::Ident(name) = &node.expr else { return None };
        let known = QUALIFIED.iter().any(|(namespace, ..)| namespace == name);
        (known && !self.known_variable(name)).then_some((name.as_str(), node))
    }

    fn qualified(&mut self, node: &IdedExpr, namespace: &str, name: &str, args: usize, _target: &IdedExpr) {
        match QUALIFIED.iter().find(|(space, function, _)| *space == namespace && *function == name) {
            Some((.., expected)) if *expected == args => {}
            Some((.., expected)) => {
                self.report(node, name, format!("{namespace}.{name}() takes {expected} arguments, not {args}"), None);
            }
            None => {
                let known =
                    QUALIFIED.iter().filter(|(space, ..)| *space == namespace).map(|(_, function, _)| *function);
                let nearest = nearest(name, known);
                self.report(node, name, format!("unknown function {namespace}.{name}()"), nearest);
            }
        }
    }

    fn known_variable(&self, name: &str) -> bool {
        self.scope.contains(&name) || self.place.variables().contains(&name)
    }

    fn variable(&mut self, node: &IdedExpr, name: &str) {
        if self.known_variable(name) || TYPES.contains(&name) || name.starts_with('@') {
            return;
        }
        let known = self.scope.iter().copied().chain(self.place.variables().iter().copied());
        let nearest = nearest(name, known.filter(|candidate| !candidate.starts_with('@')));
        let variables = self.place.variables().join(", ");
        self.report(node, name, format!("unknown variable {name}; here there are {variables}"), nearest);
    }

    fn function(&mut self, node: &IdedExpr, name: &str, on_value: bool, args: &[IdedExpr]) {
        if name.starts_with('_') || name.starts_with('@') || name == "!_" || name == "-_" {
            return;
        }
        if MACROS.contains(&name) {
            self.report(node, name, format!("{name}() is not called like that; see its documentation"), None);
            return;
        }
        let known = FUNCTIONS.iter().filter(|function| function.name == name);
        let Some(function) = known.clone().find(|function| if on_value { function.on_value } else { function.global })
        else {
            if let Some(other) = known.into_iter().next() {
                let usage = if other.on_value { format!("value.{name}()") } else { format!("{name}(value)") };
                self.report(node, name, format!("{name}() is written {usage}"), Some(usage));
            } else {
                let nearest =
                    nearest(name, FUNCTIONS.iter().map(|function| function.name).chain(MACROS.iter().copied()));
                self.report(node, name, format!("unknown function {name}()"), nearest);
            }
            return;
        };
        let given = if !on_value && function.on_value { args.len().saturating_sub(1) } else { args.len() };
        if given < function.args.0 || given > function.args.1 {
            let expected = match function.args {
                (least, most) if least == most => least.to_string(),
                (least, most) => format!("{least} to {most}"),
            };
            self.report(node, name, format!("{name}() takes {expected} arguments, not {given}"), None);
            return;
        }
        self.literal_argument(node, name, args);
    }

    /// Literals that can be checked now: table names and regular expressions.
    fn literal_argument(&mut self, node: &IdedExpr, name: &str, args: &[IdedExpr]) {
        let Some(Expr::Literal(LiteralValue::String(text))) = args.last().map(|arg| &arg.expr) else { return };
        let text: &str = text.inner();
        if name == "lookup" && !self.tables.contains_key(text) {
            let nearest = nearest(text, self.tables.keys().map(String::as_str));
            self.report(node, text, format!("there is no table {text:?}; declare [tables.{text}]"), nearest);
        }
        if name == "matches"
            && let Err(error) = regex::Regex::new(text)
        {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or("invalid").trim().trim_start_matches("error: ").to_owned();
            self.report(node, "matches", format!("this is no regular expression: {reason}"), None);
        }
    }

    fn report(&mut self, node: &IdedExpr, name: &str, message: String, suggestion: Option<String>) {
        let from = self
            .info
            .offset_for(node.id)
            .map_or(0, |(start, _)| self.source.char_indices().nth(start as usize).map_or(0, |(offset, _)| offset));
        let offset = find_name(self.source, name, from).or_else(|| find_name(self.source, name, 0)).unwrap_or(from);
        self.problems.push(Problem { offset, len: name.len().max(1), message, suggestion });
    }
}

/// The first place at or after `from` where `name` stands as a whole word.
fn find_name(source: &str, name: &str, from: usize) -> Option<usize> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    source.get(from..)?.match_indices(name).map(|(offset, _)| from + offset).find(|offset| {
        let before = source.get(..*offset).and_then(|text| text.chars().next_back());
        let after = source.get(offset + name.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(word) && !after.is_some_and(word)
    })
}

/// The nearest of `known`, where one is near enough to be meant.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance < candidate.len() && *distance <= candidate.len().div_ceil(4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}
