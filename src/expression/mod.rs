//! Expressions: the Common Expression Language in the dialect of `broker.toml`, described in `docs/expressions.md`.
//!
//! Owns what an expression may name ([`Place`], [`names`]), how its text is read ([`syntax`]), our functions
//! ([`functions`]), what an evaluation may cost ([`bounds`], [`meter`]), and how its result reads as present, absent or
//! wrong ([`value`], [`error`]). It does not own what an expression's value is used for. The language itself (operators,
//! macros, standard functions, evaluation) is crate `cel`'s.
//!
//! A [`Compiler`] serves one configuration generation: equal expressions are compiled once, functions, tables and regular
//! expressions are shared. An evaluation sees only its [`Bindings`]; there is no I/O and no clock.

mod bindings;
mod bounds;
mod direct;
mod error;
mod facts;
mod functions;
mod lists;
mod meter;
mod names;
mod syntax;
mod texts;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use bindings::Scope;
use cel::{Context, IdedExpr};
use direct::Direct;
use serde_json::Value;

pub use bindings::{Bindings, Reads, Variable};
pub use bounds::Limit;
pub use error::{ErrorKind, EvalError};
pub use facts::Facts;

/// Lookup tables by id: what `lookup('id')` reads.
pub type Tables = BTreeMap<String, BTreeMap<String, String>>;

/// Where an expression stands, and so which variables it may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// `providers.X.claims` and `providers.X.subject`: `claims`.
    Claims,
    /// `providers.X.allow`: `claims`, `user`, `provider`.
    Allow,
    /// `role_rules` `when`: `user`, `groups`, `roles`, `provider`.
    When,
    /// `certificates.username`: `cert`.
    Certificate,
    /// `clients.Y.require` and `clients.Y.claims`: `user`, `groups`, `roles`, `permissions`, `provider`, `client`,
    /// `scopes`, `acr`, `amr`.
    App,
}

impl Place {
    const ALL: [Self; 5] = [Self::Claims, Self::Allow, Self::When, Self::Certificate, Self::App];

    /// The variables that may be read here.
    #[must_use]
    pub const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Claims => &["claims"],
            Self::Allow => &["claims", "user", "provider"],
            Self::When => &["user", "groups", "roles", "provider"],
            Self::Certificate => &["cert"],
            Self::App => &["user", "groups", "roles", "permissions", "provider", "client", "scopes", "acr", "amr"],
        }
    }
}

/// What is wrong with an expression, and where in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Offset in bytes from the start of the expression, at a character's start.
    pub offset: usize,
    /// Length in bytes of what is wrong; at least 1, also at the end of the text.
    pub len: usize,
    /// What is wrong.
    pub message: String,
    /// The nearest name that exists, or what should stand there.
    pub suggestion: Option<String>,
}

impl Problem {
    fn whole(source: &str, message: impl Into<String>) -> Self {
        Self { offset: 0, len: source.len().max(1), message: message.into(), suggestion: None }
    }
}

/// A checked expression, cheap to clone.
#[derive(Clone)]
pub struct Compiled(Arc<Inner>);

struct Inner {
    source: String,
    /// The metered expression.
    expr: IdedExpr,
    /// The answer without `cel`, for expressions of plain forms.
    direct: Option<Direct>,
    /// What it reads of its variables.
    reads: Reads,
    /// How often it looks at a value as a whole, outside of loops.
    scans: u64,
    /// What can be read off it.
    facts: Facts,
}

impl Inner {
    /// Evaluates it in full.
    fn run(&self, scope: &Scope<'_>) -> Result<Outcome, EvalError> {
        let looks = self.scans.saturating_mul(scope.units) / bounds::SCANNED_PER_UNIT;
        bounds::run(looks, || cel::Value::resolve(&self.expr, &scope.context))
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compiled").field(&self.0.source).finish()
    }
}

/// Compiles the expressions of one configuration generation.
pub struct Compiler {
    engine: Arc<Engine>,
    tables: Arc<Tables>,
    patterns: Arc<functions::Patterns>,
    seen: HashMap<(Place, String), Result<Compiled, Vec<Problem>>>,
}

/// What every evaluation of a generation shares: functions, tables, regular expressions.
pub struct Engine {
    context: Context<'static, 'static>,
    tables: Arc<Tables>,
}

impl Engine {
    /// The lookup tables of this generation.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

impl Compiler {
    /// A compiler whose expressions look up `tables`.
    #[must_use]
    pub fn new(tables: Tables) -> Self {
        let (tables, patterns) = (Arc::new(tables), Arc::new(functions::Patterns::default()));
        let engine = Arc::new(functions::engine(Arc::clone(&tables), Arc::clone(&patterns)));
        Self { engine, tables, patterns, seen: HashMap::new() }
    }

    /// The shared part, needed to make [`Bindings`].
    #[must_use]
    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    /// Compiles an expression for a place, or returns the one compiled before.
    ///
    /// # Errors
    /// The first syntax error; or every unknown function, unknown variable, wrong number of arguments, unknown table and
    /// invalid regular expression, in branches never taken too.
    pub fn compile(&mut self, place: Place, source: &str) -> Result<Compiled, Vec<Problem>> {
        let key = (place, source.to_owned());
        if let Some(known) = self.seen.get(&key) {
            return known.clone();
        }
        let compiled = self.compile_new(place, source);
        self.seen.insert(key, compiled.clone());
        compiled
    }

    fn compile_new(&self, place: Place, source: &str) -> Result<Compiled, Vec<Problem>> {
        let mut expr = syntax::parse(source)?;
        // Before anything recurses over it.
        bounds::check_depth(&expr, source)?;
        let problems = names::check(place, &expr, source, &self.tables, &self.patterns);
        if !problems.is_empty() {
            return Err(problems);
        }
        let facts = facts::of(&expr);
        let direct = Direct::of(place, &expr);
        let reads = Reads::of_expression(place, &expr);
        let scans = meter::rewrite(&mut expr);
        bounds::check_depth(&expr, source)?;
        Ok(Compiled(Arc::new(Inner { source: source.to_owned(), expr, direct, reads, scans, facts })))
    }
}

/// The result of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It has a value.
    Present(Value),
    /// A key was not there, or the value is null or an empty optional.
    Absent,
}

/// Why a condition did not hold, where it was neither true nor false.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// A key was not there.
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
    /// The expression as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// What it reads of its variables.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.0.reads
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

/// Evaluates alternatives: the first that is present counts. Returns it with its position.
///
/// # Errors
/// The first alternative that fails otherwise than by absence, with its position.
pub fn first_present(
    alternatives: &[Compiled],
    bindings: &Bindings<'_>,
) -> Result<Option<(Value, usize)>, (usize, EvalError)> {
    for (position, alternative) in alternatives.iter().enumerate() {
        match alternative.eval(bindings) {
            Ok(Outcome::Present(value)) => return Ok(Some((value, position))),
            Ok(Outcome::Absent) => {}
            Err(error) => return Err((position, error)),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
