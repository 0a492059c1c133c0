//! `[providers.X]`: first each by itself, then all together.

use std::collections::BTreeMap;

use crate::config::check::context::Context;
use crate::config::check::open_providers;
use crate::config::check::paths;
use crate::config::check::provider_addresses;
use crate::config::check::provider_credentials;
use crate::config::check::provider_groups;
use crate::config::check::provider_policy;
use crate::config::check::provider_preset;
use crate::config::check::signals;
use crate::config::check::tokens::session_bounds;
use crate::config::check::urls::Http;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::client::Client;
use crate::config::language::provider::{ClaimsSource, LinkBy, Provider};
use crate::config::language::refresh::{RefreshClaims, RefreshUnavailable};
use crate::protocol::PROTOCOL_CLAIMS;

pub(crate) fn check(context: &mut Context<'_>) {
    let config = context.config;
    let section = At::Root.key("providers");
    let other_way_in = config.certificates.is_some();
    if !other_way_in && !config.providers.values().any(|provider| provider.enabled) && !context.broken.within(&section)
    {
        let providers =
            if config.providers.is_empty() { "no provider is declared" } else { "every provider is disabled" };
        let left = match &config.break_glass {
            Some(account) => format!("only the break-glass account {} can sign in", quote(&account.username)),
            None => "nobody can sign in".to_owned(),
        };
        context.warn(&section, format!("{providers}: {left}"), "declare one: [providers.NAME]");
    }
    for (id, provider) in &config.providers {
        let at = section.key(id);
        identity(context, &at, id, provider);
        let http = if provider.allow_http { Http::Anywhere } else { Http::Loopback };
        provider_addresses::check(context, &at, provider, http);
        signals::check(context, &at, provider, http);
        provider_credentials::check(context, &at, provider);
        provider_policy::check(context, &at, provider);
        linking(context, &at, id, provider);
        lifetimes(context, &at, provider);
        provider_preset::check(context, &at, provider);
        provider_groups::check(context, &at, provider, http);
        open_providers::check(context, &at, provider);
        claims(context, &at, provider);
        hidden(context, &at, id, provider);
    }
    together(context, &section);
    shared_callbacks(context, &section);
}

fn identity(context: &mut Context<'_>, at: &At<'_>, id: &str, provider: &Provider) {
    if let Some(name) = &provider.name {
        let length = name.chars().count();
        if !(3..=127).contains(&length) {
            context.must(&at.key("name"), "3 to 127 characters long", format!("{length} long"));
        } else if name.trim() != name || name.chars().any(char::is_control) {
            context.must(&at.key("name"), "without surrounding spaces and control characters", quote(name));
        }
    } else if id.len() < 3 {
        let message = format!("`name` must be set: the id {} is shorter than the 3 characters of a name", quote(id));
        context.needs(at, &["name"], message, "add name = \"...\"");
    }
    if provider.client_id.is_empty() || provider.client_id.chars().any(char::is_control) {
        context.must(&at.key("client_id"), "the client id that the provider gave", quote(&provider.client_id));
    }
    let scopes = at.key("scopes");
    if let Some(list) = &provider.scopes {
        if provider.preset.is_openid() && !list.iter().any(|scope| scope == "openid") {
            context.must(&scopes, "a list with \"openid\"", format!("{list:?}"));
        }
        for (index, scope) in list.iter().enumerate() {
            if scope.is_empty() || !scope.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\') {
                context.must(&scopes.index(index), "one scope without spaces (RFC 6749 §3.3)", quote(scope));
            }
        }
        context.no_duplicates(&scopes, list, Clone::clone);
    }
}

/// The providers whose accounts may be linked with those of this provider.
fn linking(context: &mut Context<'_>, at: &At<'_>, id: &str, provider: &Provider) {
    let link_with = at.key("link_with");
    for (index, other) in provider.link_with.iter().enumerate() {
        let at = link_with.index(index);
        if other == id {
            context.must(&at, "another provider", quote(other));
        } else {
            context.provider_declared(&at, other, false);
        }
    }
    match provider.link_by {
        LinkBy::VerifiedEmail if provider.link_with.is_empty() => {
            let message =
                format!("`link_with` must be set in `{at}`: it names the providers whose accounts may be linked");
            context.needs(at, &["link_with"], message, "add link_with = [\"...\"]");
        }
        LinkBy::None if !provider.link_with.is_empty() => {
            let message = "`link_with` has no effect without `link_by`";
            context.error(&link_with, message, "add link_by = \"verified_email\", or remove it");
        }
        _ => {}
    }
}

fn lifetimes(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let session = at.key("session");
    let own = &provider.session;
    session_bounds(context, &session, own.max_inactive, own.max_lifetime);
    let everyone = &context.config.session;
    for (key, own, everyone) in [
        ("max_inactive", own.max_inactive, everyone.max_inactive),
        ("max_lifetime", own.max_lifetime, everyone.max_lifetime),
    ] {
        if let Some(own) = own.filter(|own| *own > everyone) {
            let message = format!(
                "`{key}` is \"{own}\", but [session] ends sessions after \"{everyone}\": a provider only narrows"
            );
            context.warn(&session.key(key), message, "");
        }
    }
    let refresh = &provider.on_refresh;
    let on_refresh = at.key("on_refresh");
    if refresh.claims == RefreshClaims::Upstream {
        let asks_cache = refresh.unavailable == RefreshUnavailable::Cached;
        if asks_cache && refresh.max_stale < refresh.max_age {
            let key = if context.is_set(&on_refresh.key("max_stale")) { "max_stale" } else { "max_age" };
            let message = format!(
                "`max_stale` (\"{}\") must be at least `max_age` (\"{}\"): younger claims are not asked for again",
                refresh.max_stale, refresh.max_age
            );
            context.error(&on_refresh.key(key), message, "");
        }
        if !asks_cache && context.is_set(&on_refresh.key("max_stale")) {
            let message = "`max_stale` has no effect with unavailable = \"deny\"";
            context.warn(&on_refresh.key("max_stale"), message, "remove it");
        }
    } else {
        for key in ["max_age", "max_stale", "unavailable"] {
            if context.is_set(&on_refresh.key(key)) && !context.broken.within(&on_refresh.key("claims")) {
                let message = format!("`{key}` has no effect unless claims = \"upstream\"");
                context.warn(&on_refresh.key(key), message, "add claims = \"upstream\", or remove it");
            }
        }
    }
}

fn claims(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    if let Some(sources) = &provider.claims_from {
        if sources.is_empty() {
            context.must(&at.key("claims_from"), "a list of at least one document", "empty");
        }
        context.no_duplicates(&at.key("claims_from"), sources, |source| {
            match source {
                ClaimsSource::IdToken => "id_token",
                ClaimsSource::Userinfo => "userinfo",
                ClaimsSource::AccessToken => "access_token",
            }
            .to_owned()
        });
    }
    let claims = at.key("claims");
    for name in provider.claims.keys() {
        let here = claims.key(name);
        if name.is_empty() {
            context.must(&here, "named", "empty");
        } else if PROTOCOL_CLAIMS.iter().take(2).any(|taken| taken == name) {
            let message =
                format!("`{name}` can't be mapped: the account is known by the provider's own `iss` and `sub`");
            context.key_error(&here, message, "map it under another name");
        }
    }
}

/// A hidden provider is only for clients that name it: without one, nobody can sign in through it.
fn hidden(context: &mut Context<'_>, at: &At<'_>, id: &str, provider: &Provider) {
    let names = |client: &Client| client.providers.iter().flatten().any(|named| named == id);
    if provider.hidden && provider.enabled && !context.config.clients.values().any(names) {
        let message = format!("`{at}` is hidden and no client names it: nobody can sign in through it");
        let way_out = format!("add {} to the `providers` of the clients that it is for", quote(id));
        context.warn(&at.key("hidden"), message, &way_out);
    }
}

/// Values that must differ between providers.
fn together(context: &mut Context<'_>, section: &At<'_>) {
    let config = context.config;
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    let mut domains: BTreeMap<String, &str> = BTreeMap::new();
    for (id, provider) in &config.providers {
        let at = section.key(id);
        let Some(resolved) = context.resolved.providers.get(id) else { continue };
        if let Some(other) = names.insert(resolved.name.to_lowercase(), id) {
            // An id can't be wrong; the `name` that equals it is.
            let (owner, other) = if provider.name.is_some() { (id.as_str(), other) } else { (other, id.as_str()) };
            let name = context.resolved.providers.get(owner).map_or(owner, |provider| &provider.name);
            let owner = section.key(owner);
            let message = format!("the name {} must be unique but is that of `{other}` too", quote(name));
            context.error(&owner.key("name"), message, "");
        }
        let domains_at = at.key("domains");
        for (index, domain) in provider.domains.iter().enumerate() {
            if let Some(other) = domains.insert(domain.to_lowercase(), id) {
                let at = domains_at.index(index);
                if other == id {
                    context.error(&at, format!("`domains` lists {} twice", quote(domain)), "keep it once");
                } else {
                    let message = format!("{} leads to `{other}` already: people will have to choose", quote(domain));
                    context.warn(&at, message, "");
                }
            }
        }
    }
}

/// Callbacks that several providers share.
fn shared_callbacks(context: &mut Context<'_>, section: &At<'_>) {
    let (config, resolved) = (context.config, context.resolved);
    let mut callbacks: BTreeMap<String, (&str, &Provider)> = BTreeMap::new();
    for (id, provider, path) in paths::callbacks(config, resolved) {
        let Some((other, earlier)) = callbacks.insert(path, (id, provider)) else { continue };
        // A default can't be wrong; the key that leads to the same path is.
        let (owner, key, other) = match (paths::callback_key(provider), paths::callback_key(earlier)) {
            (Some(key), _) => (id, key, other),
            (None, Some(key)) => (other, key, id),
            (None, None) => continue,
        };
        let at = section.key(owner);
        if [provider, earlier].into_iter().any(|provider| !provider.preset.is_openid()) {
            let message = format!("`{key}` must not be shared with `{other}`: one of them never sends `iss`");
            context.error(&at.key(key), message, "give each its own");
        } else {
            let message = format!(
                "`{key}` is shared with `{other}`: an answer there that does not name its issuer is refused (`iss`, RFC 9207)"
            );
            let way_out = "give each its own, unless both providers send `iss` with every answer";
            context.warn(&at.key(key), message, way_out);
        }
    }
}
