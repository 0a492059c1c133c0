//! The table of our functions, and the context that every evaluation of a generation shares.
//!
//! Owns only the registration. The functions themselves are in [`texts`], [`lists`], [`metered`] and
//! [`patterns`](crate::expression::patterns); each charges for what it builds before it builds it.

use std::sync::Arc;

use cel::common::functions::Function;
use cel::common::types::{DYN_TYPE, Type};
use cel::{Context, DeclarationError, Env, ExecutionError, FunctionContext};

use crate::expression::args::Evaluated;
use crate::expression::catalogue::{CONCAT, COPY, FINISH, JOIN, KEY, MATCHES, MEMBER, RANGE, REPLACE, SCAN, SPLIT};
use crate::expression::engine::{Engine, Tables};
use crate::expression::patterns::Patterns;
use crate::expression::{lists, metered, texts};

/// A function with its own state, such as the tables.
type Holding = Box<dyn for<'c, 'v> Fn(&mut FunctionContext<'c, 'v>) -> Evaluated<'c, 'v> + Send + Sync>;

/// Functions called on a value: name, function, arguments without the value.
const METHODS: &[(&str, Function, usize)] = &[
    ("lower", texts::lower, 0),
    ("upper", texts::upper, 0),
    ("before", texts::before, 1),
    ("after", texts::after, 1),
    ("domain", texts::domain, 0),
    ("sha256", texts::sha256, 0),
    ("prefix", texts::prefix, 1),
    ("asList", lists::as_list, 0),
    ("distinct", lists::distinct, 0),
    ("sorted", lists::sorted, 0),
    ("flatten", lists::flatten, 0),
    ("intersects", lists::intersects, 1),
];

/// Internal functions that the rewriting inserts, with their number of arguments.
const INTERNAL: &[(&str, Function, usize)] = &[
    (FINISH, metered::finish, 1),
    (RANGE, metered::range, 2),
    (COPY, metered::copy, 1),
    (SCAN, metered::scan, 1),
    (KEY, metered::key, 1),
    (MEMBER, metered::member, 2),
    (REPLACE, texts::replace, 3),
    (REPLACE, texts::replace_some, 4),
    (JOIN, texts::join, 1),
    (JOIN, texts::join_with, 2),
    (SPLIT, texts::split, 2),
    (SPLIT, texts::split_some, 3),
];

/// Builds the shared context.
pub(crate) fn engine(tables: Arc<Tables>, patterns: Arc<Patterns>) -> Engine {
    let mut env = Env::stdlib().with_optional_support(true);
    // Declaring fails only for a name that is already declared, which every test of this module would reveal.
    let mut declared = env.add_extension(cel::extensions::strings);
    for (name, function, args) in METHODS {
        declared = declared.and_then(|()| env.add_member_overload(name, name, DYN_TYPE, any(*args), *function));
    }
    for (name, function, args) in INTERNAL {
        let id = format!("{name}{args}");
        declared = declared.and_then(|()| env.add_overload(name, &id, any(*args), *function));
    }
    let mut context = Context::with_env(Arc::new(env));
    let known = Arc::clone(&tables);
    let declared = declared.and_then(|()| declare_holding(&mut context, tables, patterns));
    debug_assert!(declared.is_ok(), "{declared:?}");
    Engine { context, tables: known }
}

/// This many parameters of any type: the functions check the types themselves, and name them in their errors.
fn any(parameters: usize) -> Vec<Type> {
    (0..parameters).map(|_| DYN_TYPE).collect()
}

fn declare_holding(
    context: &mut Context<'static, 'static>,
    tables: Arc<Tables>,
    patterns: Arc<Patterns>,
) -> Result<(), DeclarationError> {
    let lookup: Holding = Box::new(move |call| match (call.this.take(), call.args.as_slice()) {
        (Some(this), [table]) => texts::lookup(&tables, &this, table),
        (_, args) => Err(ExecutionError::invalid_argument_count(1, args.len())),
    });
    let matches: Holding = Box::new(move |call| match call.args.as_slice() {
        [text, pattern] => patterns.matches(text, pattern),
        args => Err(ExecutionError::invalid_argument_count(2, args.len())),
    });
    let concat: Holding = Box::new(|call| metered::concat(std::mem::take(&mut call.args)));
    context.add_function("lookup", lookup)?;
    context.add_function(MATCHES, matches)?;
    context.add_function(CONCAT, concat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::catalogue::FUNCTIONS;

    /// The load-time check accepts exactly the functions that are registered.
    #[test]
    fn our_functions_are_registered_with_the_arguments_that_the_catalogue_names() {
        let mut registered: Vec<(&str, usize)> = METHODS.iter().map(|(name, _, args)| (*name, *args)).collect();
        registered.push(("lookup", 1));
        registered.sort_unstable();
        let mut named: Vec<(&str, usize)> =
            FUNCTIONS.iter().filter(|known| known.ours).map(|known| (known.name, known.args.1)).collect();
        named.sort_unstable();
        assert_eq!(registered, named);
    }
}
