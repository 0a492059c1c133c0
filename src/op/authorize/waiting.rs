//! What a browser leaves behind where a sign-in can't go on: the request that waits, for the break-glass account.
//!
//! Where the account may enter the app and be used from the browser's address, a cookie names the stored request: the one that
//! the sign-in page shows, or that left for a provider. A request that ended on an error page is stored for it. Nobody else
//! gets the cookie, and without `[break_glass]` nothing here happens.

use crate::op::RequestContext;
use crate::op::authorize::leave::LoginData;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::stage::Flow;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::outcome::{Browser, SetCookie};
use crate::store::StoreError;
use crate::store::model::TokenHash;

/// The request, where it must be stored if the flow ends on an error page.
pub(super) fn worth_keeping(flow: &Flow<'_>, request: &AuthorizeRequest) -> Option<AuthorizeRequest> {
    (flow.context.break_glass_enters(flow.client) && !request.prompt.none).then(|| request.clone())
}

/// Stores a request that ended on an error page, with the cookies that name it and bind it to the browser. Where the store is
/// not available there are none: the error page is shown all the same.
pub(super) async fn keep(flow: &Flow<'_>, request: AuthorizeRequest) -> Vec<SetCookie> {
    let pending = Pending::SignIn(Box::new(request));
    match interaction::keep(flow.context, &pending, flow.browser).await {
        Ok((id, mut cookies)) => {
            cookies.push(SetCookie::Waiting(id));
            cookies
        }
        Err(_) => Vec::new(),
    }
}

/// The request that waits under this id in this browser, while the break-glass account may enter its app.
///
/// # Errors
/// When the store can't be read.
pub async fn find(
    context: &RequestContext<'_>,
    id: &str,
    browser: &Browser,
) -> Result<Option<AuthorizeRequest>, StoreError> {
    let hash = TokenHash::of(id);
    let request = match context.store().interaction(hash, context.now).await? {
        Some(row) if browser.is_bound_by(row.browser) => match Pending::read(&row) {
            Some(Pending::SignIn(request)) => Some(*request),
            _ => None,
        },
        Some(_) => None,
        None => {
            let login = context.store().login(hash, context.now).await?;
            let own = login.filter(|login| browser.is_bound_by(login.browser));
            own.and_then(|login| serde_json::from_str::<LoginData>(&login.data).ok()).map(|login| login.request)
        }
    };
    // A client that is gone by now is told so where the request is resumed.
    let enters = |request: &AuthorizeRequest| {
        Flow::resumed(context, browser, &request.to).is_ok_and(|flow| context.break_glass_enters(flow.client))
    };
    Ok(request.filter(enters))
}
