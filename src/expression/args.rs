//! How our functions take their arguments and return their results.

use cel::ExecutionError;
use cel::common::types::{CelBool, CelString};
use cel::common::value::CowVal;

/// The arguments of a call; the value that a method is called on comes first.
pub(crate) type Args<'b, 'v> = Vec<CowVal<'b, 'v>>;
/// The result of a call.
pub(crate) type Evaluated<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// Exactly `N` arguments.
pub(crate) fn take<'b, 'v, const N: usize>(args: Args<'b, 'v>) -> Result<[CowVal<'b, 'v>; N], ExecutionError> {
    let given = args.len();
    args.try_into().map_err(|_| ExecutionError::invalid_argument_count(N, given))
}

/// The text of a string.
pub(crate) fn text<'a>(value: &'a CowVal<'_, '_>) -> Option<&'a str> {
    value.as_ref().downcast_ref::<CelString>().map(CelString::inner)
}

pub(crate) fn new_text<'b, 'v>(text: String) -> CowVal<'b, 'v> {
    CowVal::owned(CelString::from(text))
}

pub(crate) fn new_bool<'b, 'v>(value: bool) -> CowVal<'b, 'v> {
    CowVal::owned(CelBool::from(value))
}

/// The error of a function that does not accept these types.
pub(crate) fn no_overload(function: &str, args: &[&CowVal<'_, '_>]) -> ExecutionError {
    let types = args.iter().map(|arg| arg.get_type().name().to_owned()).collect();
    ExecutionError::no_such_overload(function, types)
}
