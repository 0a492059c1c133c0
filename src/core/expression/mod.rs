//! Expressions: the Common Expression Language in the dialect of `broker.toml`.
//!
//! Owns what an expression may name ([`Place`], [`names`]), our functions ([`functions`]), what an evaluation may cost
//! ([`bounds`]), and how its result reads as present, absent or wrong. It does not own what an expression's value is
//! used for. The language itself (syntax, operators, standard functions) is crate `cel`'s.
//!
//! An [`Compiler`] serves one configuration generation: equal expressions are compiled once, tables are shared. An
//! evaluation sees only its [`Bindings`]; there is no I/O and no clock.

mod bounds;
mod facts;
mod functions;
mod names;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use cel::{Context, ExecutionError, IdedExpr};
use serde_json::Value;

pub use bounds::Limit;
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
    /// Offset in bytes from the start of the expression.
    pub offset: usize,
    /// Length in bytes of what is wrong; at least 1.
    pub len: usize,
    /// What is wrong.
    pub message: String,
    /// The nearest name that exists.
    pub suggestion: Option<String>,
}

/// A checked expression, cheap to clone.
#[derive(Clone)]
pub struct Compiled(Arc<Inner>);

struct Inner {
    source: String,
    expr: IdedExpr,
    /// Variables that it may read; a loop variable of the same name counts too.
    reads: Vec<&'static str>,
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
    seen: HashMap<(Place, String), Result<Compiled, Vec<Problem>>>,
}

/// What every evaluation of a generation shares: functions and tables.
pub struct Engine {
    context: Context<'static, 'static>,
    env: Arc<cel::Env>,
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
        let tables = Arc::new(tables);
        let engine = Arc::new(functions::engine(&tables));
        Self { engine, tables, seen: HashMap::new() }
    }

    /// The shared part, needed to make [`Bindings`].
    #[must_use]
    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    /// Compiles an expression for a place, or returns the one compiled before.
    ///
    /// # Errors
    /// Every syntax error, unknown function, unknown variable, wrong argument count, unknown table and invalid regular
    /// expression literal, in branches never taken too.
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
        bounds::check_source(source)?;
        let parser = self.engine.env.parser().enable_optional_syntax(true);
        let (mut expr, info) =
            parser.parse_with_source_info(source).map_err(|errors| names::syntax(source, &errors))?;
        bounds::check_depth(&expr, source)?;
        let problems = names::check(place, &expr, source, &info, &self.tables);
        if !problems.is_empty() {
            return Err(problems);
        }
        let reads = names::reads(place, &expr);
        bounds::meter(&mut expr);
        Ok(Compiled(Arc::new(Inner { source: source.to_owned(), expr, reads })))
    }
}

/// The variables of one evaluation; built once, read by many expressions.
pub struct Bindings<'e> {
    context: Context<'e, 'static>,
}

impl<'e> Bindings<'e> {
    /// No variables yet.
    #[must_use]
    pub fn new(engine: &'e Engine) -> Self {
        Self { context: engine.context.new_inner_scope() }
    }

    /// Sets a variable. Object members that are null are absent, as `config.md` reads them.
    pub fn set(&mut self, name: &str, value: &Value) {
        self.context.add_variable_from_value(name, value::from_json(value));
    }

    /// Sets a variable to a string.
    pub fn set_text(&mut self, name: &str, value: &str) {
        self.context.add_variable_from_value(name, cel::Value::String(Arc::new(value.to_owned())));
    }

    /// Sets a variable to a list of strings.
    pub fn set_list(&mut self, name: &str, items: &[String]) {
        self.context.add_variable_from_value(name, value::from_strings(items));
    }

    /// Sets a variable to an object, without wrapping it in a [`Value`] first.
    pub fn set_object(&mut self, name: &str, value: &serde_json::Map<String, Value>) {
        self.context.add_variable_from_value(name, value::from_object(value));
    }
}

/// The result of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It has a value.
    Present(Value),
    /// A key was not there, or the value is null.
    Absent,
}

/// Why an expression has no result. The text never contains a value: values are personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvalError(pub String);

/// Why a condition did not hold, where it was neither true nor false.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// A key was not there.
    #[error("a key that it reads is absent")]
    Absent,
    /// The result is not a boolean.
    #[error("the result is a {0}, not a boolean")]
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

    /// Whether it may read a variable: one that no expression reads need not be set.
    #[must_use]
    pub fn reads(&self, variable: &str) -> bool {
        self.0.reads.contains(&variable)
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// A wrong type, an overload that does not exist, a failed function, or a limit.
    pub fn eval(&self, bindings: &Bindings<'_>) -> Result<Outcome, EvalError> {
        let result = bounds::metered(|| cel::Value::resolve(&self.0.expr, &bindings.context));
        match result {
            Ok(value) => value::to_json(&value),
            Err(ExecutionError::NoSuchKey(_)) => Ok(Outcome::Absent),
            Err(error) => Err(EvalError(value::describe(&error))),
        }
    }

    /// Evaluates a condition.
    ///
    /// # Errors
    /// When it is neither true nor false.
    pub fn holds(&self, bindings: &Bindings<'_>) -> Result<bool, ConditionError> {
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
/// The first alternative that fails otherwise than by absence.
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
