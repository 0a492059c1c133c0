//! `[providers.X]`: what the broker authenticates with at a provider.

use crate::config::check::context::Context;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::provider::{Preset, Provider};
use crate::protocol::ClientAuthMethod;

/// Reports credentials that are missing, superfluous, or do not fit the method.
pub(crate) fn check(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let set = [
        ("client_secret", provider.client_secret.is_some()),
        ("client_key", provider.client_key.is_some()),
        ("client_assertion", provider.client_assertion.is_some()),
    ];
    let told = signed_secret(context, at, provider);
    let mut declared = set.into_iter().filter(|(_, set)| *set).map(|(key, _)| key);
    if let (false, Some(first), Some(second)) = (told, declared.next(), declared.next()) {
        let message =
            format!("`{first}` and `{second}` must not both be set: the broker authenticates with one of them");
        context.error(&at.key(second), message, "keep one of them");
    }
    if provider.client_assertion.as_ref().is_some_and(|source| source.file.as_os_str().is_empty()) {
        context.must(&at.key("client_assertion").key("file"), "the path of a file", "empty");
    }
    method(context, at, provider);
    certificate(context, at, provider);
}

/// A secret that the broker signs itself takes three keys, and no other secret. `true` if another one was reported.
fn signed_secret(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) -> bool {
    let parts = [
        ("team_id", provider.team_id.is_some()),
        ("key_id", provider.key_id.is_some()),
        ("client_key", provider.client_key.is_some()),
    ];
    if provider.preset != Preset::Apple || provider.token_endpoint_auth_method == Some(ClientAuthMethod::None) {
        return false;
    }
    if provider.client_secret.is_some() {
        let both = parts.into_iter().any(|(_, set)| set);
        if both {
            let message = "`client_secret` and `team_id`, `key_id`, `client_key` must not be set together: the broker signs a secret";
            context.error(
                &at.key("client_secret"),
                message,
                "remove it: a secret of your own expires within six months",
            );
        }
        return both;
    }
    for (key, _) in parts.into_iter().filter(|(_, set)| !set) {
        let message =
            format!("`{key}` must be set in `{at}`: with team_id, key_id and client_key the broker signs its secret");
        context.needs(at, &[key], message, "see examples/upstreams/apple.toml");
    }
    false
}

fn method(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let method_at = at.key("token_endpoint_auth_method");
    let (secret, key) = (provider.client_secret.is_some(), provider.client_key.is_some());
    let assertion = provider.client_assertion.is_some();
    let method = provider.token_endpoint_auth_method;
    let name = method.map(ClientAuthMethod::name).unwrap_or_default();
    if provider.preset == Preset::Apple {
        if !matches!(method, None | Some(ClientAuthMethod::ClientSecretPost | ClientAuthMethod::None)) {
            context.must(&method_at, "\"client_secret_post\" for Apple, which knows no other", quote(name));
        }
        return;
    }
    match method {
        None if !secret && !key && !assertion => context.needs(
            at,
            &["client_secret", "client_key", "client_assertion", "token_endpoint_auth_method"],
            format!("`client_secret` must be set in `{at}`"),
            "add client_secret = { file = \"...\" }, client_key, client_assertion, or token_endpoint_auth_method = \"none\"",
        ),
        Some(ClientAuthMethod::None) if secret || key || assertion => {
            context.must(&method_at, "a method that uses the secret or key", "\"none\"");
        }
        Some(ClientAuthMethod::PrivateKeyJwt) if !key && !assertion => {
            let message = format!("`client_key` must be set in `{at}` for \"private_key_jwt\"");
            context.needs(at, &["client_key", "client_assertion"], message, "");
        }
        Some(ClientAuthMethod::TlsClientAuth | ClientAuthMethod::SelfSignedTlsClientAuth)
            if provider.client_certificate.is_none() =>
        {
            let message = format!("`client_certificate` must be set in `{at}` for {}", quote(name));
            let way_out = "add client_certificate = \"client.pem\" and client_key = { file = \"client.key\" }";
            context.needs(at, &["client_certificate"], message, way_out);
        }
        Some(
            ClientAuthMethod::ClientSecretBasic
            | ClientAuthMethod::ClientSecretPost
            | ClientAuthMethod::ClientSecretJwt,
        ) if !secret => {
            let message = format!("`client_secret` must be set in `{at}` for {}", quote(name));
            context.needs(at, &["client_secret"], message, "add client_secret = { file = \"...\" }");
        }
        _ => {}
    }
}

/// A certificate is of no use without its key.
fn certificate(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    if provider.client_certificate.is_none() {
        return;
    }
    if provider.client_key.is_none() {
        let message = format!("`client_key` must be set in `{at}`: it holds the key of `client_certificate`");
        context.needs(at, &["client_key"], message, "add client_key = { file = \"client.key\" }");
    }
}
