//! The subject of an account at a provider that does not define one: an expression over what the provider says.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::expression::{Bindings, Compiled, Engine, Variable, first_present};

/// The longest subject, in bytes (OIDC Core §2).
const LONGEST: usize = 255;

/// The largest integer below which a floating-point number stands for no other one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Removes numbers from a value that may stand for several: fractions, and integers that do not fit into 64 bits, which are
/// rounded when JSON is read. Two people must not become one. Whether the value itself can stay.
fn keep_exact(value: &mut Value) -> bool {
    match value {
        Value::Number(number) if number.is_f64() => {
            number.as_f64().is_some_and(|number| number.fract() == 0.0 && number.abs() < EXACT)
        }
        Value::Array(items) => {
            // Another item must not take the place of one that is removed.
            items.iter_mut().for_each(|item| {
                if !keep_exact(item) {
                    *item = Value::Null;
                }
            });
            true
        }
        Value::Object(members) => {
            members.retain(|_, member| keep_exact(member));
            true
        }
        _ => true,
    }
}

/// An expression for the subject, with what it needs to be evaluated.
#[derive(Clone, Debug)]
pub struct SubjectRule {
    expression: Compiled,
    engine: Arc<Engine>,
}

impl SubjectRule {
    /// A rule of this expression.
    #[must_use]
    pub fn new(expression: Compiled, engine: Arc<Engine>) -> Self {
        Self { expression, engine }
    }

    /// The subject by these claims.
    ///
    /// # Errors
    /// Why they yield none.
    pub fn of(&self, claims: &Map<String, Value>) -> Result<String, &'static str> {
        let mut claims = claims.clone();
        claims.retain(|_, value| keep_exact(value));
        let bindings = Bindings::new(&self.engine).with("claims", Variable::object(&claims));
        match first_present(std::slice::from_ref(&self.expression), &bindings) {
            Ok(Some((Value::String(subject), _))) if subject.len() <= LONGEST => Ok(subject),
            Ok(Some((Value::String(_), _))) => Err("`subject` yields a text of more than 255 bytes"),
            Ok(Some(_)) => Err("`subject` yields no text; string(...) makes one"),
            Ok(None) => Err("`subject` yields nothing; a number that can't be read exactly counts as absent"),
            Err(_) => Err("`subject` can't be evaluated"),
        }
    }
}
