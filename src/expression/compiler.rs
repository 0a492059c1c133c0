//! From the text of an expression to a [`Compiled`] one, for one configuration generation.

use std::collections::HashMap;
use std::sync::Arc;

use crate::expression::compiled::{Compiled, Inner};
use crate::expression::direct::Direct;
use crate::expression::engine::{Engine, Tables};
use crate::expression::patterns::Patterns;
use crate::expression::place::Place;
use crate::expression::problem::Problem;
use crate::expression::reads::Reads;
use crate::expression::vocabulary::Vocabulary;
use crate::expression::{facts, functions, meter, names, syntax, typing};

/// Compiles the expressions of one configuration generation.
pub struct Compiler {
    engine: Arc<Engine>,
    tables: Arc<Tables>,
    patterns: Arc<Patterns>,
    vocabulary: Vocabulary,
    seen: HashMap<(Place, String), Result<Compiled, Vec<Problem>>>,
}

impl Compiler {
    /// A compiler whose expressions look up `tables`.
    #[must_use]
    pub fn new(tables: Tables) -> Self {
        Self::with_vocabulary(tables, Vocabulary::default())
    }

    /// The same, which also knows what a file says of the names that its expressions compare with.
    #[must_use]
    pub fn with_vocabulary(tables: Tables, vocabulary: Vocabulary) -> Self {
        let (tables, patterns) = (Arc::new(tables), Arc::new(Patterns::default()));
        let engine = Arc::new(functions::engine(Arc::clone(&tables), Arc::clone(&patterns)));
        Self { engine, tables, patterns, vocabulary, seen: HashMap::new() }
    }

    /// The shared part, needed to make [`Bindings`](crate::expression::Bindings).
    #[must_use]
    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    /// Compiles an expression for a place, or returns the one compiled before.
    ///
    /// # Errors
    /// The first syntax error; or every unknown function, unknown variable, wrong number of arguments, unknown table and
    /// invalid regular expression, every type that can only fail and every name that nothing has, including those in branches
    /// that are never taken.
    pub fn compile(&mut self, place: Place, source: &str) -> Result<Compiled, Vec<Problem>> {
        let key = (place, source.to_owned());
        if let Some(known) = self.seen.get(&key) {
            return known.clone();
        }
        let compiled = self.compile_new(place, source);
        self.seen.insert(key, compiled.clone());
        compiled
    }

    /// Compiles a condition, which must be true or false, and not the same for everybody.
    ///
    /// # Errors
    /// As [`Compiler::compile`] has them, or what is wrong with it as a condition.
    pub fn compile_condition(&mut self, place: Place, source: &str) -> Result<Compiled, Vec<Problem>> {
        let compiled = self.compile(place, source)?;
        let problems = typing::check_condition(place, &syntax::parse(source)?, source, &self.vocabulary);
        if problems.is_empty() { Ok(compiled) } else { Err(problems) }
    }

    fn compile_new(&self, place: Place, source: &str) -> Result<Compiled, Vec<Problem>> {
        let mut expr = syntax::parse(source)?;
        // This comes before anything that recurses over the expression.
        syntax::check_depth(&expr, source)?;
        let problems = names::check(place, &expr, source, &self.tables, &self.patterns);
        if !problems.is_empty() {
            return Err(problems);
        }
        // What a provider sends has no known type, and every claim's expression is evaluated for what it gives.
        if place != Place::Claims {
            let problems = typing::check(place, &expr, source, &self.vocabulary);
            if !problems.is_empty() {
                return Err(problems);
            }
        }
        let facts = facts::of(&expr);
        let direct = Direct::of(place, &expr);
        let reads = Reads::of_expression(place, &expr);
        let scans = meter::rewrite(&mut expr);
        syntax::check_depth(&expr, source)?;
        Ok(Compiled::new(Inner { source: source.to_owned(), expr, direct, reads, scans, facts }))
    }
}
