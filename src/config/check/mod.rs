//! What the structure can't say: whether the values make sense, each and together. All problems at once, in one wording:
//! "`x` must be ... but is ...".
//!
//! Owns the order of the checks and how they report ([`Context`]). It reads the typed configuration only: no file, no
//! secret, no network. Expressions are compiled by whoever calls ([`ExpressionPlace`]).

mod built;
mod clients;
mod expressions;
mod mapping_tests;
mod policy;
mod provider_addresses;
mod providers;
mod references;
mod response_types;
mod secret_rules;
mod server;
mod tokens;
mod ui;
pub(crate) mod urls;
mod users;

use std::fmt::Display;

use crate::config::Config;
use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{Problem, Problems, Severity, quote};
use crate::config::load::Loaded;
use crate::config::load::structure::Broken;
use crate::config::resolved::Resolved;

pub use expressions::{ExpressionPlace, ExpressionProblem};
pub use server::RESERVED_PATHS;

/// Compiles an expression: its place, its path, its text. Returns what is wrong with it.
pub type ExpressionCheck<'e> = dyn FnMut(ExpressionPlace, &str, &str) -> Vec<ExpressionProblem> + 'e;

/// What came out of a check.
#[derive(Debug, Default)]
pub struct Checked {
    /// Every problem of the values, and warnings, in the order of the file.
    pub problems: Problems,
    /// The resolved configuration; none where a problem is an error.
    pub resolved: Option<Resolved>,
}

/// Resolves the typed file and finds every problem of its values. What [`Loaded::problems`] has already is not repeated.
pub fn check(loaded: &Loaded, expressions: &mut ExpressionCheck<'_>) -> Checked {
    let Some(config) = &loaded.config else {
        let mut problems = Problems::default();
        built::check(&loaded.values, &loaded.layers, &mut problems);
        problems.sort();
        return Checked { problems, resolved: None };
    };
    let resolved = Resolved::of(config);
    let problems = problems(loaded, config, &resolved, expressions);
    let accepted = !problems.has_errors();
    Checked { problems, resolved: accepted.then_some(resolved) }
}

fn problems(loaded: &Loaded, config: &Config, resolved: &Resolved, expressions: &mut ExpressionCheck<'_>) -> Problems {
    let problems = Problems::default();
    let mut context = Context { config, resolved, layers: &loaded.layers, broken: &loaded.broken, problems };
    server::check(&mut context);
    tokens::check(&mut context);
    providers::check(&mut context);
    clients::check(&mut context);
    policy::check(&mut context);
    users::check(&mut context);
    ui::check(&mut context);
    mapping_tests::check(&mut context);
    secret_rules::check(&mut context);
    expressions::check(&mut context, expressions);
    built::check(&loaded.values, &loaded.layers, &mut context.problems);
    context.problems.sort();
    context.problems
}

/// What every check sees, and how it reports.
struct Context<'c> {
    config: &'c Config,
    resolved: &'c Resolved,
    layers: &'c Layers,
    broken: &'c Broken,
    problems: Problems,
}

impl<'c> Context<'c> {
    fn problem(&self, severity: Severity, at: &At<'_>, message: String) -> Problem {
        self.layers.problem_at(severity, self.layers.nearest_span(at), at.to_string(), message)
    }

    /// Adds a problem of the value at a path, unless the value was reported already.
    fn push(&mut self, at: &At<'_>, problem: Problem) {
        if !self.broken.covers(at) {
            self.problems.push(problem);
        }
    }

    /// `x` must be `expected` but is `found`.
    fn must(&mut self, at: &At<'_>, expected: impl Display, found: impl Display) {
        self.must_or(at, expected, found, None);
    }

    /// The same with a way out.
    fn must_or(&mut self, at: &At<'_>, expected: impl Display, found: impl Display, way_out: Option<String>) {
        let message = format!("`{}` must be {expected} but is {found}", at.name());
        let problem = self.problem(Severity::Error, at, message);
        let problem = problem.found(found.to_string()).expected(expected.to_string()).suggest_maybe(way_out);
        self.push(at, problem);
    }

    /// Any other error.
    fn error(&mut self, at: &At<'_>, message: impl Into<String>, way_out: &str) {
        let problem = self.problem(Severity::Error, at, message.into());
        self.push(at, problem.suggest_maybe(Some(way_out.to_owned()).filter(|text| !text.is_empty())));
    }

    /// An error of the key itself, not of its value.
    fn key_error(&mut self, at: &At<'_>, message: impl Into<String>, way_out: &str) {
        let span = self.layers.key_span(at).unwrap_or_else(|| self.layers.nearest_span(at));
        let problem = self.layers.problem_at(Severity::Error, span, at.to_string(), message.into());
        self.push(at, problem.suggest_maybe(Some(way_out.to_owned()).filter(|text| !text.is_empty())));
    }

    /// A warning.
    fn warn(&mut self, at: &At<'_>, message: impl Into<String>, way_out: &str) {
        let problem = self.problem(Severity::Warning, at, message.into());
        self.push(at, problem.suggest_maybe(Some(way_out.to_owned()).filter(|text| !text.is_empty())));
    }

    /// One of `keys` is needed in the table at `at`; not reported when one of them was there and did not fit.
    fn needs(&mut self, at: &At<'_>, keys: &[&str], message: impl Into<String>, way_out: &str) {
        if !keys.iter().any(|key| self.broken.within(&at.key(key))) {
            self.error(at, message, way_out);
        }
    }

    /// Whether a key was written, whatever its value.
    fn is_set(&self, at: &At<'_>) -> bool {
        self.layers.is_set(at)
    }

    /// Reports values that stand in a list twice.
    fn no_duplicates<T: PartialEq>(&mut self, at: &At<'_>, values: &[T], show: impl Fn(&T) -> String) {
        for (index, value) in values.iter().enumerate() {
            if values.iter().take(index).any(|earlier| earlier == value) {
                let message = format!("`{}` lists {} twice", at.name(), quote(&show(value)));
                self.error(&at.index(index), message, "keep it once");
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
