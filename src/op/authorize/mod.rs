//! The authorization endpoint (OIDC Core §3.1.2): a request is resolved, proven and validated, and then a dispatcher looks
//! at how far it has come ([`stage`]) and picks the next step. Steps return data; none calls another.
//!
//! | step | from | to |
//! | --- | --- | --- |
//! | `session` | a request; a session | a session that is sufficient, a provider to ask again, or a sign-in; the decision |
//! | `certificate` (of [`callback`](crate::op::callback)) | the browser presented a certificate | the decision |
//! | `provider` | a sign-in, an answer of the sign-in page | a provider, or the sign-in page |
//! | `leave` | a provider | the redirect to it |
//! | `consent` | an admitted user | the consent page, where it is due |
//! | `answer` | an admitted user | the answer to the app |
//! | `refusal` | a refusal of the policy, a failure of the provider | the error |
//!
//! A page of the broker's own needs somebody who is signed in, too: [`own`] begins there and comes back to it.
//!
//! The provider's callback, the forms of the sign-in and the consent page ([`forms`]) and the break-glass page resume here with
//! the stage that they have brought the stored request to ([`waiting`] finds it for the last). Owns the order of the steps;
//! HTTP is `web`'s.

mod answer;
mod consent;
pub mod forms;
pub mod leave;
pub mod own;
pub mod prepare;
pub mod prepared;
mod provider;
pub mod pushed;
mod refusal;
pub mod request;
pub mod request_object;
mod resolve;
mod response;
pub mod session;
pub mod stage;
pub mod waiting;

use crate::op::RequestContext;
use crate::op::callback::certificate;
use crate::op::error::{OAuthError, PageError};
use crate::op::error_text::about_person;
use crate::op::outcome::{Browser, Next, Outcome, SetCookie, Stop};
use crate::op::params::{Form as _, Params};
use crate::protocol::ErrorCode;
use crate::store::model::TokenHash;
use request::address;
use request::form::AuthorizationForm;
use request::model::{AuthorizeRequest, Destination};
use stage::{Flow, Stage};

/// Serves an authorization request.
pub async fn authorize(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Outcome {
    let form = AuthorizationForm::read(params);
    let form = match resolve::resolve(context, params, &form).await {
        Ok(resolved) => resolved.unwrap_or(form),
        Err(error) => return unresolved(context, &form, &error),
    };
    let (client, to) = match address::prove(context.snapshot, &form) {
        Ok(proven) => proven,
        Err(error) => return Next::Error(error).into(),
    };
    match request::validate(context, client, to.clone(), form) {
        Ok(request) => resume(&Flow { context, client, browser }, request, Stage::Requested).await,
        Err(error) => stopped(context, &Destination::App(to), error.into()),
    }
}

/// A request that could not be resolved: the error goes to the app where the plain parameters prove that it may.
fn unresolved(context: &RequestContext<'_>, form: &AuthorizationForm, error: &OAuthError) -> Outcome {
    match address::prove(context.snapshot, form) {
        Ok((_, to)) => Next::App(response::error(context, &to, error)).into(),
        Err(_) if form.redirect_uri.is_none() && form.once(&["redirect_uri"]).is_ok() => {
            let client = form.client_id.as_deref().and_then(|id| context.snapshot.client_by_id(id));
            let client = client.map(|client| client.key.clone());
            Next::Error(PageError { client, ..PageError::new(400, "invalid_request", error.to_string()) }).into()
        }
        Err(page) => Next::Error(page).into(),
    }
}

/// Serves a valid request from this stage on.
pub async fn resume(flow: &Flow<'_>, request: AuthorizeRequest, stage: Stage) -> Outcome {
    flow.context.go_on(request.trace.as_ref());
    let to = request.to.clone();
    let for_break_glass = waiting::worth_keeping(flow, &request);
    match (dispatch(flow, request, stage).await, for_break_glass) {
        (Ok(outcome), _) => outcome,
        (Err(stop @ Stop::Page(_)), Some(request)) => {
            let cookies = waiting::keep(flow, request).await;
            Outcome { cookies, ..stopped(flow.context, &to, stop) }
        }
        (Err(stop), _) => stopped(flow.context, &to, stop),
    }
}

/// Whether an outcome can be given out a second time: the code in it, where there is one, has not been used.
pub async fn repeatable(context: &RequestContext<'_>, outcome: &Outcome) -> bool {
    let Next::App(answer) = &outcome.next else { return true };
    let Some((_, code)) = answer.fields.iter().find(|(name, _)| name == "code") else { return true };
    let found = context.store().code(TokenHash::of(code)).await;
    matches!(found, Ok(Some((code, _))) if code.used_at.is_none() && context.now < code.expires_at)
}

/// The outcome of a step that stopped: an error for the app travels to its proven address. Where no app asked, it is a page.
#[must_use]
pub fn stopped(context: &RequestContext<'_>, to: &Destination, stop: Stop) -> Outcome {
    let next = match (stop, to) {
        (Stop::Page(error), _) => {
            let client = error.client.clone().or_else(|| to.client().map(str::to_owned));
            Next::Error(PageError { client, ..error })
        }
        (Stop::App(error), Destination::App(to)) => Next::App(response::error(context, to, &error)),
        (Stop::App(error), Destination::Own(_)) => Next::Error(PageError::without_app(error)),
    };
    next.into()
}

/// Picks the next step until there is an outcome.
async fn dispatch(flow: &Flow<'_>, request: AuthorizeRequest, stage: Stage) -> Result<Outcome, Stop> {
    let mut cookies = Vec::new();
    let mut outcome = steps(flow, request, stage, &mut cookies).await?;
    outcome.cookies.extend(cookies);
    Ok(outcome)
}

/// The steps. `cookies` are those to set for a sign-in among them.
async fn steps(
    flow: &Flow<'_>,
    request: AuthorizeRequest,
    mut stage: Stage,
    cookies: &mut Vec<SetCookie>,
) -> Result<Outcome, Stop> {
    loop {
        stage = match stage {
            Stage::Requested => session::find(flow, &request, None).await?,
            Stage::AccountPicked { session } => session::find(flow, &request, Some(&session)).await?,
            Stage::SignInDue => match certificate::sign_in(flow, &request).await? {
                Some((stage, more)) => {
                    cookies.extend(more);
                    stage
                }
                None => provider::choose(flow, &request)?,
            },
            Stage::ProviderPicked { provider, email } => provider::picked(flow, provider, email)?,
            Stage::ProviderDue { unknown_address, account } => {
                return provider::page(flow, request, unknown_address, account).await;
            }
            Stage::ProviderChosen(provider) => leave::begin(flow, &request, provider).await?,
            Stage::Leaving(departure) => return leave::store(flow, request, *departure).await,
            Stage::ProviderFailed { provider, error } => {
                return refusal::by_provider(flow, request, &provider, &error).await;
            }
            Stage::SignedIn(signed_in) => session::decide(flow, &request, *signed_in)?,
            Stage::Agreed { session } => session::agreed(flow, &session).await?,
            Stage::Declined => {
                return Err(about_person(flow.context, ErrorCode::AccessDenied, "access_denied").into());
            }
            Stage::Refused(refused) => return Err(refusal::by_policy(flow, request, *refused).await?),
            Stage::Admitted(admitted) => match prepare::prepare(flow, &request, &admitted).await? {
                Some(prepared) => Stage::Answerable(admitted, Box::new(prepared)),
                None => Stage::ConsentDue(admitted),
            },
            Stage::ConsentDue(admitted) => return consent::page(flow, request, &admitted).await,
            Stage::Answerable(admitted, prepared) => {
                return answer::answer(flow, &request, &admitted, *prepared).await;
            }
        }
    }
}
