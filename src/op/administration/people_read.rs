//! Reading the known people with their claims, for a plan that is made elsewhere.

use crate::analysis::people::{Exported, Wanted};
use crate::audit::{Action, Kind};
use crate::op::RequestContext;
use crate::op::administration::Failure;
use crate::op::decide::known;

/// What further pages count as in the throttle.
const CONTINUED: &str = "people_read";

/// A page of people behind `after`, in order of their names, each with the wanted claims, and what the next page is behind.
/// Reading is recorded with the first page, and with further pages as often as the throttle allows: nobody who begins in the
/// middle reads without a record.
///
/// # Errors
/// When the store is not available.
pub async fn page(
    context: &RequestContext<'_>,
    wanted: &Wanted,
    after: &str,
    limit: u32,
) -> Result<(Vec<Exported>, Option<String>), Failure> {
    let event = context.event(Kind::AdminAction).action(Action::PeopleRead);
    if after.is_empty() {
        context.record(event).await;
    } else if context.services.throttle.may_record_of(CONTINUED) {
        context.record(event.detail("a further page")).await;
    }
    let people = context.store().users_by_name(after, limit).await?;
    let full = u32::try_from(people.len()).is_ok_and(|read| read >= limit);
    let next = people.last().filter(|_| full).map(|person| person.user.username_key.clone());
    Ok((people.into_iter().map(|person| Exported::of(&known(person), wanted)).collect(), next))
}
