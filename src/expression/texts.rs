//! Our functions on strings, and those of the string extension whose result may be larger than their arguments.

use cel::ExecutionError;
use cel::common::types::{CelInt, CelList, CelString};
use cel::common::value::{CowVal, Val};

use crate::digest::sha256_hex;
use crate::expression::args::{Args, Evaluated, new_text, no_overload, take, text};
use crate::expression::budget::charge;
use crate::expression::catalogue::{JOIN, REPLACE, SPLIT};
use crate::expression::engine::Tables;
use crate::expression::limits::text_units;

/// A function from a string to a string.
fn on_text<'b, 'v>(
    function: &str,
    args: Args<'b, 'v>,
    apply: impl FnOnce(&str) -> Result<String, ExecutionError>,
) -> Evaluated<'b, 'v> {
    let [this] = take(args)?;
    let Some(this) = text(&this) else { return Err(no_overload(function, &[&this])) };
    charge(text_units(this.len()))?;
    apply(this).map(new_text)
}

/// A part of a string, determined by a separator.
fn part<'b, 'v>(
    function: &str,
    args: Args<'b, 'v>,
    select: impl for<'a> FnOnce(&'a str, &str) -> &'a str,
) -> Evaluated<'b, 'v> {
    let [this, separator] = take(args)?;
    let (Some(this), Some(separator)) = (text(&this), text(&separator)) else {
        return Err(no_overload(function, &[&this, &separator]));
    };
    charge(text_units(this.len()))?;
    Ok(new_text(select(this, separator).to_owned()))
}

pub(crate) fn lower<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    on_text("lower", args, |this| Ok(this.to_lowercase()))
}

pub(crate) fn upper<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    on_text("upper", args, |this| Ok(this.to_uppercase()))
}

/// The part before the first separator, or the whole string if it does not occur.
pub(crate) fn before<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    part("before", args, |this, separator| this.split_once(separator).map_or(this, |(before, _)| before))
}

/// The part after the first separator, or the empty string if it does not occur.
pub(crate) fn after<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    part("after", args, |this, separator| this.split_once(separator).map_or("", |(_, after)| after))
}

/// The part after the only `@`, in lower case, because domains are compared that way. An address with several is an error:
/// programs differ in which `@` they use, and attacks rely on that.
pub(crate) fn domain<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    on_text("domain", args, |this| match this.split_once('@') {
        Some((_, domain)) if !domain.contains('@') => Ok(domain.to_lowercase()),
        _ => Err(ExecutionError::function_error("domain", "an address has exactly one @")),
    })
}

/// Lower-case hexadecimal.
pub(crate) fn sha256<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    on_text("sha256", args, |this| Ok(sha256_hex(this.as_bytes())))
}

/// Puts a prefix in front of a string, or of every string in a list.
pub(crate) fn prefix<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this, prefix] = take(args)?;
    let (Some(front), true) = (text(&prefix), text(&this).is_some() || list(&this).is_some()) else {
        return Err(no_overload("prefix", &[&this, &prefix]));
    };
    if let Some(this) = text(&this) {
        charge(text_units(front.len() + this.len()))?;
        return Ok(new_text(format!("{front}{this}")));
    }
    let items = list(&this).unwrap_or_default();
    let mut prefixed: Vec<Box<dyn Val + 'v>> = Vec::new();
    for item in items {
        let item = item_text("prefix", item.as_ref())?;
        charge(text_units(front.len() + item.len()))?;
        prefixed.push(Box::new(CelString::from(format!("{front}{item}"))));
    }
    Ok(CowVal::owned(CelList::from(prefixed)))
}

/// Looks up a string or a list of strings in a table. Items that are not in the table are left out of the list; a single
/// string that is not in it is absent.
pub(crate) fn lookup<'c, 'v>(tables: &Tables, this: &CowVal<'c, 'v>, table: &CowVal<'c, 'v>) -> Evaluated<'c, 'v> {
    let Some(name) = text(table) else { return Err(no_overload("lookup", &[this, table])) };
    let Some(entries) = tables.get(name) else {
        return Err(ExecutionError::function_error("lookup", "there is no table of that name"));
    };
    if let Some(key) = text(this) {
        charge(text_units(key.len()))?;
        let found = entries.get(key).ok_or_else(|| ExecutionError::no_such_key("lookup"))?;
        return Ok(new_text(found.clone()));
    }
    let Some(items) = list(this) else { return Err(no_overload("lookup", &[this, table])) };
    let mut found: Vec<Box<dyn Val + 'v>> = Vec::new();
    for item in items {
        let key = item_text("lookup", item.as_ref())?;
        charge(text_units(key.len()))?;
        if let Some(hit) = entries.get(key) {
            charge(text_units(hit.len()))?;
            found.push(Box::new(CelString::from(hit.clone())));
        }
    }
    Ok(CowVal::owned(CelList::from(found)))
}

pub(crate) fn replace<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this, from, to] = take(args)?;
    replaced(&this, &from, &to, usize::MAX)
}

/// Replaces at most this many occurrences; all of them if the number is negative.
pub(crate) fn replace_some<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this, from, to, most] = take(args)?;
    let Some(most) = number(&most) else { return Err(no_overload(REPLACE, &[&this, &from, &to, &most])) };
    replaced(&this, &from, &to, most)
}

fn replaced<'b, 'v>(
    this: &CowVal<'_, '_>,
    from: &CowVal<'_, '_>,
    to: &CowVal<'_, '_>,
    most: usize,
) -> Evaluated<'b, 'v> {
    let (Some(this), Some(from), Some(to)) = (text(this), text(from), text(to)) else {
        return Err(no_overload(REPLACE, &[this, from, to]));
    };
    let hits = this.matches(from).take(most).count();
    charge(text_units(this.len().saturating_add(hits.saturating_mul(to.len()))))?;
    Ok(new_text(this.replacen(from, to, hits)))
}

pub(crate) fn join<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this] = take(args)?;
    joined(&this, "").unwrap_or_else(|| Err(no_overload(JOIN, &[&this])))
}

pub(crate) fn join_with<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this, separator] = take(args)?;
    text(&separator)
        .and_then(|separator| joined(&this, separator))
        .unwrap_or_else(|| Err(no_overload(JOIN, &[&this, &separator])))
}

fn joined<'b, 'v>(this: &CowVal<'_, '_>, separator: &str) -> Option<Evaluated<'b, 'v>> {
    let items = list(this)?;
    let mut whole = String::new();
    let mut join = || {
        for (n, item) in items.iter().enumerate() {
            let item = item_text(JOIN, item.as_ref())?;
            charge(text_units(item.len() + separator.len()))?;
            if n > 0 {
                whole.push_str(separator);
            }
            whole.push_str(item);
        }
        Ok(())
    };
    let joined: Result<(), ExecutionError> = join();
    Some(joined.map(|()| new_text(whole)))
}

pub(crate) fn split<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this, separator] = take(args)?;
    parts(&this, &separator, usize::MAX)
}

/// Splits into at most this many parts, the last of which is the rest: none for 0, all if the number is negative.
pub(crate) fn split_some<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this, separator, most] = take(args)?;
    let Some(most) = number(&most) else { return Err(no_overload(SPLIT, &[&this, &separator, &most])) };
    parts(&this, &separator, most)
}

fn parts<'b, 'v>(this: &CowVal<'_, '_>, separator: &CowVal<'_, '_>, most: usize) -> Evaluated<'b, 'v> {
    let (Some(this), Some(separator)) = (text(this), text(separator)) else {
        return Err(no_overload(SPLIT, &[this, separator]));
    };
    let mut parts: Vec<Box<dyn Val + 'v>> = Vec::new();
    let mut rest = Some(this).filter(|this| most > 0 && !(this.is_empty() && separator.is_empty()));
    while let Some(text) = rest {
        let cut = if parts.len() + 1 >= most {
            None
        } else if separator.is_empty() {
            // An empty separator splits between characters, so nothing follows the last one.
            text.chars().next().map(|c| text.split_at(c.len_utf8())).filter(|(_, rest)| !rest.is_empty())
        } else {
            text.split_once(separator)
        };
        let (part, after) = cut.map_or((text, None), |(part, rest)| (part, Some(rest)));
        charge(text_units(part.len()))?;
        parts.push(Box::new(CelString::from(part.to_owned())));
        rest = after;
    }
    Ok(CowVal::owned(CelList::from(parts)))
}

/// A count; a negative number means no limit.
fn number(value: &CowVal<'_, '_>) -> Option<usize> {
    let number = value.as_ref().downcast_ref::<CelInt>()?;
    Some(usize::try_from(*number.inner()).unwrap_or(usize::MAX))
}

fn list<'a, 'v>(value: &'a CowVal<'_, 'v>) -> Option<&'a [Box<dyn Val + 'v>]> {
    value.as_ref().downcast_ref::<CelList>().map(CelList::inner)
}

fn item_text<'a>(function: &str, item: &'a dyn Val) -> Result<&'a str, ExecutionError> {
    item.downcast_ref::<CelString>()
        .map(CelString::inner)
        .ok_or_else(|| ExecutionError::function_error(function, "an item of the list is not a string"))
}
