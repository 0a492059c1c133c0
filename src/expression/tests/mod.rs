//! What expressions evaluate to, which ones are refused, and that evaluation is bounded.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod direct;
mod language;
mod limits;
mod page;
mod types;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::expression::*;

fn tables() -> Tables {
    let entry = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    let teams = [entry("1b2c", "platform"), entry("9f3c", "data")].into_iter().collect();
    [("teams".to_owned(), teams)].into_iter().collect()
}

fn compile(place: Place, source: &str) -> (Compiled, Arc<Engine>) {
    let mut compiler = Compiler::new(tables());
    let compiled = compiler.compile(place, source).unwrap_or_else(|p| panic!("{source}: {p:?}"));
    (compiled, compiler.engine())
}

fn eval(source: &str, claims: &Value) -> Result<Outcome, EvalError> {
    let (compiled, engine) = compile(Place::Claims, source);
    let bindings = Bindings::new(&engine).with("claims", Variable::json(claims));
    compiled.eval(&bindings)
}

fn problems(place: Place, source: &str) -> Vec<Problem> {
    Compiler::new(tables()).compile(place, source).expect_err(source)
}
