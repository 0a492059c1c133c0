//! Ending a session: here, in the apps that had a part in it, and at the providers that it came from; then back to the app. The
//! app that asked is notified last.
//!
//! The browser goes to the provider of the latest sign-in first, and from there to those of the sign-ins before it. It must
//! come back from each (OIDC RP-Initiated Logout 1.0 §3) to go on to the next: where one does not let it, the session here has
//! ended nevertheless, and those at the providers that are left live on.

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
use crate::store::model::UpstreamSession;
use crate::store::{AppSession, SessionView, StoreError};
use crate::upstream::LONGEST_URL;

/// Ends the session and notifies its apps, then goes to the logout of the providers that have one.
///
/// # Errors
/// A page, when the store or the generator is not available.
pub(super) async fn sign_out(
    context: &RequestContext<'_>,
    request: LogoutRequest,
    view: &SessionView,
    browser: &Browser,
) -> Result<Outcome, PageError> {
    let earlier = context.store().upstream_sessions(&view.session.id).await?;
    let Ended { apps, asked } = end(context, &request, view).await?;
    let there = [view.session.upstream()].into_iter().chain(earlier).collect();
    let provider = provider_logout(context, &request, there, browser).await;
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
    let tell = backchannel::tell(context);
    let apps = context.store().end_session(&view.session.id, context.now, vec![event.clone()], &tell).await?;
    context.announce(&[event]);
    let (asked, others): (Vec<_>, Vec<_>) =
        apps.iter().cloned().partition(|app| request.client.as_ref() == Some(&app.client));
    backchannel::session_ended(context, &view.user, &others, Duration::ZERO);
    Ok(Ended { apps, asked })
}

/// The address of the next provider's own logout, with the cookies to set before the browser goes there. `None` when no
/// provider of these sessions has one and is still the one that the user signed in at.
pub(super) async fn provider_logout(
    context: &RequestContext<'_>,
    request: &LogoutRequest,
    there: Vec<UpstreamSession>,
    browser: &Browser,
) -> Result<Option<(Url, Vec<SetCookie>)>, PageError> {
    let mut left = there.into_iter();
    while let Some(session) = left.next() {
        if let Some(next) = logout_of(context, request, session, left.as_slice(), browser).await? {
            return Ok(Some(next));
        }
    }
    Ok(None)
}

/// The logout of the provider of one session, from which the browser goes on to the others. Only the last one returns the
/// browser to the address that its operator wrote for sign-outs that name none.
async fn logout_of(
    context: &RequestContext<'_>,
    request: &LogoutRequest,
    session: UpstreamSession,
    then: &[UpstreamSession],
    browser: &Browser,
) -> Result<Option<(Url, Vec<SetCookie>)>, PageError> {
    let link = &session.link;
    let settings = context.snapshot.providers.get(&link.provider).filter(|settings| settings.logout);
    let Some(settings) = settings.filter(|_| validity::provider(context, link).is_ok()) else { return Ok(None) };
    let then: Vec<UpstreamSession> = then.iter().cloned().map(with_short_hint).collect();
    let names_none = request.back.is_none() && then.is_empty();
    let pending = Pending::ProviderLogout { request: request.clone(), provider: link.provider.clone(), then };
    let (state, cookies) = interaction::keep(context, &pending, browser).await?;
    let own = || context.snapshot.issuer.url_of(&format!("{}{}", paths::LOGOUT_CALLBACK, link.provider));
    let back = settings.post_logout_redirect_uri.clone().filter(|_| names_none).unwrap_or_else(own);
    let hint = session.id_token.map(SecretValue::new);
    let upstreams = &context.services.upstreams;
    let url = upstreams.end_session_url(settings, hint.as_ref(), Some((&back, &state)), context.now).await;
    Ok(url.map(|url| (url, cookies)))
}

/// What is stored of a session whose provider's turn comes later: an ID token that is too long for a URL would not be sent.
fn with_short_hint(session: UpstreamSession) -> UpstreamSession {
    let id_token = session.id_token.filter(|token| token.len() <= LONGEST_URL);
    UpstreamSession { id_token, ..session }
}

/// Back to the app, with `state` (§3), or the signed-out page, which says whether a session ended.
pub(super) fn after_sign_out(request: &LogoutRequest, frames: Vec<Url>, ended: bool) -> Next {
    let Some(back) = &request.back else { return Next::Done { client: request.client.clone(), frames, ended } };
    let Some(state) = &request.state else { return Next::Redirect { to: back.clone(), frames } };
    let separator = if back.contains('?') { '&' } else { '?' };
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
    Next::Redirect { to: format!("{back}{separator}{query}"), frames }
}
