//! `[keys]`, `[tokens]`, `[session]`, `audit.retention`, and the lifetimes that providers, clients and resources set for
//! themselves.

use crate::config::check::context::Context;
use crate::config::diagnostics::path::At;
use crate::config::language::lifetimes::Tokens;
use crate::config::language::scalar::Duration;
use crate::protocol::SigningAlgorithm;

/// RFC 6749 §4.1.2 recommends at most ten minutes; this broker allows half of that.
const LONGEST_CODE: Duration = Duration::minutes(5);
/// The grace period of a refresh token's parent allows for retries, not for regular use.
const LONGEST_GRACE: Duration = Duration::minutes(5);

pub(crate) fn check(context: &mut Context<'_>) {
    let config = context.config;
    let keys = At::Root.key("keys");
    let algorithms = keys.key("algorithms");
    if !config.keys.algorithms.contains(&SigningAlgorithm::RS256) {
        let found: Vec<&str> = config.keys.algorithms.iter().map(|algorithm| algorithm.name()).collect();
        context.must(&algorithms, "a list with \"RS256\" (OIDC Core §15.1)", format!("{found:?}"));
    }
    context.no_duplicates(&algorithms, &config.keys.algorithms, |algorithm| algorithm.name().to_owned());
    not_zero(context, &keys.key("rotate_every"), Some(config.keys.rotate_every));

    let tokens = At::Root.key("tokens");
    lifetimes(context, &tokens, &config.tokens);
    let session = At::Root.key("session");
    session_bounds(context, &session, Some(config.session.max_inactive), Some(config.session.max_lifetime));

    let clients = At::Root.key("clients");
    for (id, client) in &context.resolved.clients {
        lifetimes(context, &clients.key(id).key("tokens"), &client.tokens);
    }
    not_zero(context, &At::Root.key("audit").key("retention"), Some(config.audit.retention));
    let resources = At::Root.key("resources");
    for (id, resource) in &config.resources {
        not_zero(context, &resources.key(id).key("access_token"), resource.access_token);
    }
}

/// Lifetimes in one `tokens` table. Inherited values are checked where they are set.
fn lifetimes(context: &mut Context<'_>, at: &At<'_>, tokens: &Tokens) {
    if !context.is_set(at) {
        return;
    }
    let code = at.key("authorization_code");
    if tokens.authorization_code > LONGEST_CODE && context.is_set(&code) {
        context.must(&code, "at most \"5m\"", format!("\"{}\"", tokens.authorization_code));
    }
    for (key, value) in [
        ("authorization_code", tokens.authorization_code),
        ("access_token", tokens.access_token),
        ("id_token", tokens.id_token),
    ] {
        not_zero(context, &at.key(key), Some(value));
    }
    let refresh = at.key("refresh_token");
    if !context.is_set(&refresh) {
        return;
    }
    let token = &tokens.refresh_token;
    session_bounds(context, &refresh, Some(token.max_inactive), Some(token.max_lifetime));
    let grace = refresh.key("reuse_grace");
    if token.reuse_grace > LONGEST_GRACE && context.is_set(&grace) {
        context.must(&grace, "at most \"5m\"", format!("\"{}\"", token.reuse_grace));
    }
}

/// `max_inactive` and `max_lifetime` of a session or token family.
pub(crate) fn session_bounds(
    context: &mut Context<'_>,
    at: &At<'_>,
    inactive: Option<Duration>,
    lifetime: Option<Duration>,
) {
    not_zero(context, &at.key("max_inactive"), inactive);
    not_zero(context, &at.key("max_lifetime"), lifetime);
    if let (Some(inactive), Some(lifetime)) = (inactive, lifetime)
        && inactive > lifetime
    {
        let at_inactive = at.key("max_inactive");
        let at = if context.is_set(&at_inactive) { at_inactive } else { at.key("max_lifetime") };
        let message = format!("`max_inactive` must be at most `max_lifetime` (\"{lifetime}\") but is \"{inactive}\"");
        context.error(&at, message, "");
    }
}

/// A lifetime that is set must not be zero.
pub(crate) fn not_zero(context: &mut Context<'_>, at: &At<'_>, duration: Option<Duration>) {
    if duration.is_some_and(|duration| duration.as_secs() == 0) && context.is_set(at) {
        context.must(at, "longer than zero", "\"0s\"");
    }
}
