//! The client credentials grant (RFC 6749 §4.4): tokens of the client itself, for no user.

use crate::audit::Kind;
use crate::op::RequestContext;
use crate::op::dpop;
use crate::op::entitlement;
use crate::op::error::OAuthError;
use crate::op::issue;
use crate::op::params::{Form, Params};
use crate::op::token::request::TokenRequest;
use crate::op::token::response::{Issue, TokenResponse, respond};
use crate::protocol::{ErrorCode, GrantType};
use crate::snapshot::client::Client;
use crate::store::ids::GrantId;
use crate::store::model::Grant;

/// Scopes that concern a user, which this grant never has.
const OF_USERS: [&str; 2] = ["openid", "offline_access"];

/// The parameters of this grant.
pub(super) struct CredentialsForm<'p> {
    scope: Option<&'p str>,
    resources: Vec<String>,
}

impl<'p> Form<'p> for CredentialsForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self { scope: params.text("scope"), resources: params.all("resource") }
    }
}

/// Issues an access token to the client.
///
/// # Errors
/// `unauthorized_client`, `invalid_target`.
pub(super) async fn grant(request: &TokenRequest<'_>, form: CredentialsForm<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { context, client, proof } = *request;
    request.check_grant_type(GrantType::ClientCredentials)?;
    if client.is_public() {
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "a public client can't use client_credentials"));
    }
    if !form.resources.iter().all(|uri| entitlement::may_reach(context, client, uri)) {
        return Err(OAuthError::new(ErrorCode::InvalidTarget, "this client may not ask for that resource"));
    }
    let grant = own_grant(context, client, granted_scopes(context, client, form.scope), form.resources)?;
    dpop::use_once(context, proof).await?;
    let event = request.event(Kind::TokenIssued, &grant, None);
    context.store().save_grant(grant.clone(), None, context.now, vec![event.clone()]).await?;
    let (scopes, resources) = (grant.scopes.as_slice(), grant.resources.as_slice());
    respond(request, Issue { grant: &grant, scopes, resources, user: None, refresh_token: None, event })
}

/// Those of the scopes asked for that the client may have; the others are left out, and the response says so (RFC 6749
/// §3.3).
fn granted_scopes(context: &RequestContext<'_>, client: &Client, asked: Option<&str>) -> Vec<String> {
    let asked = asked.unwrap_or_default().split_ascii_whitespace().filter(|scope| !OF_USERS.contains(scope));
    entitlement::scopes(context, client, &asked.map(str::to_owned).collect::<Vec<_>>())
}

/// A grant for no user, which is kept as long as its only access token.
fn own_grant(
    context: &RequestContext<'_>,
    client: &Client,
    scopes: Vec<String>,
    resources: Vec<String>,
) -> Result<Grant, OAuthError> {
    let expires_at = context.now + issue::access_token_lifetime(context, client, &resources);
    Ok(Grant {
        id: GrantId::random(context.random())?,
        client: client.key.clone(),
        user_id: None,
        link: None,
        session_id: None,
        sid: None,
        scopes,
        resources,
        nonce: None,
        claims_request: None,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        dpop_jkt: None,
        certificate: None,
        trace: Some(context.trace()),
        created_at: context.now,
        revoked_at: None,
        expires_at,
    })
}
