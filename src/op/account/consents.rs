//! What a visitor has allowed apps, and taking it back.

use crate::audit::Kind;
use crate::op::RequestContext;
use crate::op::authorize::stage::Admitted;
use crate::op::error::PageError;
use crate::store::model::Consent;

/// Consents on one page.
const PAGE: u32 = 25;

/// A page of consents.
pub struct Consents {
    /// The consents, in order of the apps' keys.
    pub consents: Vec<Consent>,
    /// Whether there are more.
    pub more: bool,
}

/// The consents of the visitor for apps after the one with the key `after`.
///
/// # Errors
/// When the store is not available.
pub async fn list(
    context: &RequestContext<'_>,
    visitor: &Admitted,
    after: Option<&str>,
) -> Result<Consents, PageError> {
    let after = after.unwrap_or_default();
    let mut consents = context.store().own_consents(&visitor.user.id, after, PAGE + 1).await?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = consents.len() > page;
    consents.truncate(page);
    Ok(Consents { consents, more })
}

/// Takes a consent back: the app asks again, and what it was granted ends. `false` when there was nothing to take back.
///
/// # Errors
/// When the store is not available.
pub async fn revoke(context: &RequestContext<'_>, visitor: &Admitted, client: &str) -> Result<bool, PageError> {
    let event = context.event_about(Kind::ConsentRevoked, &visitor.user).client(client);
    let revoked = context.store().revoke_consent(&visitor.user.id, client, context.now, event.clone()).await?;
    let Some(ended) = revoked else { return Ok(false) };
    context.announce(&[event.ended(0, ended.grants)]);
    Ok(true)
}
