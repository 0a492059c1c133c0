//! The demo app: an ordinary relying party of the broker that shows the tokens that it receives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use url::Url;

use crate::app::App;
use crate::decision::app::AppRequest;
use crate::dev::personas::PERSONAS;
use crate::digest::sha256_base64url;
use crate::env::Random;
use crate::op::{RequestContext, decide};
use crate::outbound::{HttpClient, OutboundPolicy};
use crate::pages;
use crate::pages::Pages;
use crate::pages::csp::content_security_policy;
use crate::store::ids::SessionId;
use crate::throttle::Source;
use crate::web::{cookies, respond};
use crate::x509::Reading;

/// The app's session cookie.
const COOKIE: &str = "countersign-demo-app";

/// The demo app.
pub struct Demo {
    /// Its address.
    pub url: String,
    /// The broker's issuer.
    pub issuer: String,
    /// The simulated provider, to which a sign-out redirects.
    pub idp: String,
    /// Its secret at the broker.
    pub client_secret: String,
    /// Calls to the broker.
    pub http: Arc<dyn HttpClient>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Pages.
    pub pages: Pages,
    /// The broker in this process, for the trace of the decision.
    pub broker: Arc<App>,
    /// Sign-ins under way: state → PKCE verifier.
    pub pending: Mutex<HashMap<String, String>>,
    /// Signed-in browsers: cookie → tokens.
    pub sessions: Mutex<HashMap<String, Tokens>>,
}

/// The tokens and claims that the broker issued.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The ID token.
    pub id_token: String,
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: Option<String>,
    /// The userinfo response.
    pub userinfo: Value,
}

type Shared = State<Arc<Demo>>;

/// Its router.
pub fn router(demo: Arc<Demo>) -> axum::Router {
    axum::Router::new()
        .route("/", get(home))
        .route("/start", get(start))
        .route("/callback", get(callback))
        .route("/refresh", post(refresh))
        .route("/sign-out", post(sign_out))
        .route("/static/{name}", get(asset))
        .with_state(demo)
}

async fn asset(axum::extract::Path(name): axum::extract::Path<String>) -> Response {
    match pages::assets::asset(&name) {
        Some((kind, bytes)) => respond::public(kind, bytes, 300),
        None => respond::empty(StatusCode::NOT_FOUND),
    }
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let [session] = cookies::values(headers, [COOKIE]);
    session
}

/// The claims of a JWT, unverified: this app got it from the broker over a direct connection (OIDC Core §3.1.3.7, 6).
#[must_use]
pub fn claims(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null)
}

async fn home(State(demo): Shared, headers: HeaderMap) -> Response {
    let tokens = cookie(&headers).and_then(|id| demo.sessions().get(&id).cloned());
    let targets: Vec<Url> = [&demo.issuer, &demo.idp].into_iter().filter_map(|url| Url::parse(url).ok()).collect();
    let html = match tokens {
        None => {
            let view = pages::DemoHome {
                issuer: demo.issuer.clone(),
                sign_in_path: "/start".to_owned(),
                personas: PERSONAS.iter().map(crate::dev::personas::Persona::view).collect(),
            };
            demo.pages.render(pages::Lang::En, &view)
        }
        Some(tokens) => {
            let form =
                |action: &str| pages::PostForm { action: action.to_owned(), csrf: String::new(), fields: Vec::new() };
            let name = tokens.userinfo.get("name").and_then(Value::as_str).unwrap_or("somebody");
            let view = pages::DemoTokens {
                user_name: name.to_owned(),
                id_token: claims(&tokens.id_token),
                access_token: claims(&tokens.access_token),
                userinfo: tokens.userinfo.clone(),
                trace: demo.trace(&tokens).await,
                refresh: tokens.refresh_token.is_some().then(|| form("/refresh")),
                sign_out: form("/sign-out"),
            };
            demo.pages.render(pages::Lang::En, &view)
        }
    };
    match html {
        Ok(html) => respond::page(StatusCode::OK, html, &content_security_policy(&targets, [])),
        Err(error) => respond::text("text/plain; charset=utf-8", error.to_string()),
    }
}

/// Starts a sign-in: authorization code flow with PKCE.
async fn start(State(demo): Shared) -> Response {
    let (Ok(state), Ok(verifier)) = (demo.random.secret(), demo.random.secret()) else {
        return respond::empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let challenge = sha256_base64url(verifier.as_bytes());
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", "demo")
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", &format!("{}/callback", demo.url))
        .append_pair("scope", "openid profile email groups roles")
        .append_pair("state", &state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .finish();
    demo.pending.lock().unwrap_or_else(PoisonError::into_inner).insert(state, verifier);
    respond::see_other(&format!("{}/oauth2/authorize?{query}", demo.issuer))
}

async fn callback(State(demo): Shared, Query(query): Query<HashMap<String, String>>) -> Response {
    let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let verifier = demo.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(text("state"));
    let (Some(verifier), Some(code)) = (verifier, query.get("code")) else {
        let error = format!("The sign-in did not succeed: {} {}", text("error"), text("error_description"));
        return respond::text("text/plain; charset=utf-8", error);
    };
    let redirect_uri = format!("{}/callback", demo.url);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", verifier.as_str()),
    ];
    let Ok(id) = demo.random.secret() else { return respond::empty(StatusCode::INTERNAL_SERVER_ERROR) };
    demo.exchange(&id, &form).await
}

async fn refresh(State(demo): Shared, headers: HeaderMap) -> Response {
    let Some(id) = cookie(&headers) else { return respond::see_other(&format!("{}/", demo.url)) };
    let token = demo.sessions().get(&id).and_then(|tokens| tokens.refresh_token.clone());
    let Some(token) = token else { return respond::see_other(&format!("{}/", demo.url)) };
    demo.exchange(&id, &[("grant_type", "refresh_token"), ("refresh_token", &token)]).await
}

async fn sign_out(State(demo): Shared, headers: HeaderMap) -> Response {
    let tokens = cookie(&headers).and_then(|id| demo.sessions().remove(&id));
    let Some(tokens) = tokens else { return respond::see_other(&format!("{}/", demo.url)) };
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("id_token_hint", &tokens.id_token)
        .append_pair("post_logout_redirect_uri", &format!("{}/", demo.url))
        .finish();
    respond::see_other(&format!("{}/oauth2/logout?{query}", demo.issuer))
}

impl Demo {
    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<String, Tokens>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the token endpoint and userinfo, and stores the results in the session.
    async fn exchange(&self, id: &str, form: &[(&str, &str)]) -> Response {
        match self.tokens(form).await {
            Ok(tokens) => {
                self.sessions().insert(id.to_owned(), tokens);
                let mut response = respond::see_other(&format!("{}/", self.url));
                let cookie = format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax");
                if let Ok(value) = HeaderValue::from_str(&cookie) {
                    response.headers_mut().insert(header::SET_COOKIE, value);
                }
                response
            }
            Err(error) => respond::text("text/plain; charset=utf-8", error),
        }
    }

    /// Exchanges a code or a refresh token, and reads userinfo.
    ///
    /// # Errors
    /// The broker's error.
    pub async fn tokens(&self, form: &[(&str, &str)]) -> Result<Tokens, String> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let basic = STANDARD.encode(format!("demo:{}", self.client_secret));
        let request = http::Request::post(format!("{}/oauth2/token", self.issuer))
            .header(header::AUTHORIZATION, format!("Basic {basic}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.into_bytes());
        let answer = self.call(request).await?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let access_token = text("access_token").ok_or_else(|| answer.to_string())?;
        let request = http::Request::get(format!("{}/oauth2/userinfo", self.issuer))
            .header(header::AUTHORIZATION, format!("Bearer {access_token}"))
            .body(Vec::new());
        let userinfo = self.call(request).await?;
        let id_token = text("id_token").unwrap_or_default();
        Ok(Tokens { id_token, access_token, refresh_token: text("refresh_token"), userinfo })
    }

    async fn call(&self, request: Result<http::Request<Vec<u8>>, http::Error>) -> Result<Value, String> {
        let request = request.map_err(|error| error.to_string())?;
        let issuer = Url::parse(&self.issuer).map_err(|error| error.to_string())?;
        let policy = OutboundPolicy::trusting([&issuer]).allow_http(true);
        let response = self.http.send(request, &policy).await.map_err(|error| error.to_string())?;
        serde_json::from_slice(response.body()).map_err(|error| error.to_string())
    }

    /// The broker's decision behind these tokens, rule by rule.
    async fn trace(&self, tokens: &Tokens) -> Vec<pages::TraceLine> {
        let sid = claims(&tokens.id_token).get("sid").and_then(Value::as_str).map(SessionId::new);
        let Some(sid) = sid else { return Vec::new() };
        let services = self.broker.services();
        let Some(view) = services.store.session_by_id(&sid).await.ok().flatten() else {
            return Vec::new();
        };
        let Some(link) = &view.link else { return Vec::new() };
        let snapshot = self.broker.snapshot().load_full();
        let context = RequestContext {
            services,
            snapshot: &snapshot,
            now: services.clock.now(),
            trace_id: String::new(),
            source: Source::Nameless,
            address: None,
            user_agent: None,
            client_certificate: Reading::NotRead,
        };
        let scopes = ["openid", "profile", "email", "groups", "roles"].map(str::to_owned);
        let request = AppRequest { client: "demo", scopes: &scopes, ..AppRequest::default() };
        match decide::again(&context, &view.user, link, &request) {
            Ok(decision) => pages::TraceLine::of(&decision.trace),
            Err(refusal) => pages::TraceLine::of(&refusal.trace),
        }
    }
}
