//! The authorization endpoint (OIDC Core §3.1.2): one dispatcher looks at what is there (request, session, consent) and
//! picks the next step. Steps never call each other.

pub mod answer;
pub mod request;
pub mod request_object;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::language::client::Consent;
use crate::config::language::scalar::SecretValue;
use crate::decision::pipeline::Decision;
use crate::decision::policy::ProviderPolicy;
use crate::decision::trace::Refusal;
use crate::op::RequestContext;
use crate::op::authorize::answer::error_answer;
use crate::op::authorize::request::{AuthorizeRequest, ReturnAddress};
use crate::op::decide;
use crate::op::decide::app_request;
use crate::op::error::{OAuthError, PageError};
use crate::op::interaction;
use crate::op::issue::ID_TOKEN_TYPE;
use crate::op::outcome::{Browser, Choice, ConsentPage, Next, Outcome, SignInPage, Stop};
use crate::op::params::Params;
use crate::op::validity;
use crate::protocol::ErrorCode;
use crate::snapshot::client::Client;
use crate::store::model::{Consent as Remembered, Login, Session, TokenHash, User};
use crate::store::{SessionView, StoreError};
use crate::upstream::BeginParams;

/// What an [`Interaction`] waits for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "waits_for", rename_all = "snake_case")]
pub enum Waiting {
    /// A provider to be chosen.
    Choice {
        /// The request.
        request: Box<AuthorizeRequest>,
    },
    /// The user's consent.
    Consent {
        /// The request.
        request: Box<AuthorizeRequest>,
        /// The session that asks.
        session: String,
    },
}

/// What a [`Login`] remembers, beside state and browser: written there as text, which takes half as long as an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginData {
    /// The app's request.
    pub request: AuthorizeRequest,
    /// The provider, and its issuer at the time.
    pub provider: String,
    /// The provider's issuer.
    pub issuer: String,
    /// `nonce` sent to the provider.
    pub nonce: String,
    /// PKCE verifier.
    pub code_verifier: String,
    /// Redirect URI sent to the provider.
    pub redirect_uri: String,
    /// When the browser left.
    pub started_at: i64,
}

/// Serves an authorization request.
pub async fn authorize(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Outcome {
    let resolved = match request_object::resolve(context, params).await {
        Ok(resolved) => resolved,
        // It goes where the plain parameters prove that it may.
        Err(error) => {
            return match request::client_and_redirect(context.snapshot, params) {
                Ok((_, to)) => Next::App(error_answer(context, &to, &error)).into(),
                Err(_) if params.one("redirect_uri") == Ok(None) => {
                    Next::Error(PageError::new(400, "invalid_request", error.to_string())).into()
                }
                Err(page) => Next::Error(page).into(),
            };
        }
    };
    let params = resolved.as_ref().unwrap_or(params);
    let (client, to) = match request::client_and_redirect(context.snapshot, params) {
        Ok(proven) => proven,
        Err(error) => return Next::Error(error).into(),
    };
    let request =
        match request::validate(context.snapshot, client, to.clone(), params, &|hint| hinted_sub(context, hint)) {
            Ok(request) => request,
            Err(error) => return Next::App(error_answer(context, &to, &error)).into(),
        };
    settle(context, &to, dispatch(context, client, request, browser).await)
}

/// The subject of an ID token of ours, expired or not.
pub(crate) fn hinted_sub(context: &RequestContext<'_>, hint: &str) -> Option<String> {
    let claims = context.services.keys.set().verify(hint, ID_TOKEN_TYPE).ok()?;
    let ours = claims.get("iss").and_then(Value::as_str) == Some(context.snapshot.issuer.text.as_str());
    claims.get("sub").and_then(Value::as_str).filter(|_| ours).map(str::to_owned)
}

/// Makes an outcome of a stopped step: errors for apps travel to the proven address.
pub fn settle(context: &RequestContext<'_>, to: &ReturnAddress, result: Result<Outcome, Stop>) -> Outcome {
    match result {
        Ok(outcome) => outcome,
        Err(Stop::Page(error)) => {
            let client = error.client.clone().or_else(|| Some(to.client.clone()));
            Next::Error(PageError { client, ..error }).into()
        }
        Err(Stop::App(error)) => Next::App(error_answer(context, to, &error)).into(),
    }
}

/// Picks the next step for a valid request.
async fn dispatch(
    context: &RequestContext<'_>,
    client: &Client,
    request: AuthorizeRequest,
    browser: &Browser,
) -> Result<Outcome, Stop> {
    if let Some(view) = live_session(context, browser).await?
        && session_serves(context, client, &request, &view)
    {
        return with_session(context, client, &request, &view, browser).await;
    }
    if request.prompt.none {
        return Err(OAuthError::new(ErrorCode::LoginRequired, "the user must sign in").into());
    }
    choose(context, client, request, browser).await
}

/// The browser's session, while somebody is signed in by it.
///
/// # Errors
/// When the store can't be read.
pub async fn live_session(context: &RequestContext<'_>, browser: &Browser) -> Result<Option<SessionView>, StoreError> {
    let Some(secret) = &browser.session else { return Ok(None) };
    let view = context.store().session(TokenHash::of(secret)).await?;
    Ok(view.filter(|view| validity::signed_in(context, view).is_ok()))
}

/// Whether a live session answers this request without a new sign-in (OIDC Core §3.1.2.1, §3.1.2.3).
fn session_serves(
    context: &RequestContext<'_>,
    client: &Client,
    request: &AuthorizeRequest,
    view: &SessionView,
) -> bool {
    let within = |age: i64| view.session.auth_time.is_some_and(|time| age > 0 && context.now - time <= age);
    let fresh = request.max_age.is_none_or(within) && (!client.require_auth_time || view.session.auth_time.is_some());
    let same_user = request.hinted_sub.as_ref().is_none_or(|sub| *sub == decide::subject(client, &view.user));
    let accepted = context
        .snapshot
        .policy
        .clients
        .get(&client.key)
        .and_then(|policy| policy.providers.as_ref())
        .is_none_or(|(providers, _)| providers.contains(&view.session.link.provider));
    let wanted = request.provider_hint.as_ref().is_none_or(|hint| *hint == view.session.link.provider);
    let again = request.prompt.login || request.prompt.select_account;
    let strong_enough = request.meets_acr(view.session.acr.as_deref());
    fresh && same_user && accepted && wanted && strong_enough && !again && view.link.is_some()
}

/// A session that serves: decide again, ask for consent where due, answer.
async fn with_session(
    context: &RequestContext<'_>,
    client: &Client,
    request: &AuthorizeRequest,
    view: &SessionView,
    browser: &Browser,
) -> Result<Outcome, Stop> {
    let Some(link) = &view.link else {
        return Err(OAuthError::new(ErrorCode::LoginRequired, "the user must sign in").into());
    };
    let app = app_request(request, view.session.acr.as_deref(), &view.session.amr);
    let decision = match decide::again(context, &view.user, link, &app) {
        Ok(decision) => decision,
        Err(refusal) => {
            return refused(context, request, &link.key.provider, Some(view.user.id.clone()), refusal).await;
        }
    };
    if consent_is_due(context, client, request, &view.user, &decision).await? {
        return ask_consent(context, client, request, &view.session, &decision, browser).await;
    }
    let mut prepared = answer::prepare(context, client, request, &decision, &view.session)?;
    prepared.save(context, None).await?;
    Ok(Next::App(prepared.answer(context, client, request, &view.user, &decision)?).into())
}

/// A refusal of the pipeline: kept, logged, and shown; told to the app where no page may be shown.
///
/// # Errors
/// For the app, with `prompt=none`.
pub async fn refused(
    context: &RequestContext<'_>,
    request: &AuthorizeRequest,
    provider: &str,
    user_id: Option<String>,
    refusal: Refusal,
) -> Result<Outcome, Stop> {
    let Refusal { reason, trace } = refusal;
    let client = request.to.client.as_str();
    tracing::warn!(event = "refusal", reason = reason.code(), provider, client, trace_id = %context.trace_id, "sign-in refused");
    context.store().save_trace(decide::stored_trace(context, user_id, Some(client), provider, &trace)).await?;
    let error = OAuthError::new(ErrorCode::AccessDenied, format!("{} (trace {})", reason.code(), context.trace_id));
    if request.prompt.none {
        return Err(error.into());
    }
    let back = error_answer(context, &request.to, &error).url();
    Err(PageError::refused(reason, provider, Some(back)).into())
}

/// Whether the user must be asked: the client is `explicit` and the answer is not remembered, or `prompt=consent`.
///
/// # Errors
/// `consent_required` where no page may be shown.
pub async fn consent_is_due(
    context: &RequestContext<'_>,
    client: &Client,
    request: &AuthorizeRequest,
    user: &User,
    decision: &Decision,
) -> Result<bool, Stop> {
    let due = if request.prompt.consent {
        true
    } else if client.consent == Consent::Implicit {
        false
    } else {
        let remembered = context.store().consent(&user.id, &client.key).await?;
        let granted = decision.release.as_ref().map(|release| release.scopes.as_slice()).unwrap_or_default();
        !remembered.is_some_and(|consent| granted.iter().all(|scope| consent.scopes.contains(scope)))
    };
    if due && request.prompt.none {
        return Err(OAuthError::new(ErrorCode::ConsentRequired, "the user must consent").into());
    }
    Ok(due)
}

/// Keeps the request and shows the consent page.
///
/// # Errors
/// When the store or the generator is not available.
pub async fn ask_consent(
    context: &RequestContext<'_>,
    client: &Client,
    request: &AuthorizeRequest,
    session: &Session,
    decision: &Decision,
    browser: &Browser,
) -> Result<Outcome, Stop> {
    let waiting = Waiting::Consent { request: Box::new(request.clone()), session: session.id.clone() };
    let (interaction, cookies) = interaction::keep(context, &waiting, browser).await?;
    let scopes = decision.release.iter().flat_map(|release| &release.scopes);
    let described = |name: &String| {
        let description = context.snapshot.policy.scopes.get(name).and_then(|scope| scope.description.clone());
        (name.clone(), description)
    };
    let name = decision.profile.get("name").and_then(|name| name.as_str());
    let page = ConsentPage {
        client: client.key.clone(),
        user: name.unwrap_or(&decision.account.username).to_owned(),
        scopes: scopes.map(described).collect(),
        ui_locales: request.ui_locales.clone(),
        interaction,
    };
    Ok(Outcome { next: Next::Consent(page), cookies })
}

/// Providers that may vouch for this client's users, hidden ones too.
fn accepted<'p>(context: &'p RequestContext<'_>, client: &'p Client) -> impl Iterator<Item = &'p ProviderPolicy> {
    let listed = context.snapshot.policy.clients.get(&client.key).and_then(|policy| policy.providers.as_ref());
    context
        .snapshot
        .policy
        .providers
        .values()
        .filter(move |provider| provider.enabled && listed.is_none_or(|(ids, _)| ids.contains(&provider.id)))
}

/// Providers that the sign-in page offers: hidden ones only where the client names them.
fn offered<'p>(context: &'p RequestContext<'_>, client: &'p Client) -> Vec<&'p ProviderPolicy> {
    let listed = context.snapshot.policy.clients.get(&client.key).is_some_and(|policy| policy.providers.is_some());
    accepted(context, client).filter(|provider| listed || !provider.hidden).collect()
}

/// The provider whose `domains` an address belongs to.
fn by_address<'p>(context: &'p RequestContext<'_>, client: &'p Client, address: &str) -> Option<&'p ProviderPolicy> {
    let (_, domain) = address.rsplit_once('@')?;
    accepted(context, client).find(|provider| {
        let domains = context.snapshot.config.providers.get(&provider.id).map(|provider| provider.domains.as_slice());
        domains.unwrap_or_default().iter().any(|known| known.eq_ignore_ascii_case(domain))
    })
}

/// Chooses a provider: by hint, by address, the only one, or by the sign-in page.
async fn choose(
    context: &RequestContext<'_>,
    client: &Client,
    request: AuthorizeRequest,
    browser: &Browser,
) -> Result<Outcome, Stop> {
    let hinted = request.provider_hint.as_ref().and_then(|hint| accepted(context, client).find(|p| p.id == *hint));
    let addressed = || request.login_hint.as_deref().and_then(|hint| by_address(context, client, hint));
    if let Some(provider) = hinted.or_else(addressed) {
        return leave(context, &provider.id, request, browser).await;
    }
    match offered(context, client).as_slice() {
        [] => {
            let detail = format!("no provider is enabled for client {}", client.key);
            Err(PageError::new(503, "sign_in_unavailable", detail).into())
        }
        [only] => leave(context, &only.id, request, browser).await,
        _ => sign_in_page(context, client, request, browser, false).await,
    }
}

async fn sign_in_page(
    context: &RequestContext<'_>,
    client: &Client,
    request: AuthorizeRequest,
    browser: &Browser,
    unknown_address: bool,
) -> Result<Outcome, Stop> {
    let mut choices: Vec<Choice> = offered(context, client)
        .into_iter()
        .map(|provider| Choice {
            id: provider.id.clone(),
            name: context.snapshot.provider_name(&provider.id).to_owned(),
            last_used: browser.last_provider.as_ref() == Some(&provider.id),
        })
        .collect();
    choices.sort_by_key(|choice| !choice.last_used);
    let has_domains = |provider: &ProviderPolicy| {
        context.snapshot.config.providers.get(&provider.id).is_some_and(|declared| !declared.domains.is_empty())
    };
    let by_address = accepted(context, client).any(has_domains);
    let (login_hint, ui_locales) = (request.login_hint.clone(), request.ui_locales.clone());
    let (interaction, cookies) =
        interaction::keep(context, &Waiting::Choice { request: Box::new(request) }, browser).await?;
    let client = client.key.clone();
    let page = SignInPage { client, choices, by_address, login_hint, ui_locales, interaction, unknown_address };
    Ok(Outcome { next: Next::SignIn(page), cookies })
}

/// Leaves for a provider: the sign-in is stored, the browser holds only its binding secret.
async fn leave(
    context: &RequestContext<'_>,
    provider: &str,
    request: AuthorizeRequest,
    browser: &Browser,
) -> Result<Outcome, Stop> {
    let removed = || PageError::new(403, "provider_removed", format!("provider {provider} is not there"));
    let settings = context.snapshot.providers.get(provider).ok_or_else(removed)?;
    let random = context.random();
    let [state, nonce, code_verifier] = random.secrets()?;
    let code_verifier = SecretValue::new(code_verifier);
    let prompt = request.prompt.values();
    let begin = BeginParams {
        state: &state,
        nonce: &nonce,
        code_verifier: &code_verifier,
        redirect_uri: &settings.redirect_uri,
        prompt: &prompt,
        max_age: request.max_age.and_then(|age| u64::try_from(age).ok()),
        login_hint: request.login_hint.as_deref(),
        ui_locales: request.ui_locales.as_deref(),
        acr_values: request.acr_values.as_deref(),
    };
    let url = match context.services.upstreams.begin(settings, &begin, context.now).await {
        Ok(url) => url.to_string(),
        Err(error) => return Err(crate::op::callback::upstream_stop(context, &request, provider, &error)),
    };
    let (binding, cookies) = interaction::binding(context, browser)?;
    let data = LoginData {
        provider: provider.to_owned(),
        issuer: context.snapshot.policy.providers.get(provider).map(|p| p.issuer.clone()).unwrap_or_default(),
        nonce,
        code_verifier: code_verifier.expose().to_owned(),
        redirect_uri: settings.redirect_uri.clone(),
        started_at: context.now,
        request,
    };
    let data =
        serde_json::to_string(&data).map_err(|error| PageError::new(500, "internal_error", error.to_string()))?;
    let login = Login {
        state: TokenHash::of(&state),
        browser: TokenHash::of(&binding),
        data,
        expires_at: context.now + interaction::LIFETIME,
    };
    context.store().save_login(login).await?;
    Ok(Outcome { next: Next::Provider(url), cookies })
}

/// The client of a resumed request, while it is still enabled and the answer may still go where it asked.
///
/// # Errors
/// A page: a reload took the client or its redirect URI away meanwhile.
pub fn resumed_client<'s>(
    context: &'s RequestContext<'_>,
    request: &AuthorizeRequest,
) -> Result<&'s Client, PageError> {
    let client = context.snapshot.clients.get(&request.to.client).filter(|client| client.enabled);
    let client = client
        .ok_or_else(|| PageError::new(403, "client_disabled", format!("client {} is gone", request.to.client)))?;
    if client.has_redirect_uri(&request.to.redirect_uri) {
        return Ok(client);
    }
    let detail = format!("client {} has not registered the redirect URI any more", client.key);
    Err(PageError::new(400, "invalid_redirect_uri", detail))
}

/// Serves the sign-in page's form.
pub async fn chosen(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Outcome {
    let field = |name: &str| params.one(name).ok().flatten().unwrap_or_default().to_owned();
    let request = match interaction::resume(context, &field("csrf"), browser, false).await {
        Ok(Waiting::Choice { request }) => *request,
        Ok(Waiting::Consent { .. }) => {
            return Next::Error(PageError::new(400, "invalid_request", "not a sign-in form")).into();
        }
        Err(error) => return Next::Error(error).into(),
    };
    let client = match resumed_client(context, &request) {
        Ok(client) => client,
        Err(error) => return Next::Error(error).into(),
    };
    let to = request.to.clone();
    let (provider, address) = (field("provider"), field("email"));
    let chosen = accepted(context, client).find(|known| known.id == provider).map(|known| known.id.clone());
    let result = match chosen.or_else(|| by_address(context, client, &address).map(|known| known.id.clone())) {
        Some(id) => {
            let login_hint = if address.is_empty() { request.login_hint.clone() } else { Some(address) };
            leave(context, &id, AuthorizeRequest { login_hint, ..request }, browser).await
        }
        None if provider.is_empty() && !address.is_empty() => {
            let request = AuthorizeRequest { login_hint: Some(address), ..request };
            sign_in_page(context, client, request, browser, true).await
        }
        None => Err(PageError::new(403, "provider_removed", "the provider is not offered here").into()),
    };
    settle(context, &to, result)
}

/// Serves the consent page's form.
pub async fn consented(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Outcome {
    let field = |name: &str| params.one(name).ok().flatten().unwrap_or_default().to_owned();
    let (request, session) = match interaction::resume(context, &field("csrf"), browser, true).await {
        Ok(Waiting::Consent { request, session }) => (*request, session),
        Ok(Waiting::Choice { .. }) => {
            return Next::Error(PageError::new(400, "invalid_request", "not a consent form")).into();
        }
        Err(error) => return Next::Error(error).into(),
    };
    let to = request.to.clone();
    let allowed = field("decision") == "allow";
    settle(context, &to, answer_consent(context, &request, &session, allowed, browser).await)
}

async fn answer_consent(
    context: &RequestContext<'_>,
    request: &AuthorizeRequest,
    session: &str,
    allowed: bool,
    browser: &Browser,
) -> Result<Outcome, Stop> {
    let client = resumed_client(context, request)?;
    if !allowed {
        return Err(OAuthError::new(ErrorCode::AccessDenied, "the user did not consent").into());
    }
    let view = live_session(context, browser).await?.filter(|view| view.session.id == session);
    let Some((view, link)) = view.and_then(|view| view.link.clone().map(|link| (view, link))) else {
        return Err(PageError::new(403, "session_expired", "the session ended while the page was open").into());
    };
    let app = app_request(request, view.session.acr.as_deref(), &view.session.amr);
    let decision = match decide::again(context, &view.user, &link, &app) {
        Ok(decision) => decision,
        Err(refusal) => {
            return refused(context, request, &link.key.provider, Some(view.user.id.clone()), refusal).await;
        }
    };
    let scopes = decision.release.as_ref().map(|release| release.scopes.clone()).unwrap_or_default();
    let remembered =
        Remembered { user_id: view.user.id.clone(), client: client.key.clone(), scopes, granted_at: context.now };
    let mut prepared = answer::prepare(context, client, request, &decision, &view.session)?;
    prepared.save(context, Some(remembered)).await?;
    Ok(Next::App(prepared.answer(context, client, request, &view.user, &decision)?).into())
}
