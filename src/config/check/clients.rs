//! `[clients.X]` and `[resources.X]`: first each by itself, then all together.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::check::client_metadata;
use crate::config::check::context::Context;
use crate::config::check::references::attributes;
use crate::config::check::response_types;
use crate::config::check::urls;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{did_you_mean, quote};
use crate::config::language::client::Client;
use crate::config::resolved;
use crate::protocol::ClientAuthMethod;
use crate::protocol::GrantType;
use crate::protocol::PROTOCOL_CLAIMS;
use crate::protocol::SubjectType;

/// Claims that the broker issues in addition to the attributes.
const OWN_CLAIMS: &[&str] = &["preferred_username", "permissions"];

pub(crate) fn check(context: &mut Context<'_>) {
    let config = context.config;
    let section = At::Root.key("clients");
    let attributes = attributes(config);
    for (id, client) in &config.clients {
        let at = section.key(id);
        let Some(resolved) = context.resolved.clients.get(id) else { continue };
        authentication(context, &at, client);
        redirects(context, &at, client, resolved);
        grants(context, &at, client, resolved);
        client_metadata::check(context, &at, client);
        references(context, &at, client);
        claims(context, &at, client, &attributes);
        tokens(context, &at, resolved);
        binding(context, &at, resolved);
    }
    let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
    for (id, client) in &config.clients {
        let Some(own) = context.resolved.clients.get(id).map(|resolved| resolved.client_id.as_str()) else { continue };
        let at = section.key(id);
        if own.is_empty() || own.len() > 255 || !own.bytes().all(|b| b.is_ascii_graphic()) {
            context.must(&at.key("client_id"), "1 to 255 printable ASCII characters", quote(own));
        }
        if let Some(other) = ids.insert(own, id) {
            // The key itself can't be wrong; the `client_id` that equals it is.
            let (owner, other) =
                if client.client_id.is_some() { (at, other) } else { (section.key(other), id.as_str()) };
            context.error(
                &owner.key("client_id"),
                format!("the client id {} must be unique but is that of `{other}` too", quote(own)),
                "",
            );
        }
    }
    resources(context);
}

fn grants(context: &mut Context<'_>, at: &At<'_>, client: &Client, resolved: &resolved::Client) {
    let (grants_at, responses_at) = (at.key("grant_types"), at.key("response_types"));
    if context.broken.within(&grants_at) || context.broken.within(&responses_at) {
        return;
    }
    context.no_duplicates(&grants_at, &resolved.grant_types, |grant| grant.name().to_owned());
    context.no_duplicates(&responses_at, &resolved.response_types, |one| one.name().to_owned());
    response_types::check(context, at, client, resolved);
    let issues_none =
        |grant: &GrantType| matches!(grant, GrantType::RefreshToken | GrantType::Implicit | GrantType::Certificate);
    if resolved.may(GrantType::RefreshToken) && resolved.grant_types.iter().all(issues_none) {
        let message = "`grant_types` has \"refresh_token\", but none of its other grants issues refresh tokens";
        context.error(&grants_at, message, "add \"authorization_code\"");
    }
    if resolved.may(GrantType::ClientCredentials) && resolved.is_public() {
        let message = "the grant \"client_credentials\" must not be open to a public client (RFC 6749 §4.4)";
        context.error(&grants_at, message, "give the client a secret");
    }
}

fn authentication(context: &mut Context<'_>, at: &At<'_>, client: &Client) {
    let method_at = at.key("token_endpoint_auth_method");
    let hashes_at = at.key("client_secret_hashes");
    let (secret, hashes) = (client.client_secret.is_some(), !client.client_secret_hashes.is_empty());
    let keys = client.jwks.is_some() || client.jwks_uri.is_some();
    let subject = client.certificate_subjects().next().is_some();
    for (index, hash) in client.client_secret_hashes.iter().enumerate() {
        if !urls::sha256_text(hash, true) {
            let expected = "\"sha256:\" and the hash, 64 hexadecimal digits or 43 characters of base64url";
            let way_out = format!("`countersign client secret {}` makes one", at.name());
            context.must_or(&hashes_at.index(index), expected, urls::instead_of_hash(hash), Some(way_out));
        }
    }
    if secret && hashes {
        let message = "`client_secret` and `client_secret_hashes` must not both be set";
        context.error(&hashes_at, message, "keep one of them; each takes two values for rotation");
    }
    if client.jwks.is_some() && client.jwks_uri.is_some() {
        let message = "`jwks` and `jwks_uri` must not both be set (OIDC Registration §2)";
        context.error(&at.key("jwks_uri"), message, "keep one of them");
    }
    let proofs = &["client_secret", "client_secret_hashes", "jwks", "jwks_uri", "token_endpoint_auth_method"];
    let needs = |context: &mut Context<'_>, keys: &[&str], what: &str, method: &str| {
        let message = format!("{what} must be set in `{at}` for {}", quote(method));
        context.needs(at, keys, message, "");
    };
    match client.token_endpoint_auth_method {
        None if client.only_implicit() => {}
        None if !secret && !hashes && !keys && !subject => context.needs(
            at,
            proofs,
            format!("`client_secret` must be set in `{at}`"),
            "add client_secret = { file = \"...\" } or client_secret_hashes, or say token_endpoint_auth_method = \"none\"",
        ),
        Some(ClientAuthMethod::None) if secret || hashes => {
            context.must_or(&method_at, "a method that uses the secret", "\"none\"", Some("remove one of them".to_owned()));
        }
        Some(ClientAuthMethod::ClientSecretJwt) if hashes && !secret => {
            let message = "\"client_secret_jwt\" needs the secret itself, `client_secret`, not a hash of it";
            context.error(&method_at, message, "use client_secret = { file = \"...\" }, or another method");
        }
        Some(method @ ClientAuthMethod::ClientSecretJwt) if !secret => {
            needs(context, &["client_secret"], "`client_secret`", method.name());
        }
        Some(method @ (ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost)) if !secret && !hashes => {
            needs(context, &["client_secret", "client_secret_hashes"], "`client_secret`", method.name());
        }
        Some(method @ (ClientAuthMethod::PrivateKeyJwt | ClientAuthMethod::SelfSignedTlsClientAuth)) if !keys => {
            needs(context, &["jwks", "jwks_uri"], "`jwks` or `jwks_uri`", method.name());
        }
        Some(method @ ClientAuthMethod::TlsClientAuth) if !subject => {
            let keys = ["subject_dn", "san_dns", "san_uri", "san_ip", "san_email"];
            let keys = keys.map(|name| format!("tls_client_auth_{name}"));
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            needs(context, &keys, "`tls_client_auth_subject_dn`", method.name());
        }
        _ => {}
    }
}

fn redirects(context: &mut Context<'_>, at: &At<'_>, client: &Client, resolved: &resolved::Client) {
    for (key, uris) in
        [("redirect_uris", &client.redirect_uris), ("post_logout_redirect_uris", &client.post_logout_redirect_uris)]
    {
        let list = at.key(key);
        for (index, uri) in uris.iter().enumerate() {
            if let Err(expected) = urls::redirect_uri(uri, resolved.private_use_schemes) {
                context.must(&list.index(index), expected, quote(uri));
            }
        }
        context.no_duplicates(&list, uris, Clone::clone);
    }
    sector(context, at, client, resolved);
    let redirects = resolved.may(GrantType::AuthorizationCode) || resolved.may(GrantType::Implicit);
    if redirects && client.redirect_uris.is_empty() && !context.broken.within(&at.key("grant_types")) {
        context.needs(
            at,
            &["redirect_uris"],
            format!("`redirect_uris` must be set in `{at}`"),
            "add redirect_uris = [\"https://...\"], or grant_types = [] for an API that only introspects",
        );
    }
}

/// OIDC Core §8.1: with redirect URIs on several hosts the sector must be set, or else the order of a list decides the pairwise
/// subjects.
fn sector(context: &mut Context<'_>, at: &At<'_>, client: &Client, resolved: &resolved::Client) {
    let pairwise = resolved.subject_type == SubjectType::Pairwise;
    if client.sector_identifier_uri.is_some() && !pairwise {
        let message = "`sector_identifier_uri` has no effect on a client whose subjects are public";
        context.warn(&at.key("sector_identifier_uri"), message, "add subject_type = \"pairwise\", or remove it");
    }
    if client.sector_identifier_uri.is_some() || !pairwise {
        return;
    }
    let host = |uri: &String| url::Url::parse(uri).ok()?.host_str().map(str::to_owned);
    let hosts: BTreeSet<String> = client.redirect_uris.iter().filter_map(host).collect();
    if hosts.len() > 1 {
        let message = "`redirect_uris` are on several hosts, and the first decides this client's pairwise subjects";
        let way_out = "set sector_identifier_uri = \"https://HOST/...\", with the host that subjects are to be for";
        context.warn(&at.key("redirect_uris"), message, way_out);
    }
}

fn references(context: &mut Context<'_>, at: &At<'_>, client: &Client) {
    if let Some(scopes) = &client.scopes {
        let list = at.key("scopes");
        for (index, scope) in scopes.iter().enumerate() {
            context.scope_declared(&list.index(index), scope);
        }
        context.no_duplicates(&list, scopes, Clone::clone);
    }
    if let Some(providers) = &client.providers {
        let list = at.key("providers");
        if providers.is_empty() {
            context.warn(&list, "`providers` is empty: nobody can sign in to this client", "remove it to allow all");
        }
        for (index, provider) in providers.iter().enumerate() {
            context.provider_declared(&list.index(index), provider, true);
        }
        context.no_duplicates(&list, providers, Clone::clone);
    }
}

fn claims(context: &mut Context<'_>, at: &At<'_>, client: &Client, attributes: &BTreeSet<&str>) {
    let table = at.key("claims");
    for name in client.claims.keys() {
        let here = table.key(name);
        if PROTOCOL_CLAIMS.contains(&name.as_str()) {
            context.key_error(&here, format!("the claim `{name}` can't be set: the protocol does"), "use another name");
        } else if name.is_empty() {
            context.must(&here, "named", "empty");
        }
    }
    let list = at.key("access_token_claims");
    for (index, name) in client.access_token_claims.iter().enumerate() {
        let here = list.index(index);
        if PROTOCOL_CLAIMS.contains(&name.as_str()) {
            context.error(
                &here,
                format!("the claim {} can't be listed: RFC 9068 decides whether it is present", quote(name)),
                "",
            );
            continue;
        }
        let known = attributes.iter().copied().chain(OWN_CLAIMS.iter().copied());
        let known = known.chain(client.claims.keys().map(String::as_str));
        if !known.clone().any(|known| known == name) {
            let way_out = did_you_mean(name, known)
                .unwrap_or_else(|| "map it in a provider's or this client's claims".to_owned());
            context.warn(&here, format!("nothing gives the claim {}", quote(name)), &way_out);
        }
    }
    context.no_duplicates(&list, &client.access_token_claims, Clone::clone);
}

fn tokens(context: &mut Context<'_>, at: &At<'_>, resolved: &resolved::Client) {
    let rotate = resolved.tokens.refresh_token.rotate;
    if rotate || !resolved.is_public() || !resolved.may(GrantType::RefreshToken) {
        return;
    }
    let tokens = at.key("tokens");
    let refresh = tokens.key("refresh_token");
    let own = refresh.key("rotate");
    let here = if context.is_set(&own) { own } else { *at };
    let message = "`rotate = false` must not apply to a public client: its refresh tokens are bound to nothing else";
    context.error(&here, message, "set tokens.refresh_token.rotate = true for this client");
}

fn binding(context: &mut Context<'_>, at: &At<'_>, resolved: &resolved::Client) {
    if resolved.dpop_bound && resolved.response_types.iter().any(|response| response.has_token()) {
        let message = "`dpop_bound_access_tokens` must not be combined with response types that have \"token\": no proof comes to \
                       the authorization endpoint (RFC 9449 §5)";
        context.error(&at.key("dpop_bound_access_tokens"), message, "leave those out of response_types");
    }
}

fn resources(context: &mut Context<'_>) {
    let config = context.config;
    let section = At::Root.key("resources");
    let mut uris: BTreeMap<&str, &str> = BTreeMap::new();
    for (id, resource) in &config.resources {
        let at = section.key(id);
        let absolute =
            url::Url::parse(&resource.uri).is_ok() && !resource.uri.contains([' ', '#']) && resource.uri.is_ascii();
        if !absolute {
            context.must(&at.key("uri"), "an absolute URI without a fragment (RFC 8707 §2)", quote(&resource.uri));
        } else if let Some(other) = uris.insert(&resource.uri, id) {
            let message = format!("the resource {} must be unique but is that of `{other}` too", quote(&resource.uri));
            context.error(&at.key("uri"), message, "");
        }
        if resource.uri == config.issuer {
            context.must(&at.key("uri"), "another URI than the issuer's", quote(&resource.uri));
        }
        let scopes = at.key("scopes");
        for (index, scope) in resource.scopes.iter().enumerate() {
            if scope.is_empty() || !scope.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\') {
                context.must(&scopes.index(index), "one scope without spaces (RFC 6749 §3.3)", quote(scope));
            }
        }
        context.no_duplicates(&scopes, &resource.scopes, Clone::clone);
        context.clients_declared(&at.key("clients"), &resource.clients);
        context.clients_declared(&at.key("introspect"), &resource.introspect);
    }
}
