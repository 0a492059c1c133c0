//! The way back from a provider's own logout.

use crate::op::RequestContext;
use crate::op::doubles::Turn;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::logout::outcome::{Next, Outcome};
use crate::op::logout::request::LogoutRequest;
use crate::op::logout::sign_out::after_sign_out;
use crate::op::mark;
use crate::op::outcome::Browser;
use crate::op::params::{Form, Params};
use crate::op::session;
use crate::store::model::TokenHash;

/// The parameters that a provider returns (OIDC RP-Initiated Logout 1.0 §3).
struct ReturnForm<'p> {
    state: Option<&'p str>,
}

impl<'p> Form<'p> for ReturnForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self { state: params.text("state") }
    }
}

/// Serves the return from a provider's logout, also when it comes twice. The session has ended before; a lost `state` only loses
/// the way back to the app.
pub async fn returned(context: &RequestContext<'_>, provider: &str, params: &Params, browser: &Browser) -> Outcome {
    let state = ReturnForm::read(params).state.unwrap_or_default();
    let serving = match context.services.logout_doubles.turn(TokenHash::of(state), context.now).await {
        Turn::First(serving) => Some(serving),
        Turn::Later(first) if first.is_of(browser) => return first.outcome.clone(),
        Turn::Later(_) => None,
    };
    let Some(request) = taken(context, provider, state, browser).await else {
        return signed_out(context, browser, mark::client_of(context, state)).await;
    };
    let outcome = Outcome::from(after_sign_out(&request, Vec::new(), true));
    if let Some(serving) = serving {
        serving.ended(browser, outcome.clone());
    }
    outcome
}

/// Serves the signed-out page to a browser that no sign-out brought here: it says that nobody is signed in. Somebody who is
/// gets the start page, which says so. `client` is the key of the app that leads back, if it is known.
pub async fn signed_out(context: &RequestContext<'_>, browser: &Browser, client: Option<String>) -> Outcome {
    match session::live(context, browser).await {
        Ok(Some(_)) => Next::Stay.into(),
        Ok(None) => Next::Done { client, frames: Vec::new(), ended: false }.into(),
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
