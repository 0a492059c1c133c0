//! Steps: what a refusal of the policy and a failure of the provider are answered with. Both leave an event, and the
//! trace of the policy's decision is stored.

use crate::audit::Kind;
use crate::decision::reason::Reason;
use crate::op::RequestContext;
use crate::op::authorize::request::model::{AuthorizeRequest, Destination, Prompt};
use crate::op::authorize::response;
use crate::op::authorize::stage::{Flow, Refused};
use crate::op::decide;
use crate::op::error::{Elsewhere, OAuthError, PageError, RefusedPerson};
use crate::op::error_text::about_person;
use crate::op::events;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::outcome::{Next, Outcome, SetCookie, Stop};
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

/// A failure of the provider: its OAuth errors go to the app, everything else is a page with a way back to the app and, if the
/// provider is not available, to the others.
///
/// # Errors
/// The failure, where there is nothing more to offer.
pub(super) async fn by_provider(
    flow: &Flow<'_>,
    request: AuthorizeRequest,
    provider: &str,
    error: &UpstreamError,
) -> Result<Outcome, Stop> {
    let context = flow.context;
    let event = context.event(Kind::UpstreamFailure).reason(error.reason()).provider(provider);
    let event = request.to.client().iter().fold(event, |event, client| event.client(client));
    let text = error.to_string();
    let trace = decide::failure_trace(context, request.to.client(), provider, error.reason(), &text);
    context.record_failure(trace, event.detail(text)).await;
    let for_app = for_app(context, error);
    if matches!(error, UpstreamError::Provider(_) | UpstreamError::Reauthentication(_)) {
        return Err(Stop::App(for_app));
    }
    let unavailable = matches!(error, UpstreamError::Unavailable(_));
    let mut page = PageError::new(if unavailable { 502 } else { 400 }, error.reason(), error.to_string());
    page.announced = true;
    page.provider = Some(provider.into());
    page.back = back(context, &request.to, &for_app);
    page.client = request.to.client().map(str::to_owned);
    let others = if unavailable { elsewhere(flow, request, provider).await } else { None };
    match others {
        Some((elsewhere, cookies)) => {
            page.elsewhere = Some(Box::new(elsewhere));
            Ok(Outcome { next: Next::Error(page), cookies })
        }
        None => Err(Stop::Page(page)),
    }
}

/// The most providers that an error page offers.
const OFFERED: usize = 8;

/// The providers besides this one by which the request can go on, with the request stored for them. `None` where there are
/// none, or the store can't be written: the failure is told all the same.
async fn elsewhere(flow: &Flow<'_>, request: AuthorizeRequest, provider: &str) -> Option<(Elsewhere, Vec<SetCookie>)> {
    let context = flow.context;
    let works = |id: &str| {
        let settings = context.snapshot.providers.get(id);
        settings.is_some_and(|settings| context.services.upstreams.health(settings).healthy() != Some(false))
    };
    let accepted = context.snapshot.accepted(flow.client).filter(|other| other.id != provider && works(&other.id));
    let providers: Vec<_> = accepted.take(OFFERED).map(|other| (other.id.clone(), other.name.clone())).collect();
    if providers.is_empty() || request.prompt.none {
        return None;
    }
    let pending = Pending::SignIn(Box::new(AuthorizeRequest { provider_hint: None, ..request }));
    let (interaction, mut cookies) = interaction::keep(context, &pending, flow.browser).await.ok()?;
    if context.break_glass_enters(flow.client) {
        cookies.push(SetCookie::Waiting(interaction.clone()));
    }
    Some((Elsewhere { interaction, providers }, cookies))
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
