//! A provider says that somebody signed out there (OIDC Back-Channel Logout 1.0 §2.5 to §2.8, the broker being the relying
//! party): the sessions that rest on it end here, and their apps are told.

use crate::op::RequestContext;
use crate::op::error::OAuthError;
use crate::op::logout::notify;
use crate::op::params::Params;
use crate::protocol::ErrorCode;
use crate::store::UpstreamSessions;
use crate::upstream::RpError;

/// Serves a logout token that a provider posted. Sessions that are not there any more have ended already: that is no error.
///
/// # Errors
/// `invalid_request` when the token fails a check or was used before (§2.6, §2.8); `temporarily_unavailable` when the
/// provider's keys or the store can't be had.
pub async fn upstream_logout(context: &RequestContext<'_>, provider: &str, params: &Params) -> Result<(), OAuthError> {
    let invalid = |text: &str| OAuthError::new(ErrorCode::InvalidRequest, text);
    let token = params.one("logout_token").map_err(|_| invalid("logout_token came more than once"))?;
    let token = token.ok_or_else(|| invalid("logout_token is missing"))?;
    let settings = context.snapshot.providers.get(provider).ok_or_else(|| invalid("no such provider"))?;
    let verified = context.services.upstreams.logout_token(settings, token, context.now).await;
    let token = verified.map_err(|error| refused(context, provider, &error))?;
    let ended = UpstreamSessions {
        provider: provider.to_owned(),
        issuer: settings.issuer().to_owned(),
        subject: token.subject,
        sid: token.sid,
    };
    let sessions = context.store().sessions_of_upstream(ended).await?;
    let ids = sessions.iter().map(|view| view.session.id.clone()).collect();
    let seen = format!("{} {}", settings.issuer(), token.jti);
    let apps = context.store().end_sessions_once(ids, "upstream_logout", &seen, token.expires_at, context.now).await?;
    let apps = apps.ok_or_else(|| invalid("the logout token was used before"))?;
    for (view, apps) in sessions.iter().zip(&apps) {
        notify::session_ended(context, &view.user, apps);
    }
    let sessions = sessions.len();
    tracing::info!(event = "upstream_logout", provider, sessions, trace_id = %context.trace_id, "signed out at a provider");
    Ok(())
}

fn refused(context: &RequestContext<'_>, provider: &str, error: &RpError) -> OAuthError {
    let reason = error.reason();
    tracing::warn!(event = "upstream_logout_refused", reason, provider, trace_id = %context.trace_id, %error, "a logout token was refused");
    let code = if matches!(error, RpError::Unavailable(_)) {
        ErrorCode::TemporarilyUnavailable
    } else {
        ErrorCode::InvalidRequest
    };
    OAuthError::new(code, format!("{reason} (trace {})", context.trace_id))
}
