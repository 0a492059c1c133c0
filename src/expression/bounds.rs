//! What an expression may cost, and the budget that one evaluation spends.
//!
//! Owns the limits ([`Limit`]) and the accounting. It does not own who pays: [`crate::expression::meter`] rewrites expressions so that
//! loops and copies pay, and [`crate::expression::functions`] pay for what they build, before they build it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::common::types::{CelBytes, CelList, CelMap, CelOptional, CelString};
use cel::common::value::Val;
use cel::{ExecutionError, IdedExpr};

use crate::expression::error;
use crate::expression::error::{ErrorKind, EvalError};
use crate::expression::{Outcome, Problem};

/// The limits, as `docs/expressions.md` states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit;

impl Limit {
    /// Longest expression, in bytes.
    pub const SOURCE_BYTES: usize = 8 * 1024;
    /// Most brackets, operators, selections and calls inside one another.
    pub const NESTING: usize = 250;
    /// Deepest expression after its macros are expanded. One level takes 1.5 KiB of stack; worker threads have 2 MiB.
    pub const DEPTH: usize = 400;
    /// What one evaluation may spend: a unit is one value copied or visited by a loop, or 16 bytes of text.
    pub const BUDGET: u64 = 250_000;
    /// Most values of a result, nested ones included.
    pub const RESULT_VALUES: usize = 20_000;
    /// Most bytes of a result's text.
    pub const RESULT_BYTES: usize = 512 * 1024;
    /// Deepest nesting of a result, and of what an expression sees of its variables: what lies deeper is absent.
    pub const VALUE_DEPTH: usize = 64;
    /// Longest pattern that is not written literally, in bytes.
    pub const PATTERN_BYTES: usize = 1024;
    /// Longest text that `matches()` looks at, in bytes.
    pub const MATCHED_BYTES: usize = 16 * 1024;
}

/// Bytes of text that cost one unit.
pub(crate) const UNIT_BYTES: usize = 16;
/// Values that are only looked at, not copied, for one unit.
pub(crate) const SCANNED_PER_UNIT: u64 = 16;

thread_local! {
    static SPENT: Cell<u64> = const { Cell::new(0) };
    static OUTCOME: Cell<Option<Result<Outcome, EvalError>>> = const { Cell::new(None) };
}

/// Runs an evaluation whose last step is [`finish`], with a fresh budget of which `spent` is gone already.
///
/// A panic inside `cel` is the last line of defence: none is known, and it becomes an error.
pub(crate) fn run(
    spent: u64,
    evaluate: impl FnOnce() -> Result<cel::Value, ExecutionError>,
) -> Result<Outcome, EvalError> {
    if spent > Limit::BUDGET {
        return Err(error::too_costly());
    }
    SPENT.set(spent);
    OUTCOME.set(None);
    let result = catch_unwind(AssertUnwindSafe(evaluate));
    let outcome = OUTCOME.take();
    // Even where `||` or `exists` absorbed the error: what was cut short proves nothing.
    if SPENT.get() > Limit::BUDGET {
        return Err(error::too_costly());
    }
    match result {
        Ok(Ok(_)) => outcome.unwrap_or_else(|| Err(EvalError::new(ErrorKind::Failed, error::UNEVALUABLE))),
        Ok(Err(ExecutionError::NoSuchKey(_))) => Ok(Outcome::Absent),
        Ok(Err(error)) => Err(error::describe(&error)),
        Err(_) => Err(EvalError::new(ErrorKind::Failed, error::UNEVALUABLE)),
    }
}

/// Leaves the result where [`run`] finds it: handing it through `cel::Value` would copy it first and bound it afterwards.
pub(crate) fn finish(outcome: Result<Outcome, EvalError>) {
    OUTCOME.set(Some(outcome));
}

/// Spends `units`.
///
/// # Errors
/// When the budget is spent.
pub(crate) fn charge(units: u64) -> Result<(), ExecutionError> {
    let total = SPENT.get().saturating_add(units);
    SPENT.set(total);
    if total > Limit::BUDGET { Err(error::limit(error::TOO_COSTLY)) } else { Ok(()) }
}

/// The units of a text of `bytes`.
pub(crate) const fn text_units(bytes: usize) -> u64 {
    1 + (bytes / UNIT_BYTES) as u64
}

/// The units of a value with everything in it; counting stops beyond the budget.
///
/// # Errors
/// When the budget is spent already: `exists` and `all` go on after an error, and nothing must be long from then on.
pub(crate) fn size(value: &dyn Val) -> Result<u64, ExecutionError> {
    charge(0)?;
    let mut left = Limit::BUDGET + 1;
    measure(value, &mut left);
    Ok(Limit::BUDGET + 1 - left)
}

fn measure(value: &dyn Val, left: &mut u64) {
    *left = left.saturating_sub(1);
    if let Some(text) = value.downcast_ref::<CelString>() {
        *left = left.saturating_sub((text.inner().len() / UNIT_BYTES) as u64);
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        for item in list.inner() {
            if *left == 0 {
                return;
            }
            measure(item.as_ref(), left);
        }
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        for (key, member) in map.inner() {
            if *left == 0 {
                return;
            }
            measure(key.inner(), left);
            measure(member.as_ref(), left);
        }
    } else if let Some(optional) = value.downcast_ref::<CelOptional>() {
        if let Some(inner) = optional.option() {
            measure(inner, left);
        }
    } else if let Some(bytes) = value.downcast_ref::<CelBytes>() {
        *left = left.saturating_sub((bytes.inner().len() / UNIT_BYTES) as u64);
    }
}

/// Refuses an expression that is too deep to be evaluated on a worker thread's stack.
pub(crate) fn check_depth(expr: &IdedExpr, source: &str) -> Result<(), Vec<Problem>> {
    let mut pending = vec![(expr, 1_usize)];
    while let Some((node, depth)) = pending.pop() {
        if depth > Limit::DEPTH {
            return Err(vec![Problem::whole(source, "the expression is nested too deeply; split it")]);
        }
        crate::expression::meter::children(&node.expr).into_iter().for_each(|child| pending.push((child, depth + 1)));
    }
    Ok(())
}
