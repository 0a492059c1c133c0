//! The way back from a provider's own logout.

use crate::op::RequestContext;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::logout::outcome::{Next, Outcome};
use crate::op::logout::request::LogoutRequest;
use crate::op::logout::sign_out::after_sign_out;
use crate::op::outcome::Browser;
use crate::op::params::{Form, Params};
use crate::op::session;

/// The parameters that a provider returns (OIDC RP-Initiated Logout 1.0 §3).
struct ReturnForm<'p> {
    state: Option<&'p str>,
}

impl<'p> Form<'p> for ReturnForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self { state: params.text("state") }
    }
}

/// Serves the return from a provider's logout. The session has ended before; a lost `state` only loses the way back to the
/// app.
pub async fn returned(context: &RequestContext<'_>, provider: &str, params: &Params, browser: &Browser) -> Outcome {
    let state = ReturnForm::read(params).state.unwrap_or_default();
    match taken(context, provider, state, browser).await {
        Some(request) => after_sign_out(&request, Vec::new(), true).into(),
        None => signed_out(context, browser).await,
    }
}

/// Serves the signed-out page to a browser that comes from nowhere: it says that nobody is signed in. Somebody who is gets the
/// start page, which says so.
pub async fn signed_out(context: &RequestContext<'_>, browser: &Browser) -> Outcome {
    match session::live(context, browser).await {
        Ok(Some(_)) => Next::Stay.into(),
        Ok(None) => Next::Done { client: None, frames: Vec::new(), ended: false }.into(),
        Err(error) => Next::Error(error.into()).into(),
    }
}

/// The logout request that waits for this provider's answer, taken so that it is answered once.
async fn taken(context: &RequestContext<'_>, provider: &str, state: &str, browser: &Browser) -> Option<LogoutRequest> {
    match interaction::find(context, state, browser).await {
        Ok(Pending::ProviderLogout { request, provider: expected }) if expected == provider => {
            interaction::take(context, state).await.ok().map(|()| request)
        }
        _ => None,
    }
}
