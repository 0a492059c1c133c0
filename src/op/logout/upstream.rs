//! Sign-out at a provider (OIDC Back-Channel Logout 1.0 §2.5 to §2.8, where the broker is the relying party): the sessions
//! that come from it end here, and their apps are notified.

use std::time::Duration;

use crate::audit::{Event, Kind};
use crate::jose::{Check, Jws};
use crate::op::RequestContext;
use crate::op::error::OAuthError;
use crate::op::error_text::quotable;
use crate::op::logout::backchannel;
use crate::op::params::{Form, Params};
use crate::protocol::{Algorithm, ErrorCode};
use crate::store::{EndOnce, SessionView, UpstreamSessions};
use crate::upstream::UpstreamError;
use crate::upstream::error::Document;

/// What a provider posts (§2.5).
struct LogoutTokenForm<'p> {
    logout_token: Option<&'p str>,
}

impl<'p> Form<'p> for LogoutTokenForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self { logout_token: params.text("logout_token") }
    }
}

/// Serves a logout token that a provider posted. A session that no longer exists has already ended, which is not an error.
///
/// # Errors
/// `invalid_request` when the token fails a check or was used before (§2.6, §2.8); `temporarily_unavailable` when the
/// provider's keys or the store are not available.
pub async fn upstream_logout(context: &RequestContext<'_>, provider: &str, params: &Params) -> Result<(), OAuthError> {
    let invalid = |text: &str| OAuthError::new(ErrorCode::InvalidRequest, text);
    let token = LogoutTokenForm::parse(params)?.logout_token.ok_or_else(|| invalid("logout_token is missing"))?;
    let settings = context.snapshot.providers.get(provider).ok_or_else(|| invalid("no such provider"))?;
    let verified = context.services.upstreams.logout_token(settings, token, context.now).await;
    let token = verified.map_err(|error| refused(context, provider, &error))?;
    let ended = UpstreamSessions {
        provider: provider.to_owned(),
        issuer: settings.issuer().to_owned(),
        subject: token.subject,
        sid: token.sid,
    };
    let found = context.store().sessions_of_upstream(ended).await?;
    let some = !found.is_empty();
    let alike = found.into_iter().filter(|from| signed_alike(from.upstream.id_token.as_deref(), token.algorithm));
    let sessions: Vec<SessionView> = alike.map(|from| from.view).collect();
    if some && sessions.is_empty() {
        let differs = UpstreamError::invalid(Document::LogoutToken, Check::NotAccepted(token.algorithm));
        return Err(refused(context, provider, &differs));
    }
    let events: Vec<Event> = sessions.iter().map(|view| ended_there(context, provider, view)).collect();
    let end = EndOnce {
        once: ("upstream_logout", format!("{} {}", settings.issuer(), token.jti)),
        expires_at: token.expires_at,
        sessions: sessions.iter().map(|view| view.session.id.clone()).collect(),
        tell: backchannel::tell(context),
        ..EndOnce::default()
    };
    let apps = context.store().end_once(end, context.now, events.clone()).await?;
    let apps = apps.ok_or_else(|| invalid("the logout token was used before"))?;
    for (view, apps) in sessions.iter().zip(&apps) {
        backchannel::session_ended(context, &view.user, apps, Duration::ZERO);
    }
    context.announce(&events);
    Ok(())
}

/// The event of a session that ends because its user signed out at the provider.
fn ended_there(context: &RequestContext<'_>, provider: &str, view: &SessionView) -> Event {
    let event = context.event_about(Kind::Logout, &view.user).provider(provider);
    event.sid(Some(view.session.id.as_str())).detail("at the provider")
}

/// Whether a logout token of this algorithm may end a session that came from this ID token: both are signed alike (§2.6). A
/// provider that changed its algorithm ends the sessions that it began since.
fn signed_alike(id_token: Option<&str>, algorithm: Algorithm) -> bool {
    id_token.and_then(|token| Jws::parse(token).ok()).is_none_or(|jws| jws.algorithm == algorithm)
}

fn refused(context: &RequestContext<'_>, provider: &str, error: &UpstreamError) -> OAuthError {
    let reason = error.reason();
    if context.may_log() {
        tracing::warn!(event = "upstream_logout_refused", reason, provider, trace_id = %context.trace_id, %error, "a logout token was refused");
    }
    let code = if matches!(error, UpstreamError::Unavailable(_)) {
        ErrorCode::TemporarilyUnavailable
    } else {
        ErrorCode::InvalidRequest
    };
    let error = OAuthError { reason: Some(reason), ..OAuthError::new(code, "the logout token was not accepted") };
    OAuthError { description: quotable(context, &error), ..error }
}
