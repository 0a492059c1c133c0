//! What an expression may cost: length, nesting, iterations, sizes.
//!
//! `cel` evaluates without a budget of its own. [`meter`] rewrites the parsed expression so that every loop element, and
//! every value built inside a loop, passes through `@meter`, an identity function that charges the evaluation's budget.

use std::cell::Cell;

use cel::common::ast::{EntryExpr, Expr};
use cel::common::value::CowVal;
use cel::{ExecutionError, IdedExpr};

use super::Problem;

/// Longest expression, in bytes.
const SOURCE_BYTES: usize = 8 * 1024;
/// Deepest nesting of brackets, and of a parsed expression.
const BRACKETS: usize = 32;
const DEPTH: usize = 400;
/// Most operators, selections and calls in a row: each nests the parsed expression one level deeper.
const CHAIN: usize = 200;
/// What one evaluation may spend: one unit an iteration, and one for every 16 bytes or items of a value built in a loop.
const BUDGET: u64 = 200_000;
/// Most nodes of a result; strings count one more for every 64 bytes.
pub(super) const OUTPUT_NODES: usize = 20_000;

/// The name of the metering function; no expression can name it.
pub(super) const METER: &str = "@meter";

/// A limit, for the documentation and the tests that hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit;

impl Limit {
    /// Longest expression, in bytes.
    pub const SOURCE_BYTES: usize = SOURCE_BYTES;
    /// Units that one evaluation may spend.
    pub const BUDGET: u64 = BUDGET;
}

thread_local! {
    static SPENT: Cell<u64> = const { Cell::new(0) };
}

/// Runs an evaluation with a fresh budget; a panic inside becomes an error.
pub(super) fn metered(
    evaluate: impl FnOnce() -> Result<cel::Value, ExecutionError>,
) -> Result<cel::Value, ExecutionError> {
    SPENT.with(|spent| spent.set(0));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(evaluate))
        .unwrap_or_else(|_| Err(ExecutionError::InternalError("the expression can't be evaluated".to_owned())));
    if SPENT.with(Cell::get) > BUDGET { Err(too_costly()) } else { result }
}

fn too_costly() -> ExecutionError {
    ExecutionError::InternalError("the expression costs too much with these values".to_owned())
}

/// Charges `units`.
pub(super) fn charge(units: u64) -> Result<(), ExecutionError> {
    let total = SPENT.with(|spent| {
        let total = spent.get().saturating_add(units);
        spent.set(total);
        total
    });
    if total > BUDGET { Err(too_costly()) } else { Ok(()) }
}

/// `@meter(x)`: `x`, charged.
pub(super) fn meter_function<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let value = args.pop().ok_or_else(ExecutionError::missing_argument_or_target)?;
    charge(1 + size(value.as_ref()) / 16)?;
    Ok(value)
}

fn size(value: &dyn cel::common::value::Val) -> u64 {
    use cel::common::types::{CelList, CelString};
    if let Some(text) = value.downcast_ref::<CelString>() {
        text.inner().len() as u64
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        list.inner().len() as u64
    } else {
        0
    }
}

/// Refuses a text that is too long before it is parsed.
pub(super) fn check_source(source: &str) -> Result<(), Vec<Problem>> {
    if source.len() > SOURCE_BYTES {
        return Err(vec![Problem {
            offset: 0,
            len: 1,
            message: format!("an expression may have {SOURCE_BYTES} bytes, this one has {}", source.len()),
            suggestion: None,
        }]);
    }
    check_nesting(source)
}

/// Counts brackets and chained operators outside of string literals: the parser recurses over them.
fn check_nesting(source: &str) -> Result<(), Vec<Problem>> {
    let too_deep = |offset| {
        let message = "the expression is nested too deeply or chained too long; split it".to_owned();
        Err(vec![Problem { offset, len: 1, message, suggestion: None }])
    };
    let (mut depth, mut chain) = (0_usize, 0_usize);
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (offset, c) in source.char_indices() {
        if let Some(open) = quote {
            if !escaped && c == open {
                quote = None;
            }
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => {
                depth += 1;
                chain += 1;
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '+' | '-' | '*' | '/' | '%' | '.' | '!' | '?' | '<' | '>' | '=' => chain += 1,
            ',' => chain = 0,
            _ => {}
        }
        if depth > BRACKETS || chain > CHAIN {
            return too_deep(offset);
        }
    }
    Ok(())
}

/// Refuses an expression that is nested too deeply to be walked.
pub(super) fn check_depth(expr: &IdedExpr, source: &str) -> Result<(), Vec<Problem>> {
    let mut pending = vec![(expr, 1_usize)];
    while let Some((node, depth)) = pending.pop() {
        if depth > DEPTH {
            return Err(vec![Problem {
                offset: 0,
                len: source.len().max(1),
                message: format!("the expression is nested deeper than {DEPTH} levels; split it"),
                suggestion: None,
            }]);
        }
        children(&node.expr).into_iter().for_each(|child| pending.push((child, depth + 1)));
    }
    Ok(())
}

/// The direct sub-expressions.
pub(super) fn children(expr: &Expr) -> Vec<&IdedExpr> {
    match expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(c) => {
            vec![&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => entries(map.entries.iter().map(|entry| &entry.expr)),
        Expr::Struct(strct) => entries(strct.entries.iter().map(|entry| &entry.expr)),
        Expr::Select(select) => vec![&select.operand],
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

fn entries<'a>(entries: impl Iterator<Item = &'a EntryExpr>) -> Vec<&'a IdedExpr> {
    entries
        .flat_map(|entry| match entry {
            EntryExpr::StructField(field) => vec![&field.value],
            EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        })
        .collect()
}

/// Rewrites an expression so that its loops charge the budget.
pub(super) fn meter(expr: &mut IdedExpr) {
    rewrite(expr, false);
}

fn rewrite(node: &mut IdedExpr, in_loop: bool) {
    match &mut node.expr {
        Expr::Call(call) => {
            if let Some(target) = &mut call.target {
                rewrite(target, in_loop);
            }
            call.args.iter_mut().for_each(|arg| rewrite(arg, in_loop));
            let accumulates = call
                .args
                .first()
                .is_some_and(|first| matches!(&first.expr, Expr::Ident(name) if name.starts_with('@')));
            if in_loop && !accumulates && builds(&call.func_name) {
                wrap(node);
            }
        }
        Expr::Comprehension(c) => {
            rewrite(&mut c.iter_range, in_loop);
            rewrite(&mut c.accu_init, true);
            rewrite(&mut c.loop_cond, true);
            rewrite(&mut c.loop_step, true);
            rewrite(&mut c.result, in_loop);
            // A literal condition marks the appending loops that `cel` runs in place, as long as it stays a literal.
            if !matches!(c.loop_cond.expr, Expr::Literal(_)) {
                wrap(&mut c.loop_cond);
            }
            wrap_step(&mut c.loop_step);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(|element| rewrite(element, in_loop)),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| rewrite_entry(&mut entry.expr, in_loop)),
        Expr::Struct(strct) => strct.entries.iter_mut().for_each(|entry| rewrite_entry(&mut entry.expr, in_loop)),
        Expr::Select(select) => rewrite(&mut select.operand, in_loop),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn rewrite_entry(entry: &mut EntryExpr, in_loop: bool) {
    match entry {
        EntryExpr::StructField(field) => rewrite(&mut field.value, in_loop),
        EntryExpr::MapEntry(entry) => {
            rewrite(&mut entry.key, in_loop);
            rewrite(&mut entry.value, in_loop);
        }
    }
}

/// `map` and `filter` append `[x]` to the accumulator, `filter` behind a condition: the element and the condition are
/// metered themselves there.
fn wrap_step(step: &mut IdedExpr) {
    let Expr::Call(call) = &mut step.expr else { return };
    match call.func_name.as_str() {
        "_?_:_" => {
            if let [condition, then, ..] = call.args.as_mut_slice() {
                wrap(condition);
                wrap_step(then);
            }
        }
        "_+_" => {
            if let [_, appended] = call.args.as_mut_slice()
                && let Expr::List(list) = &mut appended.expr
            {
                list.elements.iter_mut().for_each(wrap);
            }
        }
        _ => {}
    }
}

/// Functions whose result may be larger than what they were given.
fn builds(function: &str) -> bool {
    matches!(
        function,
        "_+_"
            | "join"
            | "replace"
            | "split"
            | "format"
            | "prefix"
            | "lookup"
            | "flatten"
            | "distinct"
            | "sorted"
            | "asList"
            | "sha256"
            | "lower"
            | "upper"
            | "lowerAscii"
            | "upperAscii"
            | "string"
            | "intersects"
            | "reverse"
            | "@in"
            | "_==_"
            | "_!=_"
            | "matches"
            | "contains"
    )
}

fn wrap(node: &mut IdedExpr) {
    let inner = std::mem::take(node);
    node.id = inner.id;
    node.expr = Expr::Call(cel::common::ast::CallExpr { func_name: METER.to_owned(), target: None, args: vec![inner] });
}
