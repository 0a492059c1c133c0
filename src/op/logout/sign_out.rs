//! Ending a session: here, in the apps that had a part in it, and at the provider; then back to the app. The app that asked is
//! notified last.

use std::time::Duration;

use url::Url;

use crate::audit::Kind;
use crate::config::language::scalar::SecretValue;
use crate::op::RequestContext;
use crate::op::error::PageError;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::logout::backchannel;
use crate::op::logout::frontchannel::frames;
use crate::op::logout::outcome::{Next, Outcome};
use crate::op::logout::request::LogoutRequest;
use crate::op::outcome::{Browser, SetCookie};
use crate::op::validity;
use crate::protocol::paths;
use crate::store::{AppSession, SessionView, StoreError};

/// Ends the session and notifies its apps, then goes to the provider's logout where it has one.
///
/// # Errors
/// A page, when the store or the generator is not available.
pub(super) async fn sign_out(
    context: &RequestContext<'_>,
    request: LogoutRequest,
    view: &SessionView,
    browser: &Browser,
) -> Result<Outcome, PageError> {
    let Ended { apps, asked } = end(context, &request, view).await?;
    let provider = provider_logout(context, &request, view, browser).await;
    let by_way_of_provider = matches!(provider, Ok(Some(_)));
    backchannel::session_ended(context, &view.user, &asked, backchannel::until_back(&request, by_way_of_provider));
    let frames = frames(context, &apps);
    let mut cookies = vec![SetCookie::EndSession];
    let next = match provider? {
        Some((url, more)) => {
            cookies.extend(more);
            Next::Redirect { to: url.to_string(), frames }
        }
        None => after_sign_out(&request, frames, true),
    };
    Ok(Outcome { next, cookies })
}

/// Ends the session that an ID token names, for a caller without the browser's cookies: an app's server, as a rule. The
/// provider's logout is left out, because it needs the provider's ID token, which only the user's own browser may receive;
/// frames are left out too.
///
/// # Errors
/// A page, when the store is not available.
pub(super) async fn sign_out_elsewhere(
    context: &RequestContext<'_>,
    request: &LogoutRequest,
    view: &SessionView,
) -> Result<Next, PageError> {
    let Ended { asked, .. } = end(context, request, view).await?;
    backchannel::session_ended(context, &view.user, &asked, backchannel::until_back(request, false));
    Ok(after_sign_out(request, Vec::new(), true))
}

/// A session that ended, whose other apps have been notified.
struct Ended {
    /// All apps that had a part in it.
    apps: Vec<AppSession>,
    /// What of them is of the app that asked, which is not notified yet.
    asked: Vec<AppSession>,
}

/// Ends the session and notifies its apps but the one that asked.
async fn end(context: &RequestContext<'_>, request: &LogoutRequest, view: &SessionView) -> Result<Ended, StoreError> {
    let event = context.event_about(Kind::Logout, &view.user).provider(&view.session.link.provider);
    let event = event.sid(Some(view.session.id.as_str()));
    let event = request.client.iter().fold(event, |event, client| event.client(client));
    let apps = context.store().end_session(&view.session.id, context.now, vec![event.clone()]).await?;
    context.announce(&[event]);
    let (asked, others): (Vec<_>, Vec<_>) =
        apps.iter().cloned().partition(|app| request.client.as_ref() == Some(&app.client));
    backchannel::session_ended(context, &view.user, &others, Duration::ZERO);
    Ok(Ended { apps, asked })
}

/// The address of the provider's own logout, with the cookies to set before the browser goes there. `None` when the provider
/// has none, or is no longer the one that the user signed in at.
async fn provider_logout(
    context: &RequestContext<'_>,
    request: &LogoutRequest,
    view: &SessionView,
    browser: &Browser,
) -> Result<Option<(Url, Vec<SetCookie>)>, PageError> {
    let link = &view.session.link;
    let settings = context.snapshot.providers.get(&link.provider).filter(|settings| settings.logout);
    let Some(settings) = settings.filter(|_| validity::provider(context, link).is_ok()) else { return Ok(None) };
    let pending = Pending::ProviderLogout { request: request.clone(), provider: link.provider.clone() };
    let (state, cookies) = interaction::keep(context, &pending, browser).await?;
    let own = || context.snapshot.issuer.url_of(&format!("{}{}", paths::LOGOUT_CALLBACK, link.provider));
    let names_none = request.back.is_none();
    let back = settings.post_logout_redirect_uri.clone().filter(|_| names_none).unwrap_or_else(own);
    let hint = view.session.upstream_id_token.clone().map(SecretValue::new);
    let upstreams = &context.services.upstreams;
    let url = upstreams.end_session_url(settings, hint.as_ref(), Some((&back, &state)), context.now).await;
    Ok(url.map(|url| (url, cookies)))
}

/// Back to the app, with `state` (§3), or the signed-out page, which says whether a session ended.
pub(super) fn after_sign_out(request: &LogoutRequest, frames: Vec<Url>, ended: bool) -> Next {
    let Some(back) = &request.back else { return Next::Done { client: request.client.clone(), frames, ended } };
    let Some(state) = &request.state else { return Next::Redirect { to: back.clone(), frames } };
    let separator = if back.contains('?') { '&' } else { '?' };
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
    Next::Redirect { to: format!("{back}{separator}{query}"), frames }
}
