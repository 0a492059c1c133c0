//! The budget of one evaluation, and the storage of its result.
//!
//! Owns the accounting. It does not own what is charged: [`meter`](crate::expression::meter) rewrites expressions so that
//! loops and copies are charged, and our functions charge for what they build before they build it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::ExecutionError;
use cel::common::types::{CelBytes, CelList, CelMap, CelOptional, CelString};
use cel::common::value::Val;

use crate::expression::error;
use crate::expression::error::{ErrorKind, EvalError};
use crate::expression::limits::{Limit, UNIT_BYTES};
use crate::expression::value::Outcome;

thread_local! {
    static SPENT: Cell<u64> = const { Cell::new(0) };
    /// How many payments were made in the current evaluation.
    #[cfg(test)]
    static PAYMENTS: Cell<u64> = const { Cell::new(0) };
    static OUTCOME: Cell<Option<Result<Outcome, EvalError>>> = const { Cell::new(None) };
}

/// Runs an evaluation whose last step is [`finish`], with a fresh budget of which `spent` is already used.
///
/// A panic inside `cel` becomes an error. No expression is known that causes one; this is the last line of defence.
pub(crate) fn run(
    spent: u64,
    evaluate: impl FnOnce() -> Result<cel::Value, ExecutionError>,
) -> Result<Outcome, EvalError> {
    if spent > Limit::BUDGET {
        return Err(error::too_costly());
    }
    SPENT.set(spent);
    #[cfg(test)]
    PAYMENTS.set(0);
    OUTCOME.set(None);
    let result = catch_unwind(AssertUnwindSafe(evaluate));
    let outcome = OUTCOME.take();
    // This also covers errors that `||` or `exists` absorbed: an evaluation that was cut short has no valid result.
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

/// Stores the result for [`run`]: returning it through `cel::Value` would copy it before its size is checked.
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
    #[cfg(test)]
    PAYMENTS.set(PAYMENTS.get() + 1);
    if total > Limit::BUDGET { Err(error::limit(error::TOO_COSTLY)) } else { Ok(()) }
}

/// How many payments were made in the last evaluation on this thread: every iteration of a loop and every value that was built,
/// including those that exceeded the budget.
#[cfg(test)]
pub(crate) fn payments() -> u64 {
    PAYMENTS.get()
}

/// The units of a value including everything in it; counting stops when the budget is exceeded.
///
/// # Errors
/// If the budget is already spent: `exists` and `all` continue after an error, and must not take long from then on.
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
