//! A provider says that somebody signed out there (OIDC Back-Channel Logout 1.0 §2.5 to §2.8, the broker being the relying
//! party): the sessions that rest on it end here, and their apps are told.

use super::error::{Code, OAuthError};
use super::params::Params;
use super::{Cx, notify};
use crate::rp::RpError;
use crate::store::UpstreamSessions;

/// Serves a logout token that a provider posted. Sessions that are not there any more have ended already: that is no error.
///
/// # Errors
/// `invalid_request` when the token fails a check or was used before (§2.6, §2.8); `temporarily_unavailable` when the
/// provider's keys or the store can't be had.
pub async fn upstream_logout(cx: &Cx<'_>, provider: &str, params: &Params) -> Result<(), OAuthError> {
    let invalid = |text: &str| OAuthError::new(Code::InvalidRequest, text);
    let token = params.one("logout_token").map_err(|_| invalid("logout_token came more than once"))?;
    let token = token.ok_or_else(|| invalid("logout_token is missing"))?;
    let settings = cx.snapshot.providers.get(provider).ok_or_else(|| invalid("no such provider"))?;
    let verified = cx.services.upstreams.logout_token(settings, token, cx.now).await;
    let token = verified.map_err(|error| refused(cx, provider, &error))?;
    let ended = UpstreamSessions {
        provider: provider.to_owned(),
        issuer: settings.issuer().to_owned(),
        subject: token.subject,
        sid: token.sid,
    };
    let sessions = cx.store().sessions_of_upstream(ended).await?;
    let ids = sessions.iter().map(|view| view.session.id.clone()).collect();
    let seen = format!("{} {}", settings.issuer(), token.jti);
    let apps = cx.store().end_sessions_once(ids, "upstream_logout", &seen, token.expires_at, cx.now).await?;
    let apps = apps.ok_or_else(|| invalid("the logout token was used before"))?;
    for (view, apps) in sessions.iter().zip(&apps) {
        notify::session_ended(cx, &view.user, apps);
    }
    let sessions = sessions.len();
    tracing::info!(event = "upstream_logout", provider, sessions, trace_id = %cx.trace_id, "signed out at a provider");
    Ok(())
}

fn refused(cx: &Cx<'_>, provider: &str, error: &RpError) -> OAuthError {
    let reason = error.reason();
    tracing::warn!(event = "upstream_logout_refused", reason, provider, trace_id = %cx.trace_id, %error, "a logout token was refused");
    let code =
        if matches!(error, RpError::Unavailable(_)) { Code::TemporarilyUnavailable } else { Code::InvalidRequest };
    OAuthError::new(code, format!("{reason} (trace {})", cx.trace_id))
}
