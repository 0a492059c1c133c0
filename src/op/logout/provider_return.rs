//! The way back from a provider's own logout.

use crate::op::RequestContext;
use crate::op::doubles::Turn;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::logout::outcome::{Next, Outcome};
use crate::op::logout::request::LogoutRequest;
use crate::op::logout::sign_out::{after_sign_out, provider_logout};
use crate::op::mark;
use crate::op::outcome::Browser;
use crate::op::params::{Form, Params};
use crate::op::session;
use crate::store::model::{TokenHash, UpstreamSession};

/// The parameters that a provider returns (OIDC RP-Initiated Logout 1.0 §3).
struct ReturnForm<'p> {
    state: Option<&'p str>,
}

impl<'p> Form<'p> for ReturnForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self { state: params.text("state") }
    }
}

/// Serves the return from a provider's logout, including a duplicate request: to the logout of the next provider that the
/// session came from, or back to the app. The session here has already ended: without a known `state`, only these ways are
/// lost.
pub async fn returned(context: &RequestContext<'_>, provider: &str, params: &Params, browser: &Browser) -> Outcome {
    let state = ReturnForm::read(params).state.unwrap_or_default();
    let serving = match context.services.logout_doubles.turn(TokenHash::of(state), context.now).await {
        Turn::First(serving) => Some(serving),
        Turn::Later(first) if first.is_of(browser) => return first.outcome.clone(),
        Turn::Later(_) => None,
    };
    let Some((request, then)) = taken(context, provider, state, browser).await else {
        return signed_out(context, browser, mark::client_of(context, state)).await;
    };
    let outcome = match provider_logout(context, &request, then, browser).await {
        Ok(Some((url, cookies))) => {
            Outcome { next: Next::Redirect { to: url.to_string(), frames: Vec::new() }, cookies }
        }
        Ok(None) => after_sign_out(&request, Vec::new(), true).into(),
        Err(error) => Next::Error(error).into(),
    };
    if let Some(serving) = serving {
        serving.ended(browser, outcome.clone());
    }
    outcome
}

/// Serves the signed-out page to a browser that does not come from a sign-out: it says that nobody is signed in. A user who is
/// signed in gets the start page instead, which says so. `client` is the key of the app that leads back, if it is known.
pub async fn signed_out(context: &RequestContext<'_>, browser: &Browser, client: Option<String>) -> Outcome {
    match session::live(context, browser).await {
        Ok(Some(_)) => Next::Stay.into(),
        Ok(None) => Next::Done { client, frames: Vec::new(), ended: false }.into(),
        Err(error) => Next::Error(error.into()).into(),
    }
}

/// The logout request that waits for this provider's answer, with the sessions at other providers, taken so that it is answered
/// once.
async fn taken(
    context: &RequestContext<'_>,
    provider: &str,
    state: &str,
    browser: &Browser,
) -> Option<(LogoutRequest, Vec<UpstreamSession>)> {
    match interaction::find(context, state, browser).await {
        Ok(Pending::ProviderLogout { request, provider: expected, then }) if expected == provider => {
            interaction::take(context, state).await.ok().map(|()| (request, then))
        }
        _ => None,
    }
}
