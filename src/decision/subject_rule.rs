//! The subject of an account at a provider that does not define one: an expression over what the provider says.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::expression::{Bindings, Compiled, Engine, Variable, first_present};

/// The longest subject, in bytes (OIDC Core §2).
const LONGEST: usize = 255;

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
        let bindings = Bindings::new(&self.engine).with("claims", Variable::object(claims));
        match first_present(std::slice::from_ref(&self.expression), &bindings) {
            Ok(Some((Value::String(subject), _))) if subject.len() <= LONGEST => Ok(subject),
            Ok(Some((Value::String(_), _))) => Err("`subject` yields a text of more than 255 bytes"),
            Ok(Some(_)) => Err("`subject` yields no text; string(...) makes one"),
            Ok(None) => Err("`subject` yields nothing"),
            Err(_) => Err("`subject` can't be evaluated"),
        }
    }
}
