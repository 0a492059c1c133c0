//! Steps: what a refusal of the policy and a failure of the provider are answered with. Both leave an event, and the
//! trace of the policy's decision is stored.

use crate::audit::Kind;
use crate::decision::reason::Reason;
use crate::op::RequestContext;
use crate::op::authorize::request::model::{AuthorizeRequest, Destination, Prompt};
use crate::op::authorize::response;
use crate::op::authorize::stage::{Flow, Refused};
use crate::op::decide;
use crate::op::error::{OAuthError, PageError, RefusedPerson};
use crate::op::error_text::about_person;
use crate::op::events;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::outcome::Stop;
use crate::protocol::ErrorCode;
use crate::upstream::UpstreamError;

/// A refusal of the policy: a page that says who is refused, with a way to use another account and a way back to the app; or
/// `access_denied` for the app where no page may be shown.
///
/// # Errors
/// When the store can't be written; a page when the generator is not available.
pub(super) async fn by_policy(flow: &Flow<'_>, request: AuthorizeRequest, refused: Refused) -> Result<Stop, Stop> {
    let Refused { refusal, provider, user, refused_by, names, name } = refused;
    let context = flow.context;
    let (reason, client) = (refusal.reason, request.to.client());
    let event = context.event(Kind::Refusal).reason(reason.code()).provider(&provider);
    let event = client.iter().fold(event, |event, client| event.client(client));
    let event = user.iter().fold(event, |event, user| event.about(events::person(user)));
    let user_id = user.map(|user| user.id);
    let (trace, by) = (&refusal.trace, refused_by.as_ref());
    let trace = decide::refused_trace(context, user_id, client, &provider, trace, by, names);
    context.save_refusal(trace, event).await?;
    let error = about_person(context, ErrorCode::AccessDenied, reason.code());
    if request.prompt.none {
        return Ok(error.into());
    }
    let page = PageError::refused(reason, &provider, back(context, &request.to, &error));
    let another_account = if reason == Reason::ClientDisabled { None } else { another_account(flow, request).await? };
    Ok(PageError { announced: true, refused: Some(Box::new(RefusedPerson { name, another_account })), ..page }.into())
}

/// The interaction stored for a person who wants to use another account: the same request, without what identifies the first
/// one. `None` for a browser that nothing can be bound to.
async fn another_account(flow: &Flow<'_>, request: AuthorizeRequest) -> Result<Option<String>, PageError> {
    if flow.browser.bindings.is_empty() {
        return Ok(None);
    }
    let prompt = Prompt { another_account: true, ..request.prompt };
    let pending = Pending::SignIn(Box::new(AuthorizeRequest { prompt, login_hint: None, trace: None, ..request }));
    let (id, _) = interaction::keep(flow.context, &pending, flow.browser).await?;
    Ok(Some(id))
}

/// A failure of the provider: its OAuth errors go to the app, everything else is a page with a way back to the app.
pub(super) async fn by_provider(
    context: &RequestContext<'_>,
    request: &AuthorizeRequest,
    provider: &str,
    error: &UpstreamError,
) -> Stop {
    let event = context.event(Kind::UpstreamFailure).reason(error.reason()).provider(provider);
    let event = request.to.client().iter().fold(event, |event, client| event.client(client));
    let text = error.to_string();
    let trace = decide::failure_trace(context, request.to.client(), provider, error.reason(), &text);
    context.record_failure(trace, event.detail(text)).await;
    let for_app = for_app(context, error);
    match error {
        UpstreamError::Provider(_) | UpstreamError::Reauthentication(_) => Stop::App(for_app),
        _ => {
            let status = if matches!(error, UpstreamError::Unavailable(_)) { 502 } else { 400 };
            let mut page = PageError::new(status, error.reason(), error.to_string());
            page.announced = true;
            page.provider = Some(provider.to_owned());
            page.back = back(context, &request.to, &for_app);
            Stop::Page(page)
        }
    }
}

/// The way back to an app, with the error for it.
fn back(context: &RequestContext<'_>, to: &Destination, error: &OAuthError) -> Option<String> {
    match to {
        Destination::App(to) => Some(response::error(context, to, error).url()),
        Destination::Own(_) => None,
    }
}

/// The error for the app. If the person refused at the provider, the error says so.
fn for_app(context: &RequestContext<'_>, error: &UpstreamError) -> OAuthError {
    let code = ErrorCode::from_upstream(error.oauth_error());
    let about = if code == ErrorCode::AccessDenied { code.name() } else { error.reason() };
    OAuthError { reason: Some(error.reason()), ..about_person(context, code, about) }
}
