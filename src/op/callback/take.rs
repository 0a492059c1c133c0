//! Takes the sign-in that a callback belongs to.

use crate::op::RequestContext;
use crate::op::authorize::leave::LoginData;
use crate::op::error::PageError;
use crate::op::outcome::Browser;
use crate::store::model::TokenHash;

/// Takes the sign-in by its state. It is gone then, even where another browser asked (D01).
///
/// # Errors
/// A page: there is no such sign-in, or it was begun in another browser.
pub(super) async fn take(
    context: &RequestContext<'_>,
    state: Option<&str>,
    browser: &Browser,
) -> Result<LoginData, PageError> {
    let not_found = |detail: &str| PageError::new(400, "login_not_found", detail);
    let state = state.ok_or_else(|| not_found("the callback has no state, or several"))?;
    let login = context.store().take_login(TokenHash::of(state), context.now).await?;
    let login = login.ok_or_else(|| not_found("the state is unknown, used or expired"))?;
    if !browser.is_bound_by(login.browser) {
        return Err(PageError::new(400, "login_other_browser", "the sign-in was begun in another browser"));
    }
    // What another version of the broker stored in another form counts as expired.
    serde_json::from_str(&login.data).map_err(|_| not_found("the sign-in was stored by another version"))
}
