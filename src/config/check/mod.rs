//! Turns the typed file into the resolved configuration, or into all problems with its values at once, in one wording: "`x`
//! must be ... but is ...".
//!
//! Owns the rules that the structure can't express, and their order; they report through [`context`]. It reads no files and no
//! secrets, and does not use the network. Expressions are compiled by the caller ([`ExpressionCheck`]).

mod break_glass;
mod built;
mod certificates;
mod client_metadata;
mod clients;
mod context;
mod expressions;
mod limits;
mod mapping_tests;
pub(crate) mod open_providers;
pub mod paths;
mod policy;
mod preset_mistakes;
mod provider_addresses;
mod provider_credentials;
mod provider_groups;
mod provider_policy;
mod provider_preset;
mod providers;
mod references;
mod response_types;
mod secret_rules;
mod server;
mod signals;
mod telemetry;
mod tokens;
mod ui;
pub(crate) mod urls;
mod users;

use crate::config::Config;
use crate::config::diagnostics::problem::Problems;
use crate::config::load::Loaded;
use crate::config::resolved::Resolved;
pub(crate) use built::is_refused;

use context::Context;
pub use expressions::{ExpressionCheck, ExpressionPlace, ExpressionProblem};

/// The outcome of a check.
#[derive(Debug, Default)]
pub struct Checked {
    /// All problems with the values, and warnings, in the order of the file.
    pub problems: Problems,
    /// The resolved configuration; `None` if a problem is an error.
    pub resolved: Option<Resolved>,
}

/// Resolves the typed file and finds all problems with its values. Those in [`Loaded::problems`] are not repeated.
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
    limits::check(&mut context);
    paths::check(&mut context);
    tokens::check(&mut context);
    providers::check(&mut context);
    clients::check(&mut context);
    certificates::check(&mut context);
    policy::check(&mut context);
    users::check(&mut context);
    break_glass::check(&mut context);
    ui::check(&mut context);
    telemetry::check(&mut context);
    mapping_tests::check(&mut context);
    secret_rules::check(&mut context);
    expressions::check(&mut context, expressions);
    built::check(&loaded.values, &loaded.layers, &mut context.problems);
    context.problems.sort();
    context.problems
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
