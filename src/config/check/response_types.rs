//! `clients.X.response_types` together with `grant_types` (OIDC Registration §2), and what response types that pass tokens
//! through the browser require of a client.

use url::Url;

use crate::config::check::context::Context;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::address::is_loopback;
use crate::config::language::client::{ApplicationType, Client, SecurityProfile};
use crate::config::resolved;
use crate::protocol::{GrantType, ResponseType};

pub(crate) fn check(context: &mut Context<'_>, at: &At<'_>, client: &Client, resolved: &resolved::Client) {
    pairs(context, at, client, resolved);
    for (index, response) in resolved.response_types.iter().enumerate() {
        let list = at.key("response_types");
        front_channel(context, &list.index(index), client, resolved, *response);
    }
    if resolved.may(GrantType::Implicit) && client.application_type == ApplicationType::Web {
        redirects(context, at, client);
    }
}

/// Each response type needs its grant types, and each of those needs a response type.
fn pairs(context: &mut Context<'_>, at: &At<'_>, client: &Client, resolved: &resolved::Client) {
    let responses = &resolved.response_types;
    let (grants_at, responses_at) = (at.key("grant_types"), at.key("response_types"));
    let place = if client.response_types.is_some() { responses_at } else { grants_at };
    for grant in [GrantType::AuthorizationCode, GrantType::Implicit] {
        let name = quote(grant.name());
        let user = responses.iter().find(|response| response.grant_types().contains(&grant));
        match user {
            Some(response) if !resolved.may(grant) => {
                let response = quote(response.name());
                let message = format!(
                    "`response_types` has {response}, which needs {name} in `grant_types` too (OIDC Registration §2)"
                );
                context.error(&place, message, &format!("add {name} to grant_types"));
            }
            None if resolved.may(grant) => {
                let message = format!("`grant_types` has {name}, which needs a response type that uses it");
                let fitting = ResponseType::ALL.into_iter().filter(|one| one.grant_types().contains(&grant));
                let fitting: Vec<String> = fitting.map(|one| quote(one.name())).collect();
                let way_out = format!("add one to response_types ({}), or leave the grant out", fitting.join(", "));
                context.error(&place, message, &way_out);
            }
            _ => {}
        }
    }
}

fn front_channel(
    context: &mut Context<'_>,
    at: &At<'_>,
    client: &Client,
    resolved: &resolved::Client,
    response: ResponseType,
) {
    if response == ResponseType::Code {
        return;
    }
    let name = quote(response.name());
    if client.security_profile == SecurityProfile::Fapi2 {
        let message = format!("the response type {name} must not be used under \"fapi2\" (FAPI 2.0 §5.3.2.2)");
        return context.error(at, message, "use response_types = [\"code\"]");
    }
    let scoped = resolved.scopes.iter().any(|scope| scope == "openid");
    if response.has_id_token() && !scoped {
        let message = format!("the response type {name} needs the scope \"openid\"");
        context.error(at, message, "add it to the client's scopes");
    }
    if response.has_token() {
        let message = format!(
            "the response type {name} passes access tokens to the browser, which RFC 9700 §2.1.2 advises against"
        );
        context.warn(at, message, "move the app to response_types = [\"code\"] with PKCE, in browsers too");
    }
}

/// OIDC Registration §2, `application_type`.
fn redirects(context: &mut Context<'_>, at: &At<'_>, client: &Client) {
    let list = at.key("redirect_uris");
    for (index, uri) in client.redirect_uris.iter().enumerate() {
        let Ok(url) = Url::parse(uri) else { continue };
        if url.scheme() == "http" || url.host().is_some_and(|host| is_loopback(&host)) {
            let message =
                "a web client with the grant \"implicit\" should use https and not localhost (OIDC Registration §2)";
            let way_out = "use the app's https address, or application_type = \"native\" for one on the user's machine";
            context.warn(&list.index(index), message, way_out);
        }
    }
}
