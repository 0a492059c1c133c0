//! Takes the sign-in that a callback belongs to.

use crate::op::RequestContext;
use crate::op::authorize::leave::LoginData;
use crate::op::error::PageError;
use crate::op::mark;
use crate::op::outcome::Browser;
use crate::store::model::TokenHash;

/// Takes the sign-in by its state, for the browser that began it. For any other it stays where it is (D01, D48).
///
/// # Errors
/// A page, which leads back to the app: there is no such sign-in, or it was begun in another browser.
pub(super) async fn take(
    context: &RequestContext<'_>,
    state: Option<&str>,
    browser: &Browser,
) -> Result<LoginData, PageError> {
    let page = |reason, detail: &str| {
        let client = state.and_then(|state| mark::client_of(context, state));
        PageError { client, ..PageError::new(400, reason, detail) }
    };
    let not_found = |detail: &str| page("login_not_found", detail);
    let hash = TokenHash::of(state.ok_or_else(|| not_found("the callback has no state, or several"))?);
    let Some(login) = context.store().take_login(hash, &browser.bound_by(), context.now).await? else {
        let left = context.store().login(hash, context.now).await?;
        return Err(match left.filter(|login| !browser.is_bound_by(login.browser)) {
            Some(_) => page("login_other_browser", "the sign-in was begun in another browser"),
            None => not_found("the state is unknown, used or expired"),
        });
    };
    // What another version of the broker stored in another form counts as expired.
    serde_json::from_str(&login.data).map_err(|_| not_found("the sign-in was stored by another version"))
}
