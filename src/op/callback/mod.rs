//! A provider's callback (OIDC Core §3.1.2.5): take the sign-in by its state, verify the provider's answer, decide and
//! write everything in one transaction, then let [`authorize`](crate::op::authorize)'s dispatcher answer the app.
//!
//! Owns the way from the callback to a written sign-in. It owns neither how the app is answered nor the checks of the
//! provider's documents.

pub(crate) mod admit;
pub(crate) mod certificate;
mod form;
pub(crate) mod rows;
pub mod shadow;
mod take;
mod verify;
pub(crate) mod write;

use crate::op::RequestContext;
use crate::op::authorize;
use crate::op::authorize::leave::LoginData;
use crate::op::authorize::repeatable;
use crate::op::authorize::stage::{Flow, Stage};
use crate::op::doubles::{First, Turn};
use crate::op::outcome::{Browser, Next, Outcome, SetCookie, Stop};
use crate::op::params::{Form as _, Params};
use crate::op::session;
use crate::op::upstream_claims;
use crate::store::AccountQuery;
use crate::store::model::{LinkKey, TokenHash};
use crate::upstream::UpstreamIdentity;
use admit::admit;
use form::CallbackForm;
use verify::{Unverified, verify};
use write::Facts;

/// Serves a provider's callback. `providers` are the ids of those whose callback this path is. A second one for the same
/// sign-in, from a browser that has not had the answer to the first, gets that answer: it is a double click.
pub async fn callback(
    context: &RequestContext<'_>,
    providers: &[String],
    params: &Params,
    browser: &Browser,
) -> Outcome {
    let form = CallbackForm::read(params);
    let key = TokenHash::of(form.state.unwrap_or_default());
    let serving = match context.services.doubles.turn(key, context.now).await {
        Turn::First(serving) => Some(serving),
        Turn::Later(first) if repeats(context, &first, browser).await => return first.outcome.clone(),
        Turn::Later(_) => None,
    };
    let login = match take::take(context, form.state, browser).await {
        Ok(login) => login,
        Err(error) => return Next::Error(error).into(),
    };
    let outcome = serve(context, providers, &login, form, browser).await;
    if let Some(serving) = serving {
        serving.ended(browser, outcome.clone());
    }
    outcome
}

/// Whether the answer to the first callback can be given to this one. Not to a browser that has had it (D01).
async fn repeats(context: &RequestContext<'_>, first: &First<Outcome>, browser: &Browser) -> bool {
    let had =
        |cookie: &SetCookie| matches!(cookie, SetCookie::Session(secret) if browser.session.as_ref() == Some(secret));
    first.is_of(browser) && !first.outcome.cookies.iter().any(had) && repeatable(context, &first.outcome).await
}

/// Serves the callback of a sign-in that was taken.
async fn serve(
    context: &RequestContext<'_>,
    providers: &[String],
    login: &LoginData,
    form: CallbackForm<'_>,
    browser: &Browser,
) -> Outcome {
    context.go_on(login.request.trace.as_ref());
    let flow = match Flow::resumed(context, browser, &login.request.to) {
        Ok(flow) => flow,
        Err(error) => return authorize::stopped(context, &login.request.to, error.into()),
    };
    match returned(&flow, providers, login, form).await {
        Ok((stage, cookies)) => {
            let mut outcome = authorize::resume(&flow, login.request.clone(), stage).await;
            outcome.cookies.extend(cookies);
            outcome
        }
        Err(stop) => authorize::stopped(context, &login.request.to, stop),
    }
}

/// The stage that the provider's answer brings the request to, with the cookies to set.
async fn returned(
    flow: &Flow<'_>,
    providers: &[String],
    login: &LoginData,
    form: CallbackForm<'_>,
) -> Result<(Stage, Vec<SetCookie>), Stop> {
    let mut identity = match verify(flow, providers, login, form).await {
        Ok(identity) => identity,
        Err(Unverified::Callback(error)) => return Err(error.into()),
        Err(Unverified::Provider(error)) => {
            let provider = login.provider.clone();
            return Ok((Stage::ProviderFailed { provider, error }, Vec::new()));
        }
    };
    let UpstreamIdentity { provider, issuer, subject, .. } = &identity;
    let key = LinkKey { provider: provider.clone(), issuer: issuer.clone(), subject: subject.clone() };
    if asks_for_kept_name(flow, &key) {
        let query = AccountQuery { key: Some(key.clone()), ..AccountQuery::default() };
        if let Some((_, link)) = flow.context.store().accounts(query).await?.linked {
            upstream_claims::keep_name(flow.context, &link, &mut identity.claims);
        }
    }
    let previous = session::live(flow.context, flow.browser).await?;
    let facts = Facts { request: &login.request, identity: &identity, key, previous };
    Ok(admit(flow, &facts).await?.into_stage())
}

/// Whether the provider says a person's name only once, so that an earlier sign-in may have it.
fn asks_for_kept_name(flow: &Flow<'_>, key: &LinkKey) -> bool {
    flow.context.snapshot.providers.get(&key.provider).is_some_and(|settings| settings.quirks.name_once)
}
