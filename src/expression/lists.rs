//! Our functions on lists.

use std::cmp::Ordering;
use std::collections::HashSet;

use cel::ExecutionError;
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelNull, CelString, CelUInt};
use cel::common::value::{CowVal, Val};

use crate::expression::args::{Args, Evaluated, new_bool, no_overload, take, text};
use crate::expression::budget::{charge, size};

/// A list stays as it is, a string becomes a list of one item, null an empty list.
pub(crate) fn as_list<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this] = take(args)?;
    if this.as_ref().downcast_ref::<CelList>().is_some() {
        return Ok(this);
    }
    charge(size(this.as_ref())?)?;
    if text(&this).is_some() {
        return Ok(new_list(vec![this.into_owned()]));
    }
    if this.as_ref().downcast_ref::<CelNull>().is_some() {
        return Ok(new_list(Vec::new()));
    }
    Err(no_overload("asList", &[&this]))
}

/// Each item once, at its first position.
pub(crate) fn distinct<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this] = take(args)?;
    let items = items("distinct", &this)?;
    charge(size(this.as_ref())?)?;
    let mut seen = HashSet::with_capacity(items.len());
    let mut kept = Vec::new();
    for item in items {
        if seen.insert(Key::of("distinct", item.as_ref())?) {
            kept.push(item.clone());
        }
    }
    Ok(new_list(kept))
}

/// In ascending order; strings by their code points.
pub(crate) fn sorted<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this] = take(args)?;
    let items = items("sorted", &this)?;
    charge(size(this.as_ref())?.saturating_mul(2))?;
    let mut keyed =
        items.iter().map(|item| Ok((Key::of("sorted", item.as_ref())?, item))).collect::<Result<Vec<_>, _>>()?;
    let kinds: HashSet<u8> = keyed.iter().map(|(key, _)| key.kind()).collect();
    if kinds.len() > 1 {
        return Err(ExecutionError::function_error("sorted", "the items are of several types"));
    }
    keyed.sort_by(|a, b| a.0.order(&b.0));
    Ok(new_list(keyed.into_iter().map(|(_, item)| item.clone()).collect()))
}

/// Replaces each list in the list by its items, one level deep.
pub(crate) fn flatten<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this] = take(args)?;
    let items = items("flatten", &this)?;
    charge(size(this.as_ref())?)?;
    let mut flat: Vec<Box<dyn Val + 'v>> = Vec::new();
    for item in items {
        match item.as_ref().downcast_ref::<CelList>() {
            Some(inner) => flat.extend(inner.inner().iter().cloned()),
            None => flat.push(item.clone()),
        }
    }
    Ok(new_list(flat))
}

/// Whether two lists have an item in common.
pub(crate) fn intersects<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [this, other] = take(args)?;
    let (Ok(left), Ok(right)) = (items("intersects", &this), items("intersects", &other)) else {
        return Err(no_overload("intersects", &[&this, &other]));
    };
    charge(size(this.as_ref())?.saturating_add(size(other.as_ref())?))?;
    let (fewer, more) = if left.len() < right.len() { (left, right) } else { (right, left) };
    let known = fewer.iter().map(|item| Key::of("intersects", item.as_ref())).collect::<Result<HashSet<_>, _>>()?;
    // All items are checked, so that an item of a wrong type is an error at any position.
    let mut found = false;
    for item in more {
        found |= known.contains(&Key::of("intersects", item.as_ref())?);
    }
    Ok(new_bool(found))
}

fn items<'a, 'v>(function: &str, value: &'a CowVal<'_, 'v>) -> Result<&'a [Box<dyn Val + 'v>], ExecutionError> {
    value.as_ref().downcast_ref::<CelList>().map(CelList::inner).ok_or_else(|| no_overload(function, &[value]))
}

fn new_list<'b, 'v>(items: Vec<Box<dyn Val + 'v>>) -> CowVal<'b, 'v> {
    CowVal::owned(CelList::from(items))
}

/// The key by which an item is compared: `1`, `1u` and `1.0` are the same number, as in CEL.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Text(&'a str),
    Bool(bool),
    Whole(i128),
    /// The bits of a number that is not whole.
    Fraction(u64),
}

impl<'a> Key<'a> {
    fn of(function: &str, item: &'a dyn Val) -> Result<Self, ExecutionError> {
        if let Some(text) = item.downcast_ref::<CelString>() {
            Ok(Self::Text(text.inner()))
        } else if let Some(int) = item.downcast_ref::<CelInt>() {
            Ok(Self::Whole(i128::from(*int.inner())))
        } else if let Some(uint) = item.downcast_ref::<CelUInt>() {
            Ok(Self::Whole(i128::from(*uint.inner())))
        } else if let Some(bool) = item.downcast_ref::<CelBool>() {
            Ok(Self::Bool(*bool.inner()))
        } else if let Some(double) = item.downcast_ref::<CelDouble>().map(|double| *double.inner()) {
            let whole = double.fract() == 0.0 && double.abs() < 1e30;
            #[expect(clippy::cast_possible_truncation, reason = "whole and within the range of i128")]
            Ok(if whole { Self::Whole(double as i128) } else { Self::Fraction(double.to_bits()) })
        } else {
            Err(ExecutionError::function_error(function, "an item of the list is not a string, number or bool"))
        }
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Text(_) => 0,
            Self::Bool(_) => 1,
            Self::Whole(_) | Self::Fraction(_) => 2,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Whole(a), Self::Whole(b)) => a.cmp(b),
            (a, b) => a.number().total_cmp(&b.number()),
        }
    }

    fn number(&self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "compared with a number that is not whole")]
            Self::Whole(whole) => *whole as f64,
            Self::Fraction(bits) => f64::from_bits(*bits),
            Self::Text(_) | Self::Bool(_) => 0.0,
        }
    }
}
