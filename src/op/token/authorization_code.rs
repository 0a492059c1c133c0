//! The authorization code grant (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9449 §10).
//!
//! Owns what a code is bound to, and its single use: a code that is used twice revokes what its first use issued (RFC 6749
//! §4.1.2).

use crate::audit::{Kind, Pattern};
use crate::op::RequestContext;
use crate::op::dpop;
use crate::op::entitlement;
use crate::op::error::OAuthError;
use crate::op::issue;
use crate::op::params::{Form, Params};
use crate::op::token::request::{TokenRequest, invalid_grant, required};
use crate::op::token::response::{Issue, TokenResponse, respond};
use crate::op::token::{narrowing, pkce, policy};
use crate::op::validity;
use crate::protocol::GrantType;
use crate::snapshot::client::Client;
use crate::store::Redeemed;
use crate::store::model::{Code, Grant, RefreshToken, TokenHash};

/// The parameters of this grant.
pub(super) struct CodeForm<'p> {
    code: Option<&'p str>,
    redirect_uri: Option<&'p str>,
    code_verifier: Option<&'p str>,
    resources: Vec<String>,
}

impl<'p> Form<'p> for CodeForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self {
            code: params.text("code"),
            redirect_uri: params.text("redirect_uri"),
            code_verifier: params.text("code_verifier"),
            resources: params.all("resource"),
        }
    }
}

/// Redeems a code.
///
/// # Errors
/// RFC 6749 §5.2: `invalid_grant` when the code can't be used, or the policy refuses.
pub(super) async fn grant(request: &TokenRequest<'_>, form: CodeForm<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { context, client, proof } = *request;
    request.check_grant_type(GrantType::AuthorizationCode)?;
    let hash = TokenHash::of(required("code", form.code)?);
    let unusable = || invalid_grant("the code is unknown, used or expired");
    let (code, session) = context.store().code(hash).await?.ok_or_else(unusable)?;
    check_binding(request, &code, &form)?;
    context.go_on(code.grant.trace.as_ref());
    if code.used_at.is_some() {
        let user = session.as_ref().map(|view| &view.user);
        let event = request.event(Kind::Suspicious, &code.grant, user).suspicious(Pattern::CodeReuse);
        context.store().revoke_grant(&code.grant.id, context.now, vec![event.clone()]).await?;
        context.announce(&[event]);
        return Err(unusable());
    }
    // Only now: a used code tells of its reuse for as long as what it led to lives, not only for its own minute.
    if context.now >= code.expires_at {
        return Err(invalid_grant("the code has expired"));
    }
    request.check_key(code.dpop_jkt.as_deref())?;
    let session_end = session.as_ref().map_or(context.now, |view| view.session.expires_at);
    let (user, link) = match validity::account_of(context, session) {
        Ok(account) => account,
        Err(invalid) => return Err(policy::not_valid(context, &code.grant, invalid).await?),
    };
    let decision = policy::decide_again(context, &code.grant, &code.grant.scopes, (&user, &link)).await?;
    let resources = narrowing::resources(request, &code.grant, form.resources)?;
    let expires_at = issue::grant_end(context, client, &link.key, &resources, session_end);
    let session_id = match &code.grant.session_id {
        None if !entitlement::keeps_offline_access(context, client, &code.grant.scopes) => code.grant.sid.clone(),
        bound => bound.clone(),
    };
    let scopes = entitlement::scopes(context, client, &code.grant.scopes);
    let (dpop_jkt, certificate) = (request.refresh_key(), request.refresh_certificate());
    let grant = Grant { dpop_jkt, certificate, expires_at, session_id, scopes, ..code.grant };
    let refresh_token =
        if client.may(GrantType::RefreshToken) { Some(first_refresh_token(context, client, &grant)?) } else { None };
    let (secret, row) = refresh_token.unzip();
    dpop::use_once(context, proof).await?;
    let event = request.event(Kind::TokenIssued, &grant, Some(&user));
    let redeemed = context.store().redeem_code(hash, grant.clone(), row, context.now, vec![event.clone()]).await?;
    if redeemed == Redeemed::Refused {
        return Err(unusable());
    }
    let (scopes, user) = (grant.scopes.as_slice(), Some((&user, &decision)));
    respond(request, Issue { grant: &grant, scopes, resources: &resources, user, refresh_token: secret, event })
}

/// Everything that binds a code: its client, its redirect URI, its challenge.
fn check_binding(request: &TokenRequest<'_>, code: &Code, form: &CodeForm<'_>) -> Result<(), OAuthError> {
    if code.grant.client != request.client.key {
        return Err(invalid_grant("the code was issued to another client"));
    }
    if form.redirect_uri != Some(code.redirect_uri.as_str()) {
        return Err(invalid_grant("redirect_uri differs from the one of the authorization request"));
    }
    pkce::check(code.code_challenge.as_deref(), form.code_verifier)
}

/// The first refresh token of a family, with its secret.
fn first_refresh_token(
    context: &RequestContext<'_>,
    client: &Client,
    grant: &Grant,
) -> Result<(String, RefreshToken), OAuthError> {
    let lifetimes = &client.tokens.refresh_token;
    let secret = context.random().secret()?;
    let family_expires_at = context.now + lifetimes.max_lifetime.seconds();
    let row = RefreshToken {
        hash: TokenHash::of(&secret),
        grant_id: grant.id.clone(),
        created_at: context.now,
        used_at: None,
        expires_at: (context.now + lifetimes.max_inactive.seconds()).min(family_expires_at),
        family_expires_at,
    };
    Ok((secret, row))
}
