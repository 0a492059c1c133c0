//! The way back from a provider: take the sign-in by its state, verify, decide, write everything in one transaction,
//! answer the app.

pub mod shadow;

use crate::config::language::provider::Reauth;
use crate::config::language::scalar::SecretValue;
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::username;
use crate::op::RequestContext;
use crate::op::authorize::answer;
use crate::op::authorize::request::AuthorizeRequest;
use crate::op::authorize::{LoginData, ask_consent, consent_is_due, live_session, refused, resumed_client, settle};
use crate::op::decide;
use crate::op::decide::{app_request, facts, query, stored_trace};
use crate::op::error::{OAuthError, PageError};
use crate::op::logout::backchannel;
use crate::op::outcome::{Browser, Next, Outcome, SetCookie, Stop};
use crate::op::params::Params;
use crate::protocol::ErrorCode;
use crate::snapshot::client::Client;
use crate::store::model::{Link, LinkKey, Session, TokenHash, User};
use crate::store::{AccountView, AccountWrite, SessionView, SignIn, SignInWritten};
use crate::upstream::{CallbackParams, Expected, UpstreamError, UpstreamIdentity};

/// How often a sign-in is decided anew when others take its username in between.
const ATTEMPTS: usize = 4;

/// Serves a provider's callback (OIDC Core §3.1.2.5). `providers` are those whose callback this path is.
pub async fn callback(
    context: &RequestContext<'_>,
    providers: &[String],
    params: &Params,
    browser: &Browser,
) -> Outcome {
    let data = match take_login(context, params, browser).await {
        Ok(taken) => taken,
        Err(error) => return Next::Error(error).into(),
    };
    let to = data.request.to.clone();
    settle(context, &to, finish(context, providers, params, data, browser).await)
}

/// Takes the sign-in by its state. It is gone then, whoever asked (D01).
async fn take_login(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Result<LoginData, PageError> {
    let state = match params.one("state") {
        Ok(Some(state)) => state,
        _ => return Err(PageError::new(400, "login_not_found", "the callback has no state, or several")),
    };
    let login = context
        .store()
        .take_login(TokenHash::of(state), context.now)
        .await?
        .ok_or_else(|| PageError::new(400, "login_not_found", "the state is unknown, used or expired"))?;
    if !browser.binding.as_ref().is_some_and(|secret| TokenHash::of(secret) == login.browser) {
        return Err(PageError::new(400, "login_other_browser", "the sign-in was begun in another browser"));
    }
    serde_json::from_str(&login.data).map_err(|error| PageError::new(500, "internal_error", error.to_string()))
}

async fn finish(
    context: &RequestContext<'_>,
    providers: &[String],
    params: &Params,
    data: LoginData,
    browser: &Browser,
) -> Result<Outcome, Stop> {
    if !providers.contains(&data.provider) {
        let detail = format!("a sign-in at {} came back on another provider's callback", data.provider);
        return Err(PageError::new(400, "login_not_found", detail).into());
    }
    let client = resumed_client(context, &data.request)?;
    let provider = context.snapshot.policy.providers.get(&data.provider);
    let same = provider.is_some_and(|provider| provider.enabled && provider.issuer == data.issuer);
    let settings = context.snapshot.providers.get(&data.provider).filter(|_| same);
    let Some(settings) = settings else {
        let detail = format!("provider {} was removed, disabled or re-pointed meanwhile", data.provider);
        return Err(PageError::new(403, "provider_removed", detail).into());
    };
    let field = |name: &str| params.one(name).ok().flatten();
    if let Some(duplicate) = params.duplicate(&[]) {
        return Err(PageError::from(duplicate).into());
    }
    let callback = CallbackParams {
        code: field("code"),
        iss: field("iss"),
        error: field("error"),
        error_description: field("error_description"),
    };
    let request = &data.request;
    // A client that always wants `auth_time` gets one that the provider proves, however old.
    let proven =
        context.snapshot.clients.get(&request.to.client).is_some_and(|client| client.require_auth_time).then_some(0);
    let aged = request.max_age.map(|age| data.started_at.saturating_sub(age)).or(proven);
    let code_verifier = SecretValue::new(data.code_verifier.clone());
    let expected = Expected {
        nonce: &data.nonce,
        code_verifier: &code_verifier,
        redirect_uri: &data.redirect_uri,
        authenticated_after: request.prompt.login.then_some(data.started_at).or(aged),
    };
    let identity = match context.services.upstreams.finish(settings, &callback, &expected, context.now).await {
        Ok(identity) => identity,
        Err(error) => return Err(upstream_stop(context, request, &data.provider, &error)),
    };
    admit(context, client, request, &identity, browser).await
}

/// What an upstream failure becomes: OAuth errors reach the app, everything else a page with a way back.
pub(crate) fn upstream_stop(
    context: &RequestContext<'_>,
    request: &AuthorizeRequest,
    provider: &str,
    error: &UpstreamError,
) -> Stop {
    tracing::warn!(event = "upstream_failure", reason = error.reason(), provider, trace_id = %context.trace_id, %error, "sign-in failed upstream");
    let code = ErrorCode::from_upstream(error.oauth_error());
    let for_app = OAuthError::new(code, format!("{} (trace {})", error.reason(), context.trace_id));
    match error {
        UpstreamError::Provider(_) | UpstreamError::Reauthentication(_) => Stop::App(for_app),
        _ => {
            let status = if matches!(error, UpstreamError::Unavailable(_)) { 502 } else { 400 };
            let mut page = PageError::new(status, error.reason(), error.to_string());
            page.provider = Some(provider.to_owned());
            page.back = Some(answer::error_answer(context, &request.to, &for_app).url());
            Stop::Page(page)
        }
    }
}

/// Decides with what is stored, and writes; again when another sign-in came in between.
async fn admit(
    context: &RequestContext<'_>,
    client: &Client,
    request: &AuthorizeRequest,
    identity: &UpstreamIdentity,
    browser: &Browser,
) -> Result<Outcome, Stop> {
    let key = LinkKey {
        provider: identity.provider.clone(),
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
    };
    let previous = live_session(context, browser).await?;
    for _ in 0..ATTEMPTS {
        let evidence = Evidence {
            provider: &key.provider,
            issuer: Some(&key.issuer),
            subject: &key.subject,
            claims: &identity.claims,
        };
        let mapped = match begin(&context.snapshot.policy, &evidence) {
            Ok(mapped) => mapped,
            Err(refusal) => return refused(context, request, &key.provider, None, refusal).await,
        };
        let view = context.store().accounts(query(key.clone(), mapped.question())).await?;
        let app = app_request(request, identity.acr.as_deref(), &identity.amr);
        let decided = mapped.decide(facts(&view), Some(&app));
        if let Some(shadow) = &context.services.shadow {
            for difference in shadow::differences(shadow, &evidence, facts(&view), &app, decided.as_ref()) {
                let (provider, client) = (key.provider.as_str(), client.key.as_str());
                tracing::info!(event = "shadow_difference", provider, client, trace_id = %context.trace_id, difference, "the canary configuration decides otherwise");
            }
        }
        let decision = match decided {
            Ok(decision) => decision,
            Err(refusal) => {
                let user_id = view.linked.as_ref().map(|(user, _)| user.id.clone());
                return refused(context, request, &key.provider, user_id, refusal).await;
            }
        };
        if let Some(outcome) =
            write(context, client, request, identity, &key, &view, &decision, previous.as_ref(), browser).await?
        {
            return Ok(outcome);
        }
    }
    Err(PageError::new(503, "store_unavailable", "too many sign-ins for this username at once").into())
}

/// Writes account, link, session and code. `None` when it must be decided anew.
#[expect(clippy::too_many_arguments, reason = "the facts of one finished sign-in, each from another step")]
async fn write(
    context: &RequestContext<'_>,
    client: &Client,
    request: &AuthorizeRequest,
    identity: &UpstreamIdentity,
    key: &LinkKey,
    view: &AccountView,
    decision: &Decision,
    previous: Option<&SessionView>,
    browser: &Browser,
) -> Result<Option<Outcome>, Stop> {
    let user = account_row(context, decision)?;
    if request.hinted_sub.as_ref().is_some_and(|sub| *sub != decide::subject(client, &user)) {
        return Err(OAuthError::new(ErrorCode::LoginRequired, "another user signed in than id_token_hint names").into());
    }
    if !request.meets_acr(identity.acr.as_deref()) {
        return Err(OAuthError::new(
            ErrorCode::LoginRequired,
            "the provider did not vouch for an acr that is essential",
        )
        .into());
    }
    let session = session_row(context, identity, key, &user)?;
    let secret = context.random().secret()?;
    let due = consent_is_due(context, client, request, &user, decision).await?;
    let mut prepared = if due { None } else { Some(answer::prepare(context, client, request, decision, &session)?) };
    let known = view.linked.as_ref().map(|(_, link)| link);
    let sign_in = SignIn {
        account: match &decision.account.existing {
            Some(account) => AccountWrite::Update {
                user_id: account.id.clone(),
                profile: (account.profile != decision.profile).then(|| decision.profile.clone()),
            },
            None => AccountWrite::Create(user.clone()),
        },
        link: Link {
            key: key.clone(),
            user_id: user.id.clone(),
            claims: identity.claims.clone(),
            claims_at: context.now,
            verified_email: decision.verified_email.clone(),
            refresh_token: identity
                .refresh_token
                .as_ref()
                .map(|token| token.expose().to_owned())
                .or_else(|| known.and_then(|link| link.refresh_token.clone())),
            created_at: known.map_or(context.now, |link| link.created_at),
        },
        system_roles: decision.granted.system.clone(),
        session: session.clone(),
        session_secret: TokenHash::of(&secret),
        replaces: previous.map(|view| view.session.id.clone()),
        code: prepared.as_mut().and_then(answer::Prepared::take_code),
        trace: stored_trace(context, Some(user.id.clone()), Some(&client.key), &key.provider, &decision.trace),
    };
    match (context.store().finish_sign_in(sign_in, context.now).await?, previous) {
        (SignInWritten::Conflict, _) => return Ok(None),
        (SignInWritten::Replaced(apps), Some(previous)) => backchannel::session_ended(context, &previous.user, &apps),
        (SignInWritten::Done | SignInWritten::Replaced(_), _) => {}
    }
    let (provider, client_key) = (key.provider.as_str(), client.key.as_str());
    let created = decision.account.existing.is_none();
    tracing::info!(event = "sign_in", provider, client = client_key, created, trace_id = %context.trace_id, "signed in");
    let mut outcome = match prepared {
        Some(mut prepared) => {
            prepared.save(context, None).await?;
            Outcome::from(Next::App(prepared.answer(context, client, request, &user, decision)?))
        }
        None => ask_consent(context, client, request, &session, decision, browser).await?,
    };
    outcome.cookies.push(SetCookie::Session(secret));
    outcome.cookies.push(SetCookie::LastProvider(key.provider.clone()));
    Ok(Some(outcome))
}

/// The account as it will stand; a new one gets its ids here.
fn account_row(context: &RequestContext<'_>, decision: &Decision) -> Result<User, Stop> {
    let account = &decision.account;
    Ok(match &account.existing {
        Some(known) => User {
            id: known.id.clone(),
            username: known.username.clone(),
            username_key: username::key(&known.username),
            sub: known.sub.clone(),
            profile: decision.profile.clone(),
            disabled: known.disabled,
            created_at: context.now,
        },
        None => User {
            id: context.random().id()?,
            username: account.username.clone(),
            username_key: username::key(&account.username),
            sub: match &account.imported_sub {
                Some(sub) => sub.clone(),
                None => context.random().id()?,
            },
            profile: decision.profile.clone(),
            disabled: false,
            created_at: context.now,
        },
    })
}

/// The new session, within `[session]` and the provider's narrower bounds.
fn session_row(
    context: &RequestContext<'_>,
    identity: &UpstreamIdentity,
    key: &LinkKey,
    user: &User,
) -> Result<Session, Stop> {
    let bounds = &context.snapshot.config.session;
    let provider = context.snapshot.config.providers.get(&key.provider);
    let trusted = provider.is_some_and(|provider| provider.reauth == Reauth::Trust);
    let narrower = provider.map(|provider| provider.session.clone()).unwrap_or_default();
    let max_inactive = narrower.max_inactive.map_or(bounds.max_inactive, |own| own.min(bounds.max_inactive));
    let max_lifetime = narrower.max_lifetime.map_or(bounds.max_lifetime, |own| own.min(bounds.max_lifetime));
    let mut expires_at = context.now + max_lifetime.seconds();
    if let Some(upstream) = identity.access_token_expires_at.filter(|_| narrower.follow_upstream_expiry) {
        expires_at = expires_at.min(upstream);
    }
    Ok(Session {
        id: context.random().id()?,
        user_id: user.id.clone(),
        link: key.clone(),
        auth_time: identity.auth_time.or(trusted.then_some(context.now)),
        acr: identity.acr.clone(),
        amr: identity.amr.clone(),
        upstream_id_token: Some(identity.id_token.expose().to_owned()),
        upstream_sid: identity.sid.clone(),
        created_at: context.now,
        last_active: context.now,
        max_inactive: max_inactive.seconds(),
        expires_at,
    })
}
