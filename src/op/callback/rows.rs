//! The rows of an account and of a session, as a finished sign-in writes them.

use crate::audit::{Event, Kind, Pattern};
use crate::config::language::provider::Reauth;
use crate::decision::account::LinkedBy;
use crate::decision::pipeline::Decision;
use crate::decision::username;
use crate::env::RandomUnavailable;
use crate::op::RequestContext;
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{Device, LinkKey, Session, User};
use crate::store::{AccountView, AccountWrite};
use crate::upstream::UpstreamIdentity;

/// The account that was decided on, where it exists.
pub(crate) fn existing<'v>(view: &'v AccountView, decision: &Decision) -> Option<&'v User> {
    match decision.account.linked_by {
        LinkedBy::Subject => view.linked.as_ref().map(|(user, _)| user),
        LinkedBy::Declared => view.declared.as_ref(),
        LinkedBy::VerifiedEmail => view.by_email.first(),
        LinkedBy::Created => None,
    }
}

/// The event of a sign-in, and those of the account that it created or linked.
pub(crate) fn events(sign_in: Event, view: &AccountView, decision: &Decision) -> Vec<Event> {
    let mut events = vec![sign_in.clone()];
    match decision.account.linked_by {
        LinkedBy::Created => events.push(sign_in.and(Kind::AccountCreated)),
        LinkedBy::Declared | LinkedBy::VerifiedEmail if view.linked.is_none() => {
            let by_file = decision.account.linked_by == LinkedBy::Declared;
            let how = if by_file { "linked by the file" } else { "linked by a verified address" };
            let linked = sign_in.and(Kind::AccountLinked).detail(how);
            events.extend([linked.clone(), linked.suspicious(Pattern::NewLink)]);
        }
        _ => {}
    }
    events
}

/// The account after the sign-in.
pub(crate) fn account(context: &RequestContext<'_>, existing: Option<&User>, decision: &Decision) -> User {
    if let Some(user) = existing {
        return User { profile: decision.profile.clone(), ..user.clone() };
    }
    let account = &decision.account;
    User {
        id: UserId::new(account.ids.id.as_str()),
        username: account.username.clone(),
        username_key: username::key(&account.username),
        sub: account.ids.sub.clone(),
        profile: decision.profile.clone(),
        disabled: false,
        created_at: context.now,
    }
}

/// How the account is written.
pub(crate) fn write(view: &AccountView, decision: &Decision, user: &User) -> AccountWrite {
    match existing(view, decision) {
        Some(known) => AccountWrite::Update {
            user_id: known.id.clone(),
            profile: (known.profile != decision.profile).then(|| decision.profile.clone()),
        },
        None => AccountWrite::Create(user.clone()),
    }
}

/// The device that a request comes from.
pub(crate) fn device(context: &RequestContext<'_>) -> Device {
    Device {
        address: context.address.map(|address| address.to_canonical().to_string()),
        user_agent: context.user_agent.clone(),
    }
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
        id: SessionId::random(context.random())?,
        user_id: user.id.clone(),
        link: key.clone(),
        auth_time: identity.auth_time.or(trusted.then_some(context.now)),
        acr: identity.acr.clone(),
        amr: identity.amr.clone(),
        upstream_id_token: Some(identity.id_token.expose().to_owned()).filter(|token| !token.is_empty()),
        upstream_sid: identity.sid.clone(),
        device: device(context),
        created_at: context.now,
        last_active: context.now,
        max_inactive: bounds.max_inactive.seconds(),
        expires_at,
    })
}
