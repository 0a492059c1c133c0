//! The token response (RFC 6749 §5.1, OIDC Core §3.1.3.3): which tokens are issued, signed.

use serde::Serialize;

use crate::audit::Event;
use crate::decision::app::Release;
use crate::decision::pipeline::Decision;
use crate::op::certificate_binding;
use crate::op::decide;
use crate::op::dpop;
use crate::op::error::OAuthError;
use crate::op::issue;
use crate::op::issue::{AccessTokenContents, IssuedWith};
use crate::op::token::request::TokenRequest;
use crate::store::model::{Grant, User};

/// The token response.
#[derive(Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

/// The part of a grant that one token response covers.
pub(super) struct Issue<'a> {
    /// The grant.
    pub grant: &'a Grant,
    /// Its scopes, or fewer.
    pub scopes: &'a [String],
    /// Its resources, or fewer.
    pub resources: &'a [String],
    /// The user, with the current decision; `None` for a client's own grant, which has no ID token.
    pub user: Option<(&'a User, &'a Decision)>,
    /// The refresh token.
    pub refresh_token: Option<String>,
    /// What is recorded already.
    pub event: Event,
}

/// Signs the tokens and makes the response. Call it only once everything that they depend on is stored.
///
/// # Errors
/// `server_error` when a token can't be signed.
pub(super) fn respond(request: &TokenRequest<'_>, issue: Issue<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { context, client, proof } = *request;
    let Issue { grant, scopes, resources, user, refresh_token, event } = issue;
    let subject = user.map_or_else(|| client.client_id.clone(), |(user, _)| decide::subject(client, user));
    let nothing = Release::default();
    let release = user.and_then(|(_, decision)| decision.release.as_ref()).unwrap_or(&nothing);
    let claims = dpop::bound_claims(&release.access_token, proof);
    let claims = certificate_binding::bound_claims(claims, request.certificate().as_deref());
    let contents = AccessTokenContents { client, grant, subject: &subject, scopes, resources, claims: &claims };
    let access = issue::access_token(context, &contents)?;
    let id_token = if user.is_some() && scopes.iter().any(|scope| scope == "openid") {
        let issued_with = IssuedWith { access_token: Some(&access.token), code: None };
        Some(issue::id_token(context, client, grant, &subject, release, issued_with)?)
    } else {
        None
    };
    context.announce(&[event]);
    Ok(TokenResponse {
        access_token: access.token,
        token_type: dpop::token_type(&claims),
        expires_in: access.expires_in,
        scope: scopes.join(" "),
        id_token,
        refresh_token,
    })
}
