//! What happened to a visitor lately, as the audit trail has it: sign-ins, refusals and sign-outs.

use crate::audit::Kind;
use crate::audit::chain::Recorded;
use crate::op::RequestContext;
use crate::op::authorize::stage::Admitted;
use crate::op::error::PageError;
use crate::store::EventQuery;

/// Events on one page.
const PAGE: u32 = 25;

/// The kinds of events that people are shown of their own. Tokens that apps refresh are not among them: nobody did that.
const KINDS: [Kind; 8] = [
    Kind::SignIn,
    Kind::Refusal,
    Kind::Logout,
    Kind::AccountLinked,
    Kind::ConsentRevoked,
    Kind::CertificateAttached,
    Kind::CertificateDetached,
    Kind::AdminAction,
];

/// A page of events.
pub struct Activity {
    /// The events, the newest first.
    pub events: Vec<Recorded>,
    /// Where the next page begins, if there may be one.
    pub next: Option<u64>,
}

/// The events of the visitor before the one with the number `before`.
///
/// # Errors
/// When the store is not available.
pub async fn list(
    context: &RequestContext<'_>,
    visitor: &Admitted,
    before: Option<u64>,
) -> Result<Activity, PageError> {
    let account = Some(visitor.user.id.clone());
    let query = EventQuery { account, kinds: KINDS.to_vec(), before, limit: PAGE, ..EventQuery::default() };
    let page = context.store().events(query).await?;
    Ok(Activity { events: page.events, next: page.next })
}
