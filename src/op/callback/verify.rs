//! Verifies what a provider answered to a sign-in.

use crate::config::language::scalar::SecretValue;
use crate::op::authorize::leave::LoginData;
use crate::op::authorize::stage::Flow;
use crate::op::callback::form::CallbackForm;
use crate::op::error::PageError;
use crate::upstream::error::ResponseProblem;
use crate::upstream::{Expected, UpstreamError, UpstreamIdentity};

/// Why a callback admits nobody.
pub(super) enum Unverified {
    /// It does not belong to the sign-in, or the provider is no longer the same.
    Callback(PageError),
    /// The provider refused or failed, or its answer failed a check.
    Provider(UpstreamError),
}

impl From<PageError> for Unverified {
    fn from(error: PageError) -> Self {
        Self::Callback(error)
    }
}

/// Whom the provider vouches for. `providers` are the ids of those whose callback was called.
///
/// # Errors
/// As [`Unverified`] says.
pub(super) async fn verify(
    flow: &Flow<'_>,
    providers: &[String],
    login: &LoginData,
    form: CallbackForm<'_>,
) -> Result<UpstreamIdentity, Unverified> {
    let context = flow.context;
    if !providers.contains(&login.provider) {
        let detail = format!("a sign-in at {} came back on another provider's callback", login.provider);
        return Err(PageError::new(400, "login_not_found", detail).into());
    }
    let provider = context.snapshot.policy.providers.get(&login.provider);
    let same = provider.is_some_and(|provider| provider.enabled && provider.issuer == login.issuer);
    let settings = context.snapshot.providers.get(&login.provider).filter(|_| same).ok_or_else(|| {
        let detail = format!("provider {} was removed, disabled or re-pointed meanwhile", login.provider);
        PageError::new(403, "provider_removed", detail)
    })?;
    let response = form.response.map_err(PageError::from)?;
    if providers.len() > 1 && response.iss.is_none() {
        // Whatever the provider promises: the code may be that of another provider's answer (RFC 9700 §4.4).
        return Err(Unverified::Provider(UpstreamError::Response(ResponseProblem::IssuerNeeded)));
    }
    let code_verifier = SecretValue::new(login.code_verifier.clone());
    let expected = Expected {
        nonce: &login.nonce,
        code_verifier: &code_verifier,
        redirect_uri: &login.redirect_uri,
        authenticated_after: authenticated_after(flow, login),
    };
    let identity = context.services.upstreams.finish(settings, &response, &expected, context.now).await;
    identity.map_err(Unverified::Provider)
}

/// Since when the user must have authenticated (OIDC Core §3.1.2.1): since the sign-in began with `prompt=login`, at most
/// `max_age` before otherwise. For a client with `require_auth_time` the provider must prove a time, however long ago.
fn authenticated_after(flow: &Flow<'_>, login: &LoginData) -> Option<i64> {
    let request = &login.request;
    if request.prompt.login {
        return Some(login.started_at);
    }
    let aged = request.max_age.map(|age| login.started_at.saturating_sub(age));
    aged.or(flow.client.require_auth_time.then_some(0))
}
