//! Who may open the console.

use crate::audit::{Action, Kind};
use crate::decision::console;
use crate::op::RequestContext;
use crate::op::authorize::stage::Admitted;
use crate::op::decide;
use crate::op::error::{PageError, RefusedPerson};
use crate::op::session::shown_name;

/// Lets in a visitor whom `console.require` admits. It is decided at every request, with claims as fresh as a new authorization
/// would have.
///
/// # Errors
/// A page for somebody whom it does not admit; the refusal is recorded, and its decision kept. When the store is not available.
pub async fn admit(context: &RequestContext<'_>, visitor: &Admitted) -> Result<(), PageError> {
    let Admitted { user, session, decision, .. } = visitor;
    let policy = &context.snapshot.policy;
    let Err(refusal) = console::admit(policy, decision, session.acr.as_deref(), &session.amr) else { return Ok(()) };
    let reason = refusal.reason;
    let trace = decide::stored_trace(context, Some(user.id.clone()), None, &decision.provider, &refusal.trace);
    let event = context.event_about(Kind::AdminAction, user).action(Action::ConsoleRefused).reason(reason.code());
    let event = event.provider(&decision.provider).sid(Some(session.id.as_str()));
    context.save_refusal(trace, event).await?;
    let name = shown_name(&user.profile, &user.username).to_owned();
    let refused = RefusedPerson { name: Some(name), another_account: None };
    Err(PageError { refused: Some(Box::new(refused)), ..PageError::refused(reason, &decision.provider, None) })
}
