//! The refresh token grant (RFC 6749 §6, OIDC Core §12), with rotation (RFC 9700 §4.14.2).

use crate::audit::{Kind, Pattern};
use crate::decision::pipeline::Decision;
use crate::op::dpop;
use crate::op::entitlement;
use crate::op::error::OAuthError;
use crate::op::issue;
use crate::op::params::{Form, Params};
use crate::op::token::request::{TokenRequest, invalid_grant, required};
use crate::op::token::response::{Issue, TokenResponse, respond};
use crate::op::token::{narrowing, policy};
use crate::op::upstream_claims;
use crate::op::upstream_claims::NotCurrent;
use crate::op::validity;
use crate::protocol::GrantType;
use crate::store::model::{Grant, Link, RefreshToken, TokenHash, User};
use crate::store::{GrantView, Rotated, Rotation};

/// The parameters of this grant.
pub(super) struct RefreshForm<'p> {
    refresh_token: Option<&'p str>,
    scope: Option<&'p str>,
    resources: Vec<String>,
}

impl<'p> Form<'p> for RefreshForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self {
            refresh_token: params.text("refresh_token"),
            scope: params.text("scope"),
            resources: params.all("resource"),
        }
    }
}

/// A refresh token that may be used, with its grant and its user.
struct Valid {
    token: RefreshToken,
    grant: Grant,
    user: User,
    link: Link,
}

fn unusable() -> OAuthError {
    invalid_grant("the refresh token is unknown, expired or revoked")
}

/// Uses a refresh token.
///
/// # Errors
/// RFC 6749 §5.2: `invalid_grant` when the token can't be used, or the provider or the policy refuses; `invalid_scope`,
/// `invalid_target` when more is asked for than was granted.
pub(super) async fn grant(request: &TokenRequest<'_>, form: RefreshForm<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { context, proof, .. } = *request;
    request.check_grant_type(GrantType::RefreshToken)?;
    let presented = required("refresh_token", form.refresh_token)?;
    let Valid { token, grant, user, link } = valid(request, presented).await?;
    request.check_key(grant.dpop_jkt.as_deref())?;
    request.check_certificate(grant.certificate.as_deref())?;
    let asked = narrowing::scopes(&grant, form.scope)?;
    let resources = narrowing::resources(request, &grant, form.resources)?;
    let link = match upstream_claims::current(context, link).await {
        Ok(link) => link,
        Err(NotCurrent::Refused(refusal)) => return Err(policy::refused(context, &grant, Some(&user), refusal).await?),
        Err(NotCurrent::Store(error)) => return Err(error.into()),
    };
    let decision = policy::decide_again(context, &grant, &asked, (&user, &link)).await?;
    let scopes = entitlement::scopes(context, request.client, &asked);
    dpop::use_once(context, proof).await?;
    let event = request.event(Kind::TokenRefreshed, &grant, Some(&user));
    let mut rotation = rotation(request, &token, &grant, &resources, (&user, &decision))?;
    rotation.events.push(event.clone());
    rotation.reuse_events.push(event.suspicious(Pattern::RefreshReuse));
    let secret = rotate(request, presented, rotation).await?;
    // OIDC Core §12.2: an ID token from a refresh should carry no nonce.
    let grant = Grant { nonce: None, ..grant };
    let user = Some((&user, &decision));
    let refresh_token = Some(secret);
    respond(request, Issue { grant: &grant, scopes: &scopes, resources: &resources, user, refresh_token, event })
}

/// The presented token, while it and its grant are valid. A token that was used before is found here too: what that means is
/// decided by [`rotate`].
async fn valid(request: &TokenRequest<'_>, presented: &str) -> Result<Valid, OAuthError> {
    let context = request.context;
    let found = context.store().refresh_token(TokenHash::of(presented)).await?;
    let (token, view) = found.ok_or_else(unusable)?;
    if view.grant.client != request.client.key {
        return Err(invalid_grant("the refresh token was issued to another client"));
    }
    context.go_on(view.grant.trace.as_ref());
    validity::refresh_token(context, &token).map_err(|_| unusable())?;
    let view = entitlement::rebound(context, view).await?;
    if let Err(invalid) = validity::grant(context, &view) {
        return Err(policy::not_valid(context, &view.grant, invalid).await?);
    }
    let GrantView { grant, user, link, .. } = view;
    let (user, link) = user.zip(link).ok_or_else(unusable)?;
    Ok(Valid { token, grant, user, link })
}

/// One use of the token: with a successor where this client's tokens rotate, and the changes to the account that come with it.
fn rotation(
    request: &TokenRequest<'_>,
    token: &RefreshToken,
    grant: &Grant,
    resources: &[String],
    (user, decision): (&User, &Decision),
) -> Result<Rotation, OAuthError> {
    let TokenRequest { context, client, .. } = *request;
    let lifetimes = &client.tokens.refresh_token;
    let keep_until = (context.now + lifetimes.max_inactive.seconds()).min(token.family_expires_at);
    let rotates = lifetimes.rotate || client.is_public();
    let successor = if rotates {
        let secret = context.random().secret()?;
        let row = RefreshToken {
            hash: TokenHash::of(&secret),
            grant_id: grant.id.clone(),
            created_at: context.now,
            used_at: None,
            expires_at: keep_until,
            family_expires_at: token.family_expires_at,
        };
        Some((row, secret))
    } else {
        None
    };
    let lifetime = issue::within_grant(context, grant, issue::access_token_lifetime(context, client, resources));
    let access_token_ends = context.now + lifetime;
    Ok(Rotation {
        parent: token.hash,
        successor,
        keep_until,
        grace: lifetimes.reuse_grace.seconds(),
        link: None,
        touch_session: grant.session_id.clone(),
        profile: (decision.profile != user.profile).then(|| (user.id.clone(), decision.profile.clone())),
        dpop_jkt: request.refresh_key(),
        grant_expires_at: grant.expires_at.max(access_token_ends),
        events: Vec::new(),
        reuse_events: Vec::new(),
    })
}

/// Uses the token: stores its successor, or within the grace period hands out the one stored before.
async fn rotate(request: &TokenRequest<'_>, presented: &str, rotation: Rotation) -> Result<String, OAuthError> {
    let context = request.context;
    let reused = rotation.reuse_events.clone();
    let next = rotation.successor.as_ref().map_or_else(|| presented.to_owned(), |(_, secret)| secret.clone());
    match context.store().rotate_refresh(rotation, context.now).await? {
        Rotated::New => Ok(next),
        Rotated::Replayed(secret) => Ok(secret),
        Rotated::Reused => {
            context.announce(&reused);
            Err(invalid_grant("the refresh token was used before; sign in again"))
        }
        Rotated::Refused => Err(unusable()),
    }
}
