//! A compiled expression and its evaluation.

use std::fmt;
use std::sync::Arc;

use cel::IdedExpr;
use serde_json::Value;

use crate::expression::bindings::{Bindings, Scope};
use crate::expression::budget;
use crate::expression::direct::Direct;
use crate::expression::error::EvalError;
use crate::expression::facts::Facts;
use crate::expression::limits::SCANNED_PER_UNIT;
use crate::expression::reads::Reads;
use crate::expression::value;
use crate::expression::value::Outcome;

/// A checked expression, cheap to clone.
#[derive(Clone)]
pub struct Compiled(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    /// The expression as written.
    pub(crate) source: String,
    /// The metered expression.
    pub(crate) expr: IdedExpr,
    /// The form in which it is answered without `cel`, if it is simple enough.
    pub(crate) direct: Option<Direct>,
    /// The variables that it reads.
    pub(crate) reads: Reads,
    /// How often it reads a whole value outside of loops.
    pub(crate) scans: u64,
    /// What is known about it without evaluating it.
    pub(crate) facts: Facts,
}

impl Inner {
    /// Evaluates it with `cel`.
    pub(crate) fn run(&self, scope: &Scope<'_>) -> Result<Outcome, EvalError> {
        let looks = self.scans.saturating_mul(scope.units) / SCANNED_PER_UNIT;
        budget::run(looks, || cel::Value::resolve(&self.expr, &scope.context))
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compiled").field(&self.0.source).finish()
    }
}

impl Reads {
    /// What has to be converted for these expressions; nothing for those that are answered without `cel`.
    #[must_use]
    pub fn of<'c>(expressions: impl IntoIterator<Item = &'c Compiled>) -> Self {
        let mut all = Self::default();
        for expression in expressions.into_iter().filter(|expression| expression.0.direct.is_none()) {
            all.join(&expression.0.reads);
        }
        all
    }
}

/// Why a condition is neither true nor false.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// A key that it reads is absent.
    #[error("a key that it reads is absent")]
    Absent,
    /// The result is not a boolean.
    #[error("the result is {0}, not a bool")]
    NotBoolean(&'static str),
    /// It failed.
    #[error(transparent)]
    Failed(EvalError),
}

impl Compiled {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The expression as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The variables that it reads.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.0.reads
    }

    /// The names that it tests for, except those in a negated test, and the tables that it uses.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// A wrong type, an overload that does not exist, a failed function, or a limit.
    pub fn eval(&self, bindings: &Bindings<'_>) -> Result<Outcome, EvalError> {
        let inner = &*self.0;
        match &inner.direct {
            None => inner.run(bindings.shared()),
            Some(direct) => match direct.outcome(bindings) {
                Some(outcome) => Ok(outcome),
                None => inner.run(&bindings.convert(Some(&inner.reads))),
            },
        }
    }

    /// Evaluates a condition.
    ///
    /// # Errors
    /// When it is neither true nor false.
    pub fn holds(&self, bindings: &Bindings<'_>) -> Result<bool, ConditionError> {
        if let Some(holds) = self.0.direct.as_ref().and_then(|direct| direct.holds(bindings)) {
            return Ok(holds);
        }
        match self.eval(bindings).map_err(ConditionError::Failed)? {
            Outcome::Present(Value::Bool(holds)) => Ok(holds),
            Outcome::Present(other) => Err(ConditionError::NotBoolean(value::type_name(&other))),
            Outcome::Absent => Err(ConditionError::Absent),
        }
    }
}

/// Evaluates alternatives, and returns the first one that is present with its position. An empty string counts as absent
/// (OIDC Core §5.3.2).
///
/// # Errors
/// The first alternative that fails for another reason than an absent key, with its position.
pub fn first_present(
    alternatives: &[Compiled],
    bindings: &Bindings<'_>,
) -> Result<Option<(Value, usize)>, (usize, EvalError)> {
    for (position, alternative) in alternatives.iter().enumerate() {
        match alternative.eval(bindings) {
            Ok(Outcome::Present(Value::String(text))) if text.is_empty() => {}
            Ok(Outcome::Present(value)) => return Ok(Some((value, position))),
            Ok(Outcome::Absent) => {}
            Err(error) => return Err((position, error)),
        }
    }
    Ok(None)
}
