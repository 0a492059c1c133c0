//! Steps: preparing the answer for an admitted user, unless consent is due first.

use crate::op::authorize::prepared::Prepared;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::stage::{Admitted, Flow};
use crate::op::authorize::{answer, consent};
use crate::op::outcome::Stop;

/// Prepares the answer for an admitted user; `None` where consent is due first. The callback asks this before it writes
/// a sign-in, because the code is written in the same transaction.
///
/// # Errors
/// `consent_required` where no page may be shown; when the store or the generator is not available.
pub async fn prepare(
    flow: &Flow<'_>,
    request: &AuthorizeRequest,
    admitted: &Admitted,
) -> Result<Option<Prepared>, Stop> {
    if consent::is_due(flow, request, admitted).await? {
        return Ok(None);
    }
    answer::prepare(flow, request, admitted).map(Some)
}
