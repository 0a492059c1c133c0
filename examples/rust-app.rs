//! A web application that signs people in through Countersign, with axum and openidconnect, to copy. To try it, start a broker
//! with `cargo run -- dev`, then `cargo run --example rust-app`, and open http://localhost:3000.
//!
//! With another broker, register a client as in `examples/apps/rust.toml` and set `ISSUER`, `CLIENT_ID`, `CLIENT_SECRET`
//! (none for a public client), `APP_URL` (its address in the browser) and `LISTEN` (127.0.0.1:3000). Sessions are in memory,
//! and cookies are not marked `Secure`, so that plain HTTP works: change both for production.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "an application, not a library")]

use std::collections::HashMap;
use std::env::var;
use std::sync::{Arc, LazyLock, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreTokenResponse};
use openidconnect::*;
use reqwest::{Client, redirect::Policy};
use serde_json::Value;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Oidc = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What is known of browsers, by the id in their cookie.
struct Sessions<T>(Mutex<HashMap<String, T>>);

impl<T> Sessions<T> {
    /// Stores a session under a new id, so that a cookie that was planted before the sign-in is worthless after it.
    fn open(&self, session: T) -> [(HeaderName, String); 1] {
        let id = CsrfToken::new_random_len(32).into_secret();
        self.0.lock().expect("no poison").insert(id.clone(), session);
        [(header::SET_COOKIE, format!("rust_app={id}; Path=/; HttpOnly; SameSite=Lax"))]
    }

    /// Removes and returns the session of this request's cookie.
    fn take(&self, headers: &HeaderMap) -> Option<T> {
        self.0.lock().expect("no poison").remove(cookie(headers)?)
    }
}

struct App {
    oidc: Oidc,
    end_session: Option<EndSessionUrl>,
    url: String,
    pending: Sessions<(CsrfToken, Nonce, PkceCodeVerifier)>,
    signed_in: Sessions<(Box<CoreTokenResponse>, Value)>,
}

/// All claims of the ID token, once its signature, issuer, audience, expiry and nonce are verified: also those that the
/// library has no type for, such as `groups`.
fn claims(app: &App, tokens: &CoreTokenResponse, nonce: impl NonceVerifier) -> Result<Value, Failure> {
    let id_token = tokens.id_token().ok_or("the broker sent no ID token")?;
    id_token.claims(&app.oidc.id_token_verifier(), nonce)?;
    let jwt = id_token.to_string();
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap_or_default())?)?)
}

static CLIENT: LazyLock<Client> = LazyLock::new(|| Client::builder().redirect(Policy::none()).build().expect("TLS"));

/// Sends the library's requests, without following redirects.
async fn http(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let response = CLIENT.execute(request.try_into()?).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut answer = HttpResponse::new(response.bytes().await?.to_vec());
    (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
    Ok(answer)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split("; ")).find_map(|pair| pair.strip_prefix("rust_app="))
}

async fn home(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Html<String>, Problem> {
    let sessions = app.signed_in.0.lock().expect("no poison");
    let Some((_, claims)) = cookie(&headers).and_then(|id| sessions.get(id)) else {
        return Ok(Html("<!doctype html><a href=\"/sign-in\">Sign in</a>".to_owned()));
    };
    let claims = serde_json::to_string_pretty(claims)?.replace('&', "&amp;").replace('<', "&lt;");
    Ok(Html(format!(
        "<!doctype html><h1>Signed in</h1><pre>{claims}</pre>\
         <form method=\"post\" action=\"/refresh\"><button>Refresh</button></form>\
         <form method=\"post\" action=\"/sign-out\"><button>Sign out</button></form>"
    )))
}

async fn sign_in(State(app): State<Arc<App>>) -> Response {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let request = app.oidc.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
    let scopes = ["profile", "email", "groups"].map(|scope| Scope::new(scope.to_owned()));
    let (url, state, nonce) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
    (app.pending.open((state, nonce, verifier)), Redirect::to(url.as_str())).into_response()
}

type Answer = Query<HashMap<String, String>>;
async fn callback(app: State<Arc<App>>, headers: HeaderMap, answer: Answer) -> Result<Response, Problem> {
    let (state, nonce, verifier) = app.pending.take(&headers).ok_or("no sign-in is in progress in this browser")?;
    if answer.get("state") != Some(state.secret()) {
        return Err("the authorization response belongs to another sign-in".into());
    }
    let code = answer.get("code").ok_or_else(|| format!("the broker refused: {answer:?}"))?;
    let request = app.oidc.exchange_code(AuthorizationCode::new(code.clone()))?.set_pkce_verifier(verifier);
    let tokens = Box::new(request.request_async(&http).await?);
    let claims = claims(&app, &tokens, &nonce)?;
    Ok((app.signed_in.open((tokens, claims)), Redirect::to("/")).into_response())
}

async fn refresh(app: State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    // The session is removed meanwhile, because each refresh token can be used once. If the broker refuses, it has ended.
    let (tokens, before) = app.signed_in.take(&headers).ok_or("nobody is signed in in this browser")?;
    let token = tokens.refresh_token().ok_or("there is no refresh token")?;
    let tokens = Box::new(app.oidc.exchange_refresh_token(token)?.request_async(&http).await?);
    let claims = claims(&app, &tokens, |_: Option<&Nonce>| Ok(()))?;
    if claims.get("sub") != before.get("sub") {
        return Err("the refreshed ID token is about somebody else".into());
    }
    Ok((app.signed_in.open((tokens, claims)), Redirect::to("/")).into_response())
}

async fn sign_out(app: State<Arc<App>>, headers: HeaderMap) -> Result<Redirect, Problem> {
    let (tokens, _) = app.signed_in.take(&headers).ok_or("nobody is signed in in this browser")?;
    let end_session = app.end_session.clone().ok_or("the broker has no sign-out endpoint")?;
    let id_token = tokens.id_token().ok_or("there is no ID token")?;
    let back = PostLogoutRedirectUrl::new(format!("{}/", app.url))?;
    let request = LogoutRequest::from(end_session).set_id_token_hint(id_token).set_post_logout_redirect_uri(back);
    Ok(Redirect::to(request.http_get_url().as_str()))
}

/// An error page for developers. An application for other users should write the details only to its log.
struct Problem(Failure);

impl<E: Into<Failure>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, format!("{:?}", self.0)).into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let setting = |name: &str, default: &str| var(name).unwrap_or_else(|_| default.to_owned());
    let url = setting("APP_URL", "http://localhost:3000");
    let issuer = IssuerUrl::new(setting("ISSUER", "http://localhost:8080"))?;
    let metadata = ProviderMetadataWithLogout::discover_async(issuer, &http).await?;
    let end_session = metadata.additional_metadata().end_session_endpoint.clone();
    let (id, secret) = (setting("CLIENT_ID", "rust-app"), var("CLIENT_SECRET").ok());
    let oidc = CoreClient::from_provider_metadata(metadata, ClientId::new(id), secret.map(ClientSecret::new));
    let oidc = oidc.set_redirect_uri(RedirectUrl::new(format!("{url}/callback"))?);
    let listener = tokio::net::TcpListener::bind(setting("LISTEN", "127.0.0.1:3000")).await?;
    println!("{url}");
    let routes = Router::new().route("/", get(home)).route("/sign-in", get(sign_in)).route("/callback", get(callback));
    let routes = routes.route("/refresh", post(refresh)).route("/sign-out", post(sign_out));
    let app =
        App { oidc, end_session, url, pending: Sessions(Mutex::default()), signed_in: Sessions(Mutex::default()) };
    Ok(axum::serve(listener, routes.with_state(Arc::new(app))).await?)
}
