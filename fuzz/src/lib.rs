//! The targets of `tests/fuzz`, for cargo-fuzz.
#![allow(dead_code, unused_imports)]

#[path = "../../tests/it/harness/mod.rs"]
mod harness;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../../tests/fuzz/targets.rs"]
mod targets;

use std::cell::RefCell;

thread_local! {
    static CHECK: RefCell<Option<targets::Check>> = const { RefCell::new(None) };
}

/// Gives a target an input; a broken invariant panics.
pub fn check(target: &str, input: &[u8]) {
    CHECK.with_borrow_mut(|check| {
        let find = || targets::TARGETS.iter().find(|(name, _)| *name == target).expect("a target of tests/fuzz").1;
        check.get_or_insert_with(|| find()())(input);
    });
}
