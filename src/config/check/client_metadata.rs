//! `[clients.X]`: metadata of an app: addresses, names in several languages, contacts, algorithms.

use std::collections::BTreeMap;

use crate::config::check::context::Context;
use crate::config::check::urls;
use crate::config::check::urls::Http;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::client::Client;
use crate::protocol::{Algorithm, SigningAlgorithm};

pub(crate) fn check(context: &mut Context<'_>, at: &At<'_>, client: &Client) {
    addresses(context, at, client);
    localized(context, at, client);
    frontchannel_logout(context, at, client);
    logout_sessions(context, at, client);
    own_algorithms(context, at, client);
    request_object_algorithm(context, &at.key("request_object_signing_alg"), client);
}

fn addresses(context: &mut Context<'_>, at: &At<'_>, client: &Client) {
    for (key, url) in [
        ("jwks_uri", &client.jwks_uri),
        ("logo_uri", &client.logo_uri),
        ("client_uri", &client.client_uri),
        ("policy_uri", &client.policy_uri),
        ("tos_uri", &client.tos_uri),
        ("initiate_login_uri", &client.initiate_login_uri),
        ("sector_identifier_uri", &client.sector_identifier_uri),
        ("frontchannel_logout_uri", &client.frontchannel_logout_uri),
        ("backchannel_logout_uri", &client.backchannel_logout_uri),
    ] {
        if let Some(Err(expected)) = url.as_ref().map(|url| urls::web_url(url, Http::Loopback)) {
            context.must(&at.key(key), expected, quote(url.as_deref().unwrap_or_default()));
        }
    }
    let requests = at.key("request_uris");
    for (index, uri) in client.request_uris.iter().enumerate() {
        // RFC 9101 §5.2: the fragment may contain the hash of the request object.
        if let Err(expected) = urls::web_url(uri.split('#').next().unwrap_or(""), Http::Loopback) {
            context.must(&requests.index(index), expected, quote(uri));
        }
    }
    let origins = at.key("allowed_origins");
    for (index, origin) in client.allowed_origins.iter().enumerate() {
        let plain =
            urls::web_url(origin, Http::Loopback).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
        if !plain {
            let expected = "an origin such as \"https://app.example.com\", without path and default port";
            context.must(&origins.index(index), expected, quote(origin));
        }
    }
    if let Some(name) = &client.client_name {
        readable(context, &at.key("client_name"), "a name that is not empty, without control characters", name);
    }
    let contacts = at.key("contacts");
    for (index, contact) in client.contacts.iter().enumerate() {
        readable(context, &contacts.index(index), "an email address, URL or telephone number", contact);
    }
    context.no_duplicates(&contacts, &client.contacts, Clone::clone);
}

/// OIDC Front-Channel Logout §2: scheme, host and port must be those of a redirect URI.
fn frontchannel_logout(context: &mut Context<'_>, at: &At<'_>, client: &Client) {
    let origin = |uri: &str| Some(url::Url::parse(uri).ok()?.origin()).filter(url::Origin::is_tuple);
    let Some(uri) = &client.frontchannel_logout_uri else { return };
    let Some(own) = urls::web_url(uri, Http::Loopback).ok().map(|url| url.origin()) else { return };
    let shared = client.redirect_uris.iter().filter_map(|uri| origin(uri)).any(|known| known == own);
    if !shared && !context.broken.within(&at.key("redirect_uris")) {
        let expected = "a URL with the scheme, host and port of one of the client's `redirect_uris`";
        context.must(&at.key("frontchannel_logout_uri"), expected, quote(uri));
    }
}

/// A text that is shown on pages.
fn readable(context: &mut Context<'_>, at: &At<'_>, expected: &str, text: &str) {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        context.must(at, expected, quote(text));
    }
}

/// `client_name#ja` and similar keys. Language tags are compared without regard to case (RFC 5646 §2.1.1).
fn localized(context: &mut Context<'_>, at: &At<'_>, client: &Client) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (key, text) in &client.localized {
        let here = at.key(key);
        if key.starts_with("client_name#") {
            readable(context, &here, "a name that is not empty, without control characters", text);
        } else if let Err(expected) = urls::web_url(text, Http::Loopback) {
            context.must(&here, expected, quote(text));
        }
        if let Some(other) = seen.insert(key.to_lowercase(), key) {
            let message = format!("`{key}` is the same as `{other}`: language tags are compared without case");
            context.key_error(&here, message, "keep one of them");
        }
    }
}

/// The algorithms with which the broker signs for this client: each needs a key.
fn own_algorithms(context: &mut Context<'_>, at: &At<'_>, client: &Client) {
    let config = context.config;
    let known = &config.keys.algorithms;
    let names: Vec<&str> = known.iter().map(|algorithm| algorithm.name()).collect();
    let mut one = |key: &str, algorithm: Option<SigningAlgorithm>| {
        let Some(algorithm) = algorithm.filter(|algorithm| !known.contains(algorithm)) else { return };
        let expected = format!("one of the algorithms in [keys], {names:?}");
        let way_out = format!("add {} to keys.algorithms, or choose another", quote(algorithm.name()));
        context.must_or(&at.key(key), expected, quote(algorithm.name()), Some(way_out));
    };
    one("id_token_signed_response_alg", client.id_token_signed_response_alg);
    one("userinfo_signed_response_alg", client.userinfo_signed_response_alg);
}

/// The algorithm of its request objects must be one that the broker knows and has keys or secrets to verify with (OIDC
/// Registration §2).
fn request_object_algorithm(context: &mut Context<'_>, at: &At<'_>, client: &Client) {
    let Some(name) = client.request_object_signing_alg.as_deref().filter(|name| *name != "none") else { return };
    let Some(algorithm) = Algorithm::from_name(name) else {
        let known: Vec<&str> = std::iter::once("none").chain(Algorithm::all_names()).collect();
        return context.must(at, format!("one of {}", known.join(", ")), quote(name));
    };
    if algorithm.is_symmetric() {
        if client.client_secret.is_none() {
            let message = if client.client_secret_hashes.is_empty() {
                "a symmetric `request_object_signing_alg` needs a `client_secret`"
            } else {
                "a symmetric `request_object_signing_alg` needs the secret itself, not a hash of it"
            };
            context.error(at, message, "use client_secret = { file = \"...\" }");
        }
    } else if client.jwks.is_none() && client.jwks_uri.is_none() {
        let message = format!("request objects signed with {name} can't be verified: the client has no public keys");
        context.error(at, message, "add jwks_uri = \"https://...\" or jwks");
    }
}

/// Settings for a logout URI have an effect only if there is one.
fn logout_sessions(context: &mut Context<'_>, at: &At<'_>, client: &Client) {
    for (key, set, uri, there) in [
        (
            "frontchannel_logout_session_required",
            client.frontchannel_logout_session_required,
            "frontchannel_logout_uri",
            client.frontchannel_logout_uri.is_some(),
        ),
        (
            "backchannel_logout_session_required",
            client.backchannel_logout_session_required,
            "backchannel_logout_uri",
            client.backchannel_logout_uri.is_some(),
        ),
    ] {
        if set.is_some() && !there && !context.broken.within(&at.key(uri)) {
            context.error(
                &at.key(key),
                format!("`{key}` has no effect without `{uri}`"),
                &format!("add {uri}, or remove it"),
            );
        }
    }
}
