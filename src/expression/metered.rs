//! The internal functions that [`meter`](crate::expression::meter) inserts into expressions: they charge the budget, then
//! do what `cel` would have done.

use cel::ExecutionError;
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::{CowVal, Val};

use crate::expression::args::{Args, Evaluated, new_bool, new_text, no_overload, take, text};
use crate::expression::budget;
use crate::expression::budget::{charge, size};
use crate::expression::catalogue::{CONCAT, KEY, MEMBER};
use crate::expression::limits::{SCANNED_PER_UNIT, text_units};
use crate::expression::value;

/// `@finish(x)`: hands `x` over as the result.
pub(crate) fn finish<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [result] = take(args)?;
    budget::finish(value::to_outcome(result.as_ref()));
    Ok(CowVal::owned(CelNull))
}

/// `@copy(x)`: `x`, charged as a copy.
pub(crate) fn copy<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [value] = take(args)?;
    charge(size(value.as_ref())?)?;
    Ok(value)
}

/// `@scan(x)`: `x`, charged as a read.
pub(crate) fn scan<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
    let [value] = take(args)?;
    charge(1 + size(value.as_ref())? / SCANNED_PER_UNIT)?;
    Ok(value)
}

/// `@key(x)`: `x`, if it can be the key of an object or the index of a list. `cel` would copy any other value into its
/// error, and for a fraction the list too.
pub(crate) fn key<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
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

/// `@range(x, weight)`: what a loop iterates over, charged for every iteration. The keys of an object are sorted, because
/// `cel` returns them in a different order each time.
pub(crate) fn range<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
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
pub(crate) fn concat<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
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
pub(crate) fn member<'b, 'v>(args: Args<'b, 'v>) -> Evaluated<'b, 'v> {
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
