//! The authorization request (OIDC Core §3.1.2.1, RFC 6749 §4.1.1): its parameters parsed into a [`form`], then an ordered
//! list of small [`checks`], then an immutable [`model`] that the steps work on.
//!
//! [`address::prove`] comes first and alone decides whether anything may be redirected; its errors are pages. All that
//! follows is [`validate`], whose errors go back to the app. Neither reads the store.

pub mod address;
pub mod checks;
pub mod form;
pub mod model;

use crate::op::RequestContext;
use crate::op::error::OAuthError;
use crate::snapshot::client::Client;
use form::AuthorizationForm;
use model::{AuthorizeRequest, Destination, ReturnAddress};

/// Checks everything but the client and the redirect URI, in order. The first error is returned.
///
/// # Errors
/// For the app.
pub fn validate(
    context: &RequestContext<'_>,
    client: &Client,
    to: ReturnAddress,
    form: AuthorizationForm,
) -> Result<AuthorizeRequest, OAuthError> {
    checks::repetition(&form)?;
    checks::lengths(&form)?;
    checks::registration(&form)?;
    checks::response_mode(&form)?;
    let response_type = checks::response_type(client, &form)?;
    let scopes = checks::scopes(client, &form, response_type);
    checks::front_channel(&form, response_type, &scopes)?;
    let mut prompt = checks::prompt(&form)?;
    let max_age = checks::max_age(client, &form)?;
    // OIDC Core §3.1.2.1: `max_age=0` is `prompt=login`. A provider that measures in whole seconds would take a sign-in of
    // this very second for recent enough.
    prompt.login |= max_age == Some(0) && !prompt.none;
    let code_challenge = if response_type.has_code() { checks::code_challenge(client, &form)? } else { None };
    checks::dpop_key(&form)?;
    let hinted_sub = checks::hinted_sub(context, &form)?;
    let claims = checks::claims(&form)?;
    let essential_acr = claims.as_ref().map(checks::essential_acr).unwrap_or_default();
    let acr_values = checks::acr_values(client, &form, claims.as_ref());
    checks::resources(context, client, &form)?;
    Ok(AuthorizeRequest {
        to: Destination::App(to),
        response_type,
        scopes,
        nonce: form.nonce,
        code_challenge,
        dpop_jkt: form.dpop_jkt,
        prompt,
        max_age,
        login_hint: form.login_hint,
        hinted_sub: hinted_sub.or_else(|| claims.as_ref().and_then(checks::wanted_sub)),
        ui_locales: form.ui_locales,
        acr_values,
        essential_acr,
        claims,
        resources: form.resources,
        provider_hint: form.provider,
        trace: Some(context.trace()),
    })
}
