//! `[providers.X]`: who may sign in through it, and what it may provide: domains, roles, the stored profile.

use crate::config::check::context::Context;
use crate::config::check::urls;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{did_you_mean, quote};
use crate::config::language::provider::Provider;
use crate::config::resolved::preset;
use crate::protocol::STANDARD_CLAIMS;

pub(crate) fn check(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let domains = at.key("domains");
    for (index, domain) in provider.domains.iter().enumerate() {
        if let Err(expected) = urls::domain(domain.strip_prefix("*.").unwrap_or(domain)) {
            context.must(&domains.index(index), expected, quote(domain));
        }
    }
    introspection(context, &at.key("introspect"), provider);
    roles(context, at, provider);
    sync(context, &at.key("sync"), provider);
}

fn introspection(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    if !provider.introspect.is_on() {
        return;
    }
    let (audiences, names) = (at.key("audiences"), provider.introspect.audiences());
    for (index, name) in names.iter().enumerate().filter(|(_, name)| name.trim().is_empty()) {
        context.must(&audiences.index(index), "the `aud` of tokens", quote(name));
    }
    context.no_duplicates(&audiences, names, Clone::clone);
    let manual = [&provider.authorization_endpoint, &provider.token_endpoint, &provider.jwks_uri];
    if manual.into_iter().all(Option::is_some) {
        let message = "`introspect` needs discovery, which the written endpoints replace";
        context.error(at, message, "leave out one of authorization_endpoint, token_endpoint, jwks_uri");
    }
    if context.config.providers.values().filter(|other| other.introspect.is_on() && other.enabled).count() > 1 {
        let message = "several providers have `introspect`, and an opaque token does not say which of them issued it";
        context.warn(at, message, "opaque tokens are inactive here unless one provider alone has it");
    }
}

fn roles(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let Some(roles) = &provider.asserted_roles else {
        // Only declared roles can be asserted, unless the provider creates others.
        let any_role = !context.config.roles.is_empty() || provider.create_roles;
        if any_role && context.config.providers.len() > 1 && preset::asserts_roles(provider) {
            context.warn(
                at,
                format!("`{at}` may assert any role, as one of several providers"),
                "add asserted_roles = [...] with the roles that its `roles` claim may give, or []",
            );
        }
        return;
    };
    context.roles_declared(&at.key("asserted_roles"), roles);
    if provider.create_roles {
        let message =
            "`create_roles` has no effect together with `asserted_roles`: every role in that list is declared";
        context.error(&at.key("create_roles"), message, "remove one of them");
    }
}

/// The attributes of the stored profile that a sign-in refreshes: only those that this provider maps.
fn sync(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let Some(names) = &provider.sync else { return };
    for (index, name) in names.iter().enumerate() {
        let here = at.index(index);
        match name.as_str() {
            "groups" | "roles" => {
                let message =
                    format!("{} is not part of the stored profile: it always follows the provider", quote(name));
                context.error(&here, message, "remove it from `sync`");
            }
            "username" | "sub" => {
                let message = format!("{} never changes after the first sign-in", quote(name));
                context.error(&here, message, "remove it from `sync`");
            }
            _ => {
                let mapped = provider.claims.keys().map(String::as_str);
                let known = STANDARD_CLAIMS.iter().copied().chain(mapped);
                if !known.clone().any(|known| known == name) {
                    let way_out =
                        did_you_mean(name, known).or_else(|| Some("map it in the provider's claims".to_owned()));
                    context.must_or(&here, "an attribute that this provider maps", quote(name), way_out);
                }
            }
        }
    }
    context.no_duplicates(at, names, Clone::clone);
}
