//! Deciding again when a code or a refresh token is used, and the errors of what was refused. Each refusal of the policy is
//! kept with its trace, whose id the error names.

use crate::audit::{Event, Kind};
use crate::decision::pipeline::Decision;
use crate::decision::reason::Reason;
use crate::decision::trace::{Refusal, Stage, Trace};
use crate::op::RequestContext;
use crate::op::decide;
use crate::op::decide::grant_request;
use crate::op::error::OAuthError;
use crate::op::error_text::{about_person, quotable};
use crate::op::events;
use crate::op::token::request::invalid_grant;
use crate::op::validity::Invalid;
use crate::protocol::{CERTIFICATE, ErrorCode};
use crate::snapshot::client::Client;
use crate::store::StoreError;
use crate::store::ids::SessionId;
use crate::store::model::{Grant, Link, StoredTrace, User};

/// The current decision for a grant and the scopes asked for.
///
/// # Errors
/// `invalid_grant` when the policy refuses; when the store can't be written.
pub(super) async fn decide_again(
    context: &RequestContext<'_>,
    grant: &Grant,
    scopes: &[String],
    (user, link): (&User, &Link),
) -> Result<Decision, OAuthError> {
    match decide::again(context, user, link, &grant_request(grant, scopes)) {
        Ok(decision) => Ok(decision),
        Err(refusal) => Err(refused(context, grant, Some(user), refusal).await?),
    }
}

/// Keeps a refusal, and makes the error of it.
///
/// # Errors
/// When the store can't be written.
pub(super) async fn refused(
    context: &RequestContext<'_>,
    grant: &Grant,
    user: Option<&User>,
    refusal: Refusal,
) -> Result<OAuthError, StoreError> {
    let reason = refusal.reason.code();
    let provider = grant.link.as_ref().map(|link| link.provider.as_str()).unwrap_or_default();
    let event = context.event(Kind::Refusal).reason(reason).provider(provider).client(&grant.client);
    let event = event.sid(grant.sid.as_ref().map(SessionId::as_str)).detail("at the token endpoint");
    let event = user.into_iter().fold(event, |event, user| event.about(events::person(user)));
    let trace = decide::stored_trace(context, grant.user_id.clone(), Some(&grant.client), provider, &refusal.trace);
    kept(context, trace, event, reason).await
}

/// The same of a sign-in by certificate at this endpoint. `user` is who it is, where the certificate is known.
///
/// # Errors
/// When the store can't be written.
pub(super) async fn refused_sign_in(
    context: &RequestContext<'_>,
    client: &Client,
    user: Option<&User>,
    refusal: Refusal,
) -> Result<OAuthError, StoreError> {
    let reason = refusal.reason.code();
    let event = context.event(Kind::Refusal).reason(reason).provider(CERTIFICATE).client(&client.key);
    let event = user.into_iter().fold(event, |event, user| event.about(events::person(user)));
    let id = user.map(|user| user.id.clone());
    let trace = decide::stored_trace(context, id, Some(&client.key), CERTIFICATE, &refusal.trace);
    kept(context, trace, event.detail("at the token endpoint"), reason).await
}

async fn kept(
    context: &RequestContext<'_>,
    trace: StoredTrace,
    event: Event,
    reason: &'static str,
) -> Result<OAuthError, StoreError> {
    context.save_refusal(trace, event).await?;
    let error = about_person(context, ErrorCode::InvalidGrant, reason);
    Ok(OAuthError { description: quotable(context, &error), ..error })
}

/// The error for a grant that is no longer valid. The removal of a provider is a decision of the configuration, so that its
/// trace is kept.
///
/// # Errors
/// When the store can't be written.
pub(super) async fn not_valid(
    context: &RequestContext<'_>,
    grant: &Grant,
    invalid: Invalid,
) -> Result<OAuthError, StoreError> {
    Ok(invalid_grant(match invalid {
        Invalid::ProviderRemoved => {
            let text = "the provider that vouched is not there any more, disabled, or another issuer's";
            let refusal = Trace::default().refuse(Stage::Claims, None, Reason::ProviderRemoved, text);
            return refused(context, grant, None, refusal).await;
        }
        Invalid::SessionEnded => "the session that the code or refresh token belongs to has ended",
        Invalid::UserDisabled => "the user's account is disabled or not there any more",
        Invalid::Revoked | Invalid::Expired | Invalid::ClientDisabled => {
            "the code or refresh token is unknown, expired or revoked"
        }
    }))
}
