//! `[break_glass]`. Its hash is a secret, and is examined where secrets are read.

use crate::config::check::context::Context;
use crate::config::check::tokens::session_bounds;
use crate::config::check::urls;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::break_glass::BreakGlass;

pub(crate) fn check(context: &mut Context<'_>) {
    let config = context.config;
    let Some(section) = &config.break_glass else { return };
    let at = At::Root.key("break_glass");
    context.clients_declared(&at.key("clients"), &section.clients);
    context.roles_declared(&at.key("roles"), &section.roles);
    context.no_duplicates(&at.key("groups"), &section.groups, Clone::clone);
    username(context, &at, section);
    networks(context, &at, section);
    if let Some(Err(expected)) = section.path.as_deref().map(urls::path) {
        context.must(&at.key("path"), expected, quote(section.path.as_deref().unwrap_or_default()));
    }
    if section.password_hash.is_none() {
        let way_out = "run `countersign break-glass hash`, keep what it prints in a file, and add password_hash = { file = \
                       \"...\" }";
        context.needs(&at, &["password_hash"], "`password_hash` must be set in `break_glass`", way_out);
    }
    let session = section.session.as_ref();
    let (inactive, lifetime) =
        (session.and_then(|session| session.max_inactive), session.and_then(|session| session.max_lifetime));
    // What is not written follows from the other.
    let resolved = context.resolved.break_glass.as_ref().map(|account| account.max_lifetime);
    session_bounds(context, &at.key("session"), inactive, lifetime.or(resolved));
}

fn username(context: &mut Context<'_>, at: &At<'_>, section: &BreakGlass) {
    let (config, here) = (context.config, at.key("username"));
    let name = section.username.as_str();
    if name.trim().is_empty() || name.trim() != name || name.chars().count() > 255 || name.chars().any(char::is_control)
    {
        context.must(&here, "a username without surrounding spaces and control characters", quote(name));
    } else if let Some(user) = config.users.keys().find(|user| user.to_lowercase() == name.to_lowercase()) {
        let message = format!("`username` must be a name of its own but is that of `users.{user}` too");
        context.error(&here, message, "give the break-glass account another name");
    }
}

fn networks(context: &mut Context<'_>, at: &At<'_>, section: &BreakGlass) {
    let here = at.key("allow_from");
    match &section.allow_from {
        None => context.warn(
            at,
            "the break-glass account can be tried from any address",
            "name the networks that its operators come from: allow_from = [\"10.0.0.0/8\"]",
        ),
        Some(networks) if networks.is_empty() => {
            let way_out = "leave `[break_glass]` out where the account is not wanted";
            context.must_or(&here, "a list of at least one network", "empty", Some(way_out.to_owned()));
        }
        Some(networks) => {
            for (index, network) in networks.iter().enumerate() {
                if let Err(expected) = urls::network(network) {
                    context.must(&here.index(index), expected, quote(network));
                }
            }
            context.no_duplicates(&here, networks, Clone::clone);
        }
    }
}
