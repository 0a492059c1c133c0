//! The regular expressions of `matches()`.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use cel::ExecutionError;
use cel::common::value::CowVal;
use regex::{Regex, RegexBuilder};

use crate::config::language::role_pattern::{PatternProblem, syntax};
use crate::expression::args::{Evaluated, new_bool, no_overload, text};
use crate::expression::budget::charge;
use crate::expression::catalogue::MATCHES;
use crate::expression::error;
use crate::expression::limits::{Limit, text_units};

/// Compiled regular expressions. Literal patterns are compiled when the file is loaded.
#[derive(Default)]
pub(crate) struct Patterns(RwLock<HashMap<String, Regex>>);

impl Patterns {
    /// The largest compiled size, in bytes, of a literal pattern, and of any other.
    const COMPILED_BYTES: (usize, usize) = (4 << 20, 256 << 10);

    /// Compiles a literal pattern.
    ///
    /// # Errors
    /// The reason why it is not a regular expression.
    pub(crate) fn add(&self, pattern: &str) -> Result<(), String> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(pattern) {
            return Ok(());
        }
        syntax(pattern).map_err(|problem| {
            let before = pattern.get(..problem.offset).map_or(0, |before| before.chars().count());
            format!("{}, at character {} of the pattern", problem.reason, before + 1)
        })?;
        let built = RegexBuilder::new(pattern).size_limit(Self::COMPILED_BYTES.0).build();
        let compiled = built.map_err(|error| PatternProblem::whole(pattern, &error).reason)?;
        known.insert(pattern.to_owned(), compiled);
        Ok(())
    }

    /// `@matches(text, pattern)`.
    pub(crate) fn matches<'b, 'v>(&self, subject: &CowVal<'_, '_>, pattern: &CowVal<'_, '_>) -> Evaluated<'b, 'v> {
        let (Some(subject), Some(pattern)) = (text(subject), text(pattern)) else {
            return Err(no_overload(MATCHES, &[subject, pattern]));
        };
        charge(text_units(subject.len()))?;
        if subject.len() > Limit::MATCHED_BYTES {
            return Err(error::limit(error::LONG_MATCH));
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = known.get(pattern) {
            return Ok(new_bool(compiled.is_match(subject)));
        }
        drop(known);
        charge(Limit::BUDGET / 100)?;
        if pattern.len() > Limit::PATTERN_BYTES {
            return Err(error::limit(error::LONG_PATTERN));
        }
        match RegexBuilder::new(pattern).size_limit(Self::COMPILED_BYTES.1).build() {
            Ok(compiled) => Ok(new_bool(compiled.is_match(subject))),
            Err(regex::Error::CompiledTooBig(_)) => Err(error::limit(error::LONG_PATTERN)),
            Err(_) => Err(ExecutionError::function_error(MATCHES, "the pattern is not a regular expression")),
        }
    }
}
