//! Ending sessions, and revoking the grants of a client or a consent.

use crate::audit::{Action, Kind};
use crate::op::RequestContext;
use crate::op::administration::people::find;
use crate::op::administration::{Failure, Report, acted, report};
use crate::op::logout::backchannel;
use crate::store::ids::SessionId;
use crate::store::model::User;
use crate::store::{Ended, SessionView};

/// The most sessions of one user that one call ends.
const SESSIONS: u32 = 10_000;

/// Ends a session, by its id.
///
/// # Errors
/// When there is no such session, or the store is not available.
pub async fn session(context: &RequestContext<'_>, id: &str) -> Result<Report, Failure> {
    one_session(context, &SessionId::new(id), None).await
}

/// Ends this session, as [`session`] does. `by` is the administrator, where one is known.
///
/// # Errors
/// As [`session`].
pub async fn one_session(context: &RequestContext<'_>, id: &SessionId, by: Option<&str>) -> Result<Report, Failure> {
    let view = context.store().session_by_id(id).await?;
    let view = view.ok_or_else(|| Failure::NotFound(format!("there is no session {id}")))?;
    end(context, &[view], by).await
}

/// Ends all sessions of a user. Grants with `offline_access` outlive them (OIDC Core §11).
///
/// # Errors
/// When there is no such user, or the store is not available.
pub async fn sessions_of(context: &RequestContext<'_>, user: &str) -> Result<Report, Failure> {
    let user = find(context, user).await?.user;
    sessions_of_user(context, &user, None).await
}

/// Ends all sessions of this user, as [`sessions_of`] does. `by` is the administrator, where one is known.
///
/// # Errors
/// When the store is not available.
pub async fn sessions_of_user(context: &RequestContext<'_>, user: &User, by: Option<&str>) -> Result<Report, Failure> {
    let sessions = context.store().sessions(Some(&user.id), SESSIONS).await?;
    end(context, &sessions, by).await
}

/// Ends sessions of one user.
async fn end(context: &RequestContext<'_>, sessions: &[SessionView], by: Option<&str>) -> Result<Report, Failure> {
    let (mut ended, tell) = (Ended::default(), backchannel::tell(context));
    for view in sessions {
        let event = context.event_about(Kind::AdminAction, &view.user).action(Action::SessionRevoked);
        let event = event.provider(&view.session.link.provider).sid(Some(view.session.id.as_str()));
        let event = acted(event, by);
        let apps = context.store().end_session(&view.session.id, context.now, vec![event.clone()], &tell).await?;
        context.announce(&[event]);
        ended.sessions += 1;
        ended.apps.extend(apps);
    }
    Ok(report(context, sessions.first().map(|view| &view.user), &ended, None))
}

/// Revokes all grants of a client, for example because its tokens were stolen. Sessions continue, and users get new grants at
/// their next sign-in.
///
/// # Errors
/// When the file has no such client, or the store is not available.
pub async fn client(context: &RequestContext<'_>, key: &str) -> Result<Report, Failure> {
    client_by(context, key, None).await
}

/// As [`client`]. `by` is the administrator, where one is known.
///
/// # Errors
/// As [`client`].
pub async fn client_by(context: &RequestContext<'_>, key: &str, by: Option<&str>) -> Result<Report, Failure> {
    let known = context.snapshot.clients.get(key);
    let event = acted(context.event(Kind::AdminAction).action(Action::ClientRevoked).client(key), by);
    let ended = context.store().revoke_client(key, context.now, event.clone()).await?;
    if known.is_none() && ended.grants == 0 {
        return Err(Failure::NotFound(format!("there is no client {key}, and no grant of one")));
    }
    context.announce(&[event.ended(0, ended.grants)]);
    Ok(report(context, None, &ended, known))
}

/// Deletes a user's consent for a client and revokes the grants that depend on it.
///
/// # Errors
/// When there is no such user, or neither a consent nor a grant; when the store is not available.
pub async fn consent(context: &RequestContext<'_>, user: &str, client: &str) -> Result<Report, Failure> {
    let user = find(context, user).await?.user;
    let done = consent_of(context, &user, client, None).await?;
    done.ok_or_else(|| Failure::NotFound(format!("{} has given client {client} no consent", user.username)))
}

/// As [`consent`], for this user. `by` is the administrator, where one is known. `None` if there is nothing to revoke.
///
/// # Errors
/// When the store is not available.
pub async fn consent_of(
    context: &RequestContext<'_>,
    user: &User,
    client: &str,
    by: Option<&str>,
) -> Result<Option<Report>, Failure> {
    let event = context.event_about(Kind::AdminAction, user).action(Action::ConsentRevoked).client(client);
    let event = acted(event, by);
    let revoked = context.store().revoke_consent(&user.id, client, context.now, event.clone()).await?;
    let Some(ended) = revoked else { return Ok(None) };
    context.announce(&[event.ended(0, ended.grants)]);
    Ok(Some(report(context, None, &ended, context.snapshot.clients.get(client))))
}
