//! `[providers.X]`: the URLs and paths of each. Which paths are taken is checked in [`paths`](super::paths).

use crate::config::check::context::Context;
use crate::config::check::urls;
use crate::config::check::urls::Http;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::provider::{Preset, Provider};
use crate::config::resolved::preset;

pub(crate) fn check(context: &mut Context<'_>, at: &At<'_>, provider: &Provider, http: Http) {
    match &provider.issuer {
        Some(issuer) => {
            if let Err(expected) = urls::issuer(issuer, http) {
                let way_out = issuer.starts_with("http://").then(|| "or add allow_http = true".to_owned());
                context.must_or(&at.key("issuer"), expected, quote(issuer), way_out);
            } else if urls::is_same_issuer(issuer, &context.config.issuer) {
                let message = "`issuer` is this broker's own: it can't be its own provider";
                context.error(&at.key("issuer"), message, "write the issuer of the provider that people sign in with");
            }
        }
        None if provider.preset.is_openid() && preset::issuer(provider).is_none() => {
            let message = format!("`issuer` must be set in `{at}`");
            context.needs(at, &["issuer"], message, "add issuer = \"https://...\"");
        }
        None => {}
    }
    for (key, url) in [
        ("backchannel_url", &provider.backchannel_url),
        ("authorization_endpoint", &provider.authorization_endpoint),
        ("token_endpoint", &provider.token_endpoint),
        ("userinfo_endpoint", &provider.userinfo_endpoint),
        ("jwks_uri", &provider.jwks_uri),
        ("base_url", &provider.base_url),
    ] {
        let Some(url) = url else { continue };
        // The back channel is in the operator's own network, so plain http is accepted if the operator sets it.
        let http = if key == "backchannel_url" { Http::Anywhere } else { http };
        if let Err(expected) = urls::web_url(url, http) {
            context.must(&at.key(key), expected, quote(url));
        }
    }
    for (key, url) in
        [("redirect_uri", &provider.redirect_uri), ("post_logout_redirect_uri", &provider.post_logout_redirect_uri)]
    {
        if let Some(Err(expected)) = url.as_ref().map(|url| urls::redirect_uri(url, false)) {
            context.must(&at.key(key), expected, quote(url.as_deref().unwrap_or_default()));
        }
    }
    if let Some(path) = &provider.redirect_path
        && let Err(expected) = urls::path(path)
    {
        context.must(&at.key("redirect_path"), expected, quote(path));
    }
    if let Some(proxy) = &provider.proxy
        && let Err(expected) = urls::web_url(proxy.expose(), Http::Anywhere)
    {
        context.must(&at.key("proxy"), expected, quote(&proxy.to_string()));
    }
    manual_endpoints(context, at, provider);
}

/// Endpoints set in the file must be complete: discovery is not used for the rest.
fn manual_endpoints(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let written = [
        ("authorization_endpoint", provider.authorization_endpoint.is_some()),
        ("token_endpoint", provider.token_endpoint.is_some()),
        ("jwks_uri", provider.jwks_uri.is_some()),
        ("userinfo_endpoint", provider.userinfo_endpoint.is_some()),
    ];
    let oauth = provider.preset == Preset::Oauth2;
    if !oauth && !written.iter().any(|(_, set)| *set) {
        return;
    }
    for (key, set) in written {
        let needed = match key {
            "jwks_uri" => provider.preset.is_openid(),
            "userinfo_endpoint" => oauth,
            _ => provider.preset != Preset::Github,
        };
        if needed && !set {
            let message = format!("`{key}` must be set in `{at}`: set all endpoints, or none to use discovery");
            context.needs(at, &[key], message, "");
        }
    }
    if oauth && provider.subject.is_none() {
        let message = format!("`subject` must be set in `{at}`: plain OAuth 2.0 does not define a subject");
        context.needs(at, &["subject"], message, "for example subject = \"string(claims.id)\"");
    }
}
