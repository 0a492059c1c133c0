//! The rows of an account and of a session, as a finished sign-in writes them.

use crate::config::language::provider::Reauth;
use crate::decision::pipeline::Decision;
use crate::decision::username;
use crate::env::RandomUnavailable;
use crate::op::RequestContext;
use crate::store::model::{LinkKey, Session, User};
use crate::upstream::UpstreamIdentity;

/// The account after the sign-in; a new one gets its ids here.
pub(super) fn account(context: &RequestContext<'_>, decision: &Decision) -> Result<User, RandomUnavailable> {
    let account = &decision.account;
    Ok(match &account.existing {
        Some(known) => User {
            id: known.id.clone(),
            username: known.username.clone(),
            username_key: username::key(&known.username),
            sub: known.sub.clone(),
            profile: decision.profile.clone(),
            disabled: known.disabled,
            created_at: context.now,
        },
        None => User {
            id: context.random().id()?,
            username: account.username.clone(),
            username_key: username::key(&account.username),
            sub: match &account.imported_sub {
                Some(sub) => sub.clone(),
                None => context.random().id()?,
            },
            profile: decision.profile.clone(),
            disabled: false,
            created_at: context.now,
        },
    })
}

/// The new session, within `[session]` and the provider's narrower bounds.
pub(super) fn session(
    context: &RequestContext<'_>,
    identity: &UpstreamIdentity,
    key: &LinkKey,
    user: &User,
) -> Result<Session, RandomUnavailable> {
    let bounds = context.snapshot.resolved.session_of(&key.provider);
    let provider = context.snapshot.provider(&key.provider);
    let trusted = provider.is_some_and(|provider| provider.reauth == Reauth::Trust);
    let mut expires_at = context.now + bounds.max_lifetime.seconds();
    if let Some(upstream) = identity.access_token_expires_at.filter(|_| bounds.follow_upstream_expiry) {
        expires_at = expires_at.min(upstream);
    }
    Ok(Session {
        id: context.random().id()?,
        user_id: user.id.clone(),
        link: key.clone(),
        auth_time: identity.auth_time.or(trusted.then_some(context.now)),
        acr: identity.acr.clone(),
        amr: identity.amr.clone(),
        upstream_id_token: Some(identity.id_token.expose().to_owned()),
        upstream_sid: identity.sid.clone(),
        created_at: context.now,
        last_active: context.now,
        max_inactive: bounds.max_inactive.seconds(),
        expires_at,
    })
}
