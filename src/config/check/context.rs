//! What every check has access to, and how it reports problems.

use std::fmt::Display;

use crate::config::Config;
use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{Problem, Problems, Severity, quote};
use crate::config::load::structure::Broken;
use crate::config::resolved::Resolved;

/// What every check has access to, and how it reports problems.
pub(crate) struct Context<'c> {
    pub(crate) config: &'c Config,
    pub(crate) resolved: &'c Resolved,
    pub(crate) layers: &'c Layers,
    pub(crate) broken: &'c Broken,
    pub(crate) problems: Problems,
}

impl<'c> Context<'c> {
    fn problem(&self, severity: Severity, at: &At<'_>, message: String) -> Problem {
        self.layers.problem_at(severity, self.layers.nearest_span(at), at.to_string(), message)
    }

    /// Adds a problem with the value at a path, unless the value has already been reported.
    fn push(&mut self, at: &At<'_>, problem: Problem) {
        if !self.broken.covers(at) {
            self.problems.push(problem);
        }
    }

    /// `x` must be `expected` but is `found`.
    pub(crate) fn must(&mut self, at: &At<'_>, expected: impl Display, found: impl Display) {
        self.must_or(at, expected, found, None);
    }

    /// As [`Self::must`], with a way to correct it.
    pub(crate) fn must_or(
        &mut self,
        at: &At<'_>,
        expected: impl Display,
        found: impl Display,
        way_out: Option<String>,
    ) {
        let message = format!("`{}` must be {expected} but is {found}", at.name());
        let problem = self.problem(Severity::Error, at, message);
        let problem = problem.found(found.to_string()).expected(expected.to_string()).suggest_maybe(way_out);
        self.push(at, problem);
    }

    /// Any other error.
    pub(crate) fn error(&mut self, at: &At<'_>, message: impl Into<String>, way_out: &str) {
        let problem = self.problem(Severity::Error, at, message.into());
        self.push(at, problem.suggest_maybe(Some(way_out.to_owned()).filter(|text| !text.is_empty())));
    }

    /// An error in a part of a string, given by its offset and length in bytes of the decoded string.
    pub(crate) fn error_inside(&mut self, at: &At<'_>, (offset, len): (usize, usize), message: String, found: &str) {
        let span = self.layers.inside(self.layers.nearest_span(at), offset, len);
        let problem = self.layers.problem_at(Severity::Error, span, at.to_string(), message);
        let problem = if found.trim().is_empty() { problem } else { problem.found(quote(found)) };
        self.push(at, problem);
    }

    /// An error in the key itself, not in its value.
    pub(crate) fn key_error(&mut self, at: &At<'_>, message: impl Into<String>, way_out: &str) {
        let span = self.layers.key_span(at).unwrap_or_else(|| self.layers.nearest_span(at));
        let problem = self.layers.problem_at(Severity::Error, span, at.to_string(), message.into());
        self.push(at, problem.suggest_maybe(Some(way_out.to_owned()).filter(|text| !text.is_empty())));
    }

    /// A warning.
    pub(crate) fn warn(&mut self, at: &At<'_>, message: impl Into<String>, way_out: &str) {
        let problem = self.problem(Severity::Warning, at, message.into());
        self.push(at, problem.suggest_maybe(Some(way_out.to_owned()).filter(|text| !text.is_empty())));
    }

    /// One of `keys` is required in the table at `at`; not reported if one of them was set to an invalid value.
    pub(crate) fn needs(&mut self, at: &At<'_>, keys: &[&str], message: impl Into<String>, way_out: &str) {
        if !keys.iter().any(|key| self.broken.within(&at.key(key))) {
            self.error(at, message, way_out);
        }
    }

    /// Whether a key is set, whatever its value.
    pub(crate) fn is_set(&self, at: &At<'_>) -> bool {
        self.layers.is_set(at)
    }

    /// Reports values that occur twice in a list.
    pub(crate) fn no_duplicates<T: PartialEq>(&mut self, at: &At<'_>, values: &[T], show: impl Fn(&T) -> String) {
        for (index, value) in values.iter().enumerate() {
            if values.iter().take(index).any(|earlier| earlier == value) {
                let message = format!("`{}` lists {} twice", at.name(), quote(&show(value)));
                self.error(&at.index(index), message, "keep it once");
            }
        }
    }
}
