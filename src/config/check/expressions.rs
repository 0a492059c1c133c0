//! Every expression of the file, passed to the caller to compile; errors are located inside the TOML string.

use crate::config::check::context::Context;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::Severity;
use crate::config::language::provider::ClaimTable;
use crate::config::language::scalar::{Expression, OneOrMany};
use crate::protocol::{ClaimType, claim_type};

/// Where an expression is written, which determines the variables that it may use and the type of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpressionPlace {
    /// `providers.X.claims`, for an attribute of this type.
    Claims(ClaimType),
    /// `providers.X.subject`
    Subject,
    /// `providers.X.allow`, a condition.
    Allow,
    /// `role_rules` `when`, a condition.
    When,
    /// `certificates.username`
    Certificate,
    /// `clients.Y.claims`, for a claim of this type.
    App(ClaimType),
    /// `clients.Y.require` and `console.require`, conditions.
    Require,
}

/// An error in an expression, located in bytes of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionProblem {
    /// Offset of the error.
    pub offset: usize,
    /// Its length; at least 1.
    pub len: usize,
    /// What is wrong.
    pub message: String,
    /// How to correct it, as a whole text such as ``did you mean `lower`?``.
    pub suggestion: Option<String>,
}

/// Compiles an expression, given its kind of place, its path and its text. Returns the errors in it.
pub type ExpressionCheck<'e> = dyn FnMut(ExpressionPlace, &str, &str) -> Vec<ExpressionProblem> + 'e;

pub(crate) fn check(context: &mut Context<'_>, compile: &mut ExpressionCheck<'_>) {
    let config = context.config;
    let mut one = |context: &mut Context<'_>, place, at: &At<'_>, expression: Option<&Expression>| {
        if let Some(expression) = expression {
            report(context, compile, place, at, expression);
        }
    };
    let providers = At::Root.key("providers");
    for (id, provider) in &config.providers {
        let at = providers.key(id);
        claims(&provider.claims, &at.key("claims"), &mut |name, at, it| {
            one(context, ExpressionPlace::Claims(claim_type(name)), at, Some(it));
        });
        one(context, ExpressionPlace::Subject, &at.key("subject"), provider.subject.as_ref());
        one(context, ExpressionPlace::Allow, &at.key("allow"), provider.allow.as_ref());
    }
    let rules = At::Root.key("role_rules");
    for (index, rule) in config.role_rules.iter().enumerate() {
        one(context, ExpressionPlace::When, &rules.index(index).key("when"), rule.when.as_ref());
    }
    let clients = At::Root.key("clients");
    for (id, client) in &config.clients {
        let at = clients.key(id);
        one(context, ExpressionPlace::Require, &at.key("require"), client.require.as_ref());
        claims(&client.claims, &at.key("claims"), &mut |name, at, it| {
            // An app's own claims may have any type, except for the lists.
            let claim = if claim_type(name) == ClaimType::List { ClaimType::List } else { ClaimType::Any };
            one(context, ExpressionPlace::App(claim), at, Some(it));
        });
    }
    let username = config.certificates.as_ref().and_then(|section| section.username.as_ref());
    one(context, ExpressionPlace::Certificate, &At::Root.key("certificates").key("username"), username);
    let require = config.console.as_ref().map(|section| &section.require);
    one(context, ExpressionPlace::Require, &At::Root.key("console").key("require"), require);
}

fn claims(table: &ClaimTable, at: &At<'_>, visit: &mut dyn FnMut(&str, &At<'_>, &Expression)) {
    for (name, expressions) in table {
        let at = at.key(name);
        match expressions {
            OneOrMany::One(expression) => visit(name, &at, expression),
            OneOrMany::Many(many) => {
                for (index, expression) in many.iter().enumerate() {
                    visit(name, &at.index(index), expression);
                }
            }
        }
    }
}

fn report(
    context: &mut Context<'_>,
    compile: &mut ExpressionCheck<'_>,
    place: ExpressionPlace,
    at: &At<'_>,
    expression: &Expression,
) {
    if context.broken.covers(at) {
        return;
    }
    let path = at.to_string();
    for problem in compile(place, &path, expression.as_str()) {
        let string = context.layers.nearest_span(at);
        let span = context.layers.inside(string, problem.offset, problem.len);
        let found = expression.as_str().get(problem.offset..problem.offset + problem.len).unwrap_or("").to_owned();
        let placed = context.layers.problem_at(Severity::Error, span, path.clone(), problem.message);
        let placed = placed.suggest_maybe(problem.suggestion);
        context.problems.push(if found.trim().is_empty() { placed } else { placed.found(found) });
    }
}
