//! Whether what was stored earlier is still valid: a session, a grant, a refresh token, an upstream account, a user, a
//! client. Every endpoint asks here, so that the token endpoint, userinfo, introspection and the authorization endpoint
//! give the same answer.
//!
//! Owns the definitions, and reads nothing: callers pass the rows. What the policy says of a valid sign-in (`allow`, `require`,
//! users that the file disables) is decided afterwards, by [`decide`](crate::op::decide).

use crate::op::RequestContext;
use crate::op::certificate;
use crate::protocol::BREAK_GLASS;
use crate::snapshot::client::Client;
use crate::store::model::{Link, LinkKey, RefreshToken, Session, User};
use crate::store::{GrantView, SessionView};

/// Why something that was stored is no longer valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It was revoked.
    Revoked,
    /// It has expired.
    Expired,
    /// The client that it was issued to is no longer in the configuration, or disabled.
    ClientDisabled,
    /// The provider that vouched was removed or disabled, or its id is another issuer's now.
    ProviderRemoved,
    /// The session that it depends on has ended, was inactive for too long, or has expired.
    SessionEnded,
    /// The user or the upstream account no longer exists, or the user was disabled at run time.
    UserDisabled,
}

/// What a valid grant is for.
#[derive(Clone, Copy, Debug)]
pub struct ValidGrant<'s, 'v> {
    /// The client that it was issued to.
    pub client: &'s Client,
    /// The user, and the upstream account that vouched; `None` for a client's own grant (`client_credentials`).
    pub account: Option<(&'v User, &'v Link)>,
}

/// Whether the provider of an upstream account exists, is enabled, and has the same issuer: a provider id that was pointed at
/// another issuer is another provider. For the break-glass account, whether it is declared, under the same name and with the
/// password hash that it was entered with, which stands in for the issuer.
///
/// # Errors
/// [`Invalid::ProviderRemoved`].
pub fn provider(context: &RequestContext<'_>, key: &LinkKey) -> Result<(), Invalid> {
    if key.provider == BREAK_GLASS {
        let account = context.snapshot.break_glass.as_ref();
        let accepted = account.is_some_and(|account| account.accepts(&key.issuer));
        return if accepted { Ok(()) } else { Err(Invalid::ProviderRemoved) };
    }
    let provider = context.snapshot.policy.providers.get(&key.provider);
    let same = provider.is_some_and(|provider| provider.enabled && provider.issuer == key.issuer);
    if same { Ok(()) } else { Err(Invalid::ProviderRemoved) }
}

/// Whether a session has neither ended nor been inactive for too long, and its provider is valid.
///
/// # Errors
/// [`Invalid::ProviderRemoved`], [`Invalid::SessionEnded`].
pub fn session(context: &RequestContext<'_>, session: &Session) -> Result<(), Invalid> {
    provider(context, &session.link)?;
    if session.is_live(context.now) { Ok(()) } else { Err(Invalid::SessionEnded) }
}

/// Whether the user may sign in at all, as far as the store says.
///
/// # Errors
/// [`Invalid::UserDisabled`].
pub fn user(user: &User) -> Result<(), Invalid> {
    if user.disabled { Err(Invalid::UserDisabled) } else { Ok(()) }
}

/// Whether what vouched still does: a certificate until it expires.
///
/// # Errors
/// [`Invalid::Expired`].
pub fn link(context: &RequestContext<'_>, link: &Link) -> Result<(), Invalid> {
    if certificate::has_expired(link, context.now) { Err(Invalid::Expired) } else { Ok(()) }
}

/// Whether somebody is signed in: the session, its user and the upstream account that vouched are valid.
///
/// # Errors
/// The first of them that is not.
pub fn signed_in(context: &RequestContext<'_>, view: &SessionView) -> Result<(), Invalid> {
    session(context, &view.session)?;
    user(&view.user)?;
    link(context, view.link.as_ref().ok_or(Invalid::UserDisabled)?)
}

/// The user and the upstream account of a session, while somebody is signed in by it.
///
/// # Errors
/// Why nobody is; a session that is no longer in the store has ended.
pub fn account_of(context: &RequestContext<'_>, view: Option<SessionView>) -> Result<(User, Link), Invalid> {
    let view = view.ok_or(Invalid::SessionEnded)?;
    signed_in(context, &view)?;
    Ok((view.user, view.link.ok_or(Invalid::UserDisabled)?))
}

/// The client of this key, while it is enabled.
///
/// # Errors
/// [`Invalid::ClientDisabled`].
pub fn client<'s>(context: &'s RequestContext<'_>, key: &str) -> Result<&'s Client, Invalid> {
    context.snapshot.clients.get(key).filter(|client| client.enabled).ok_or(Invalid::ClientDisabled)
}

/// Whether a grant is valid, and all that it depends on: its client; for a user's grant the provider, the user and the
/// upstream account; and the session that it is bound to, if any. A grant with `offline_access` is bound to none and outlives
/// the session (OIDC Core §11).
///
/// # Errors
/// The first check that it fails.
pub fn grant<'s, 'v>(context: &'s RequestContext<'_>, view: &'v GrantView) -> Result<ValidGrant<'s, 'v>, Invalid> {
    let GrantView { grant, user: owner, link, session: bound_to } = view;
    if grant.revoked_at.is_some() {
        return Err(Invalid::Revoked);
    }
    if context.now >= grant.expires_at {
        return Err(Invalid::Expired);
    }
    let client = client(context, &grant.client)?;
    if let Some(key) = &grant.link {
        provider(context, key)?;
    }
    if grant.session_id.is_some() {
        session(context, bound_to.as_ref().ok_or(Invalid::SessionEnded)?)?;
    }
    if grant.user_id.is_none() {
        return Ok(ValidGrant { client, account: None });
    }
    let (owner, link) = owner.as_ref().zip(link.as_ref()).ok_or(Invalid::UserDisabled)?;
    user(owner)?;
    self::link(context, link)?;
    Ok(ValidGrant { client, account: Some((owner, link)) })
}

/// Whether a refresh token has expired. For one that was used, only the end of its family counts: what a second use means is
/// decided where tokens are rotated.
///
/// # Errors
/// [`Invalid::Expired`].
pub fn refresh_token(context: &RequestContext<'_>, token: &RefreshToken) -> Result<(), Invalid> {
    let unused_for_too_long = token.used_at.is_none() && context.now >= token.expires_at;
    if unused_for_too_long || context.now >= token.family_expires_at { Err(Invalid::Expired) } else { Ok(()) }
}
