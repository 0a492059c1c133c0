//! Our functions, and the context that every evaluation of a generation shares.
//!
//! Each pays for what it builds before it builds it ([`bounds::charge`]). Names with an `@` can't be written in an
//! expression: [`crate::expression::meter`] puts them there.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use cel::common::functions::Function;
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt, DYN_TYPE, Type,
};
use cel::common::value::{CowVal, Val};
use cel::{Context, DeclarationError, Env, ExecutionError, FunctionContext};
use regex::{Regex, RegexBuilder};

use crate::expression::bounds;
use crate::expression::bounds::{Limit, SCANNED_PER_UNIT, charge, size, text_units};
use crate::expression::{Engine, Tables, error, lists, texts, value};

pub(crate) type Args<'b, 'v> = Vec<CowVal<'b, 'v>>;
pub(crate) type Evaluated<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;
/// A function that holds something of its own.
type Holding = Box<dyn for<'c, 'v> Fn(&mut FunctionContext<'c, 'v>) -> Evaluated<'c, 'v> + Send + Sync>;

pub(crate) const FINISH: &str = "@finish";
pub(crate) const RANGE: &str = "@range";
pub(crate) const COPY: &str = "@copy";
pub(crate) const SCAN: &str = "@scan";
pub(crate) const KEY: &str = "@key";
pub(crate) const CONCAT: &str = "@concat";
pub(crate) const MEMBER: &str = "@member";
pub(crate) const MATCHES: &str = "@matches";
pub(crate) const REPLACE: &str = "@replace";
pub(crate) const JOIN: &str = "@join";
pub(crate) const SPLIT: &str = "@split";

/// Our functions by the names that are written.
pub(crate) const OURS: &[&str] = &[
    "lower",
    "upper",
    "before",
    "after",
    "domain",
    "sha256",
    "asList",
    "prefix",
    "distinct",
    "sorted",
    "flatten",
    "intersects",
    "lookup",
];

/// Whether a function's error texts are ours, and so carry no values.
pub(crate) fn is_ours(function: &str) -> bool {
    function.starts_with('@') || OURS.contains(&function)
}

/// Functions called on a value: name, function, arguments beside the value.
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

/// Functions that the rewriting puts in, with the number of their arguments.
const INTERNAL: &[(&str, Function, usize)] = &[
    (FINISH, finish, 1),
    (RANGE, range, 2),
    (COPY, copy, 1),
    (SCAN, scan, 1),
    (KEY, key, 1),
    (MEMBER, member, 2),
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
    // All of it only fails on a name that is declared twice, which every test of this module would show.
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

/// So many parameters of any type: the functions look for themselves, and their errors name what they got.
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
    let concat: Holding = Box::new(|call| concat(std::mem::take(&mut call.args)));
    context.add_function("lookup", lookup)?;
    context.add_function(MATCHES, matches)?;
    context.add_function(CONCAT, concat)
}

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

/// A function that does not take these types.
pub(crate) fn no_overload(function: &str, args: &[&CowVal<'_, '_>]) -> ExecutionError {
    let types = args.iter().map(|arg| arg.get_type().name().to_owned()).collect();
    ExecutionError::no_such_overload(function, types)
}

/// `@finish(x)`: hands `x` over as the result.
fn finish<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [result] = take(args)?;
    bounds::finish(value::to_outcome(result.as_ref()));
    Ok(CowVal::owned(CelNull))
}

/// `@copy(x)`: `x`, paid as a copy.
fn copy<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [value] = take(args)?;
    charge(size(value.as_ref())?)?;
    Ok(value)
}

/// `@scan(x)`: `x`, paid as read.
fn scan<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [value] = take(args)?;
    charge(1 + size(value.as_ref())? / SCANNED_PER_UNIT)?;
    Ok(value)
}

/// `@key(x)`: `x`, where a list or an object can have it as a key: `cel` copies the others, and the list that a fraction is
/// to index, into its error.
fn key<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [key] = take(args)?;
    let value = key.as_ref();
    let whole = value.downcast_ref::<CelDouble>().is_some_and(|double| double.inner().fract() == 0.0);
    let fits = whole
        || value.downcast_ref::<CelString>().is_some()
        || value.downcast_ref::<CelInt>().is_some()
        || value.downcast_ref::<CelUInt>().is_some()
        || value.downcast_ref::<CelBool>().is_some();
    if fits { Ok(key) } else { Err(no_overload(KEY, &[&key])) }
}

/// `@range(x, weight)`: what a loop runs over, paid for every iteration. An object's keys come in order: `cel` would give
/// them in another one each time.
fn range<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [range, weight] = take(args)?;
    let weight = weight.as_ref().downcast_ref::<CelInt>().map_or(1, |weight| weight.inner().unsigned_abs());
    if let Some(map) = range.as_ref().downcast_ref::<CelMap>() {
        charge(0)?;
        let texts = map.inner().keys().map(|key| match key {
            CelMapKey::String(text) => text_units(text.inner().len()),
            CelMapKey::Bool(_) | CelMapKey::Int(_) | CelMapKey::UInt(_) => 1,
        });
        charge(texts.sum::<u64>().saturating_mul(weight))?;
        let mut keys: Vec<CelMapKey<'v>> = map.inner().keys().cloned().collect();
        keys.sort();
        let keys: Vec<Box<dyn Val + 'v>> = keys.into_iter().map(boxed_key).collect();
        return Ok(CowVal::owned(CelList::from(keys)));
    }
    charge(size(range.as_ref())?.saturating_mul(weight))?;
    Ok(range)
}

fn boxed_key<'v>(key: CelMapKey<'v>) -> Box<dyn Val + 'v> {
    match key {
        CelMapKey::Bool(key) => Box::new(key),
        CelMapKey::Int(key) => Box::new(key),
        CelMapKey::String(key) => Box::new(key),
        CelMapKey::UInt(key) => Box::new(key),
    }
}

/// `@concat(a, b, c)`: `a + b + c`.
fn concat<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    if let Some(texts) = args.iter().map(text).collect::<Option<Vec<_>>>() {
        let bytes = texts.iter().map(|text| text.len()).sum();
        charge(text_units(bytes))?;
        let mut joined = String::with_capacity(bytes);
        texts.into_iter().for_each(|text| joined.push_str(text));
        return Ok(new_text(joined));
    }
    let mut args = args.into_iter();
    let mut sum = args.next().ok_or_else(|| ExecutionError::invalid_argument_count(2, 0))?;
    for next in args {
        charge(size(sum.as_ref())?.saturating_add(size(next.as_ref())?))?;
        let adder = sum.as_ref().as_adder().ok_or_else(|| no_overload(CONCAT, &[&sum, &next]))?;
        sum = CowVal::Owned(adder.add(next.as_ref())?.into_owned());
    }
    Ok(sum)
}

/// `@member(x, list)`: `x in list`.
fn member<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [item, container] = take(args)?;
    if let Some(list) = container.as_ref().downcast_ref::<CelList>() {
        let items = list.inner();
        charge(1 + items.len() as u64 / SCANNED_PER_UNIT)?;
        if let Some(wanted) = text(&item) {
            let is_wanted =
                |item: &dyn Val| item.downcast_ref::<CelString>().is_some_and(|text| text.inner() == wanted);
            return Ok(new_bool(items.iter().any(|item| is_wanted(item.as_ref()))));
        }
        charge(size(item.as_ref())?.saturating_sub(1).saturating_mul(items.len() as u64))?;
    }
    let Some(members) = container.as_ref().as_container() else {
        return Err(no_overload(MEMBER, &[&item, &container]));
    };
    charge(size(item.as_ref())?)?;
    members.contains(item.as_ref()).map(new_bool)
}

/// Compiled regular expressions: those that are written literally are compiled when the file is loaded.
#[derive(Default)]
pub(crate) struct Patterns(RwLock<HashMap<String, Regex>>);

impl Patterns {
    /// Largest compiled size of a pattern that is written literally; of any other.
    const COMPILED_BYTES: (usize, usize) = (4 << 20, 256 << 10);

    /// Compiles a literal pattern.
    ///
    /// # Errors
    /// The reason why it is no regular expression.
    pub(crate) fn add(&self, pattern: &str) -> Result<(), String> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(pattern) {
            return Ok(());
        }
        let compiled = RegexBuilder::new(pattern).size_limit(Self::COMPILED_BYTES.0).build().map_err(|problem| {
            let text = problem.to_string();
            text.lines().last().unwrap_or("invalid").trim().trim_start_matches("error: ").to_owned()
        })?;
        known.insert(pattern.to_owned(), compiled);
        Ok(())
    }

    /// `@matches(text, pattern)`.
    fn matches<'b, 'v>(&self, subject: &CowVal<'_, '_>, pattern: &CowVal<'_, '_>) -> Evaluated<'b, 'v> {
        let (Some(subject), Some(pattern)) = (text(subject), text(pattern)) else {
            return Err(no_overload(MATCHES, &[subject, pattern]));
        };
        charge(text_units(subject.len()))?;
        if subject.len() > Limit::MATCHED_BYTES {
            return Err(error::limit(error::LONG_MATCH));
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = known.get(pattern) {
            return Ok(new_bool(compiled.is_match(subject)));
        }
        drop(known);
        charge(Limit::BUDGET / 100)?;
        if pattern.len() > Limit::PATTERN_BYTES {
            return Err(error::limit(error::LONG_PATTERN));
        }
        match RegexBuilder::new(pattern).size_limit(Self::COMPILED_BYTES.1).build() {
            Ok(compiled) => Ok(new_bool(compiled.is_match(subject))),
            Err(regex::Error::CompiledTooBig(_)) => Err(error::limit(error::LONG_PATTERN)),
            Err(_) => Err(ExecutionError::function_error(MATCHES, "the pattern is no regular expression")),
        }
    }
}
