//! Compiles the text of an expression for one configuration generation.

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
use crate::protocol::ClaimType;

/// Compiles the expressions of one configuration generation.
pub struct Compiler {
    engine: Arc<Engine>,
    tables: Arc<Tables>,
    patterns: Arc<Patterns>,
    vocabulary: Vocabulary,
    seen: HashMap<(Place, String), Result<Compiled, Vec<Problem>>>,
}

impl Compiler {
    /// A compiler whose expressions can look up `tables`.
    #[must_use]
    pub fn new(tables: Tables) -> Self {
        Self::with_vocabulary(tables, Vocabulary::default())
    }

    /// A compiler that also knows which names a file declares, so that expressions can be checked against them.
    #[must_use]
    pub fn with_vocabulary(tables: Tables, vocabulary: Vocabulary) -> Self {
        let (tables, patterns) = (Arc::new(tables), Arc::new(Patterns::default()));
        let engine = Arc::new(functions::engine(Arc::clone(&tables), Arc::clone(&patterns)));
        Self { engine, tables, patterns, vocabulary, seen: HashMap::new() }
    }

    /// The shared state, needed to create [`Bindings`](crate::expression::Bindings).
    #[must_use]
    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    /// Compiles an expression for a place, or returns the result of an earlier call.
    ///
    /// # Errors
    /// The first syntax error. Otherwise all unknown functions, unknown variables, wrong numbers of arguments, unknown tables
    /// and invalid regular expressions, all operations on types that can only fail, and all names that do not exist,
    /// including those in branches that are never taken.
    pub fn compile(&mut self, place: Place, source: &str) -> Result<Compiled, Vec<Problem>> {
        let key = (place, source.to_owned());
        if let Some(known) = self.seen.get(&key) {
            return known.clone();
        }
        let compiled = self.compile_new(place, source);
        self.seen.insert(key, compiled.clone());
        compiled
    }

    /// Compiles a condition, which must be a boolean and must not be the same for everybody.
    ///
    /// # Errors
    /// The problems that [`Compiler::compile`] reports, or those of the condition.
    pub fn compile_condition(&mut self, place: Place, source: &str) -> Result<Compiled, Vec<Problem>> {
        let compiled = self.compile(place, source)?;
        let problems = typing::check_condition(place, &syntax::parse(source)?, source, &self.vocabulary);
        if problems.is_empty() { Ok(compiled) } else { Err(problems) }
    }

    /// Compiles an expression for a claim, whose value must be able to have the claim's type. This includes the types inside
    /// an expression of `providers.X.claims`, as far as they do not come from the provider's claims.
    ///
    /// # Errors
    /// The problems that [`Compiler::compile`] reports, or those of the types.
    pub fn compile_claim(&mut self, place: Place, claim: ClaimType, source: &str) -> Result<Compiled, Vec<Problem>> {
        let compiled = self.compile(place, source)?;
        let problems = typing::check_claim(place, claim, &syntax::parse(source)?, source, &self.vocabulary);
        if problems.is_empty() { Ok(compiled) } else { Err(problems) }
    }

    fn compile_new(&self, place: Place, source: &str) -> Result<Compiled, Vec<Problem>> {
        let mut expr = syntax::parse(source)?;
        // This must come before anything that recurses over the expression.
        syntax::check_depth(&expr, source)?;
        let problems = names::check(place, &expr, source, &self.tables, &self.patterns);
        if !problems.is_empty() {
            return Err(problems);
        }
        // Most of what stands there comes from the provider and has no known type; `compile_claim` checks the rest.
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
