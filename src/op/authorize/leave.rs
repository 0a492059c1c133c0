//! Steps: sending the browser to a provider. The sign-in is begun there, then stored; the browser holds only its binding
//! secret.
//!
//! Owns what is stored of a sign-in at a provider, which the callback reads. [`upstream`](crate::upstream) makes the request to
//! the provider.

use serde::{Deserialize, Serialize};

use crate::config::language::scalar::SecretValue;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::stage::{Departure, Flow, Stage};
use crate::op::error::PageError;
use crate::op::interaction;
use crate::op::mark;
use crate::op::outcome::{Next, Outcome, SetCookie, Stop};
use crate::store::model::{Login, TokenHash};
use crate::upstream::BeginParams;

/// What a [`Login`] holds, besides state and browser: written there as text, which takes half as long as an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginData {
    /// The app's request.
    pub request: AuthorizeRequest,
    /// The provider's id.
    pub provider: String,
    /// The provider's issuer at the time.
    pub issuer: String,
    /// `nonce` sent to the provider.
    pub nonce: String,
    /// PKCE verifier.
    pub code_verifier: String,
    /// Redirect URI sent to the provider.
    pub redirect_uri: String,
    /// When the browser left, in seconds since the Unix epoch.
    pub started_at: i64,
}

/// Begins a sign-in at the provider, whose metadata are fetched where they are not known.
///
/// # Errors
/// A page when the provider no longer exists, or the generator is not available.
pub(super) async fn begin(flow: &Flow<'_>, request: &AuthorizeRequest, provider: String) -> Result<Stage, Stop> {
    let context = flow.context;
    let removed = || PageError::new(403, "provider_removed", format!("provider {provider} is not there"));
    let settings = context.snapshot.providers.get(&provider).ok_or_else(removed)?;
    let [state, nonce, code_verifier] = context.random().secrets()?;
    let state = mark::with_client(context, state, request.to.client());
    let code_verifier = SecretValue::new(code_verifier);
    let prompt = request.prompt.values();
    let begin = BeginParams {
        state: &state,
        nonce: &nonce,
        code_verifier: &code_verifier,
        redirect_uri: &settings.redirect_uri,
        prompt: &prompt,
        another_account: request.prompt.another_account,
        max_age: request.max_age.and_then(|age| u64::try_from(age).ok()),
        login_hint: request.login_hint.as_deref(),
        ui_locales: request.ui_locales.as_deref(),
        acr_values: request.acr_values.as_deref(),
    };
    let url = match context.services.upstreams.begin(settings, &begin, context.now).await {
        Ok(url) => url.to_string(),
        Err(error) => return Ok(Stage::ProviderFailed { provider, error }),
    };
    let code_verifier = code_verifier.expose().to_owned();
    let redirect_uri = settings.redirect_uri.clone();
    Ok(Stage::Leaving(Box::new(Departure { provider, url, state, nonce, code_verifier, redirect_uri })))
}

/// Stores the sign-in and sends the browser to the provider.
///
/// # Errors
/// When the store or the generator is not available.
pub(super) async fn store(flow: &Flow<'_>, request: AuthorizeRequest, departure: Departure) -> Result<Outcome, Stop> {
    let context = flow.context;
    let Departure { provider, url, state, nonce, code_verifier, redirect_uri } = departure;
    let (binding, mut cookies) = interaction::binding(context, flow.browser)?;
    if context.break_glass_enters(flow.client) {
        cookies.push(SetCookie::Waiting(state.clone()));
    }
    let request = AuthorizeRequest { trace: Some(context.trace()), ..request };
    let issuer = context.snapshot.policy.providers.get(&provider).map(|provider| provider.issuer.clone());
    let issuer = issuer.unwrap_or_default();
    let data = LoginData { request, provider, issuer, nonce, code_verifier, redirect_uri, started_at: context.now };
    let login = Login {
        state: TokenHash::of(&state),
        browser: TokenHash::of(&binding),
        // It contains only text and numbers, so that serialising it can't fail.
        data: serde_json::to_string(&data).unwrap_or_default(),
        expires_at: context.now + interaction::LIFETIME,
    };
    context.store().save_login(login, context.pending_bound()).await?;
    Ok(Outcome { next: Next::Provider(url), cookies })
}
