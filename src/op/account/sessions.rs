//! The sessions of a visitor, and ending them.

use std::time::Duration;

use crate::audit::Kind;
use crate::op::RequestContext;
use crate::op::authorize::stage::Admitted;
use crate::op::error::PageError;
use crate::op::logout::backchannel;
use crate::store::Ended;
use crate::store::ids::SessionId;
use crate::store::model::Session;
use crate::store::self_service::OwnSessions;

/// Sessions on one page.
const PAGE: u32 = 20;

/// A page of the visitor's sessions.
pub struct Sessions {
    /// The one in use.
    pub current: Session,
    /// Others, newest first.
    pub others: Vec<Session>,
    /// Whether there are older ones.
    pub more: bool,
}

/// The live sessions of the visitor that are older than `after`.
///
/// # Errors
/// When the store is not available.
pub async fn list(
    context: &RequestContext<'_>,
    visitor: &Admitted,
    after: Option<&str>,
) -> Result<Sessions, PageError> {
    let after = after.map(SessionId::new);
    let (user, current) = (&visitor.user.id, &visitor.session);
    // One for the session in use, which is shown apart, and one that says whether there are more.
    let mut others = context.store().own_sessions(user, after.as_ref(), context.now, PAGE + 2).await?;
    others.retain(|session| session.id != current.id);
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = others.len() > page;
    others.truncate(page);
    Ok(Sessions { current: current.clone(), others, more })
}

/// A live session of the visitor, by its id. `None` when it is not theirs, or has ended.
///
/// # Errors
/// When the store is not available.
pub async fn find(context: &RequestContext<'_>, visitor: &Admitted, id: &str) -> Result<Option<Session>, PageError> {
    let found = context.store().session_by_id(&SessionId::new(id)).await?;
    let own = found.map(|view| view.session).filter(|session| session.user_id == visitor.user.id);
    Ok(own.filter(|session| session.id.as_str() == id && session.is_live(context.now)))
}

/// Ends sessions of the visitor and notifies the apps that had a part in them.
///
/// # Errors
/// When the store is not available.
pub async fn end(context: &RequestContext<'_>, visitor: &Admitted, which: OwnSessions) -> Result<Ended, PageError> {
    let user = &visitor.user;
    let event = context.event_about(Kind::Logout, user).detail("ended by its user on the account pages");
    let event = match &which {
        OwnSessions::One(id) => event.sid(Some(id.as_str())),
        OwnSessions::AllBut(_) => event,
    };
    let tell = backchannel::tell(context);
    let ended = context.store().end_own_sessions(&user.id, which, context.now, event.clone(), &tell).await?;
    if ended.sessions > 0 {
        context.announce(&[event.ended(ended.sessions, ended.grants)]);
        backchannel::session_ended(context, user, &ended.apps, Duration::ZERO);
    }
    Ok(ended)
}
