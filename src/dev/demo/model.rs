//! The state of the demo app, and its calls to the broker.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use url::Url;

use crate::app::App;
use crate::config::Config;
use crate::dev::idp::fault::Faults;
use crate::dev::setting::{Setting, Shown, signs_people_in};
use crate::env::Random;
use crate::outbound::{HttpClient, OutboundPolicy};
use crate::pages::{DemoNav, Pages};
use crate::protocol::ClientAuthMethod;
use crate::web::cookies;

/// The app's session cookie.
pub(super) const COOKIE: &str = "countersign-demo-app";

/// The demo app.
pub struct Demo {
    /// The addresses.
    pub setting: Arc<Setting>,
    /// Calls to the broker.
    pub http: Arc<dyn HttpClient>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Pages.
    pub pages: Pages,
    /// The broker in this process, for the trace of the decision.
    pub broker: Arc<App>,
    /// Which providers are broken.
    pub faults: Arc<Faults>,
    /// What the forms of its pages carry.
    pub csrf: String,
    /// The files.
    pub shown: Shown,
    /// The main file, where it is on disk.
    pub file: Option<PathBuf>,
    /// Sign-ins under way: by `state`.
    pub pending: Mutex<HashMap<String, Pending>>,
    /// Signed-in browsers: cookie → tokens.
    pub sessions: Mutex<HashMap<String, Tokens>>,
}

/// A sign-in under way.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// Key of the app that is signed in to.
    pub client: String,
    /// The PKCE verifier.
    pub verifier: String,
    /// The persona that was asked for.
    pub persona: Option<String>,
}

/// The tokens and claims that the broker issued.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Key of the app that they are for.
    pub client: String,
    /// The ID token.
    pub id_token: String,
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: Option<String>,
    /// The userinfo response.
    pub userinfo: Value,
}

/// What the handlers share.
pub(super) type Shared = State<Arc<Demo>>;

/// The claims of a JWT, unverified: this app got it from the broker over a direct connection (OIDC Core §3.1.3.7, 6).
#[must_use]
pub fn claims(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null)
}

/// The apps that the demo app can play: key and name.
#[must_use]
pub fn apps(config: &Config) -> Vec<(String, String)> {
    let apps = config.clients.iter().filter(|(_, client)| signs_people_in(client));
    apps.map(|(key, client)| (key.clone(), client.client_name.clone().unwrap_or_else(|| key.clone()))).collect()
}

impl Tokens {
    /// The name of the person.
    pub(super) fn user_name(&self) -> String {
        let id_token = claims(&self.id_token);
        let named =
            ["name", "preferred_username", "sub"].map(|name| [&self.userinfo, &id_token].map(|of| of.get(name)));
        named.into_iter().flatten().flatten().find_map(Value::as_str).unwrap_or_default().to_owned()
    }
}

impl Demo {
    pub(super) fn sessions(&self) -> MutexGuard<'_, HashMap<String, Tokens>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sign-ins under way.
    pub fn pending(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cookie of a browser, and the tokens of its session.
    pub(super) fn session(&self, headers: &HeaderMap) -> Option<(String, Tokens)> {
        let [id] = cookies::values(headers, [COOKIE]);
        let id = id?;
        let tokens = self.sessions().get(&id).cloned()?;
        Some((id, tokens))
    }

    /// An address of the demo app.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.setting.app)
    }

    /// The top of a page.
    pub(super) fn nav(&self, page: &'static str, headers: &HeaderMap) -> DemoNav {
        let files = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        DemoNav {
            page,
            user_name: self.session(headers).map(|(_, tokens)| tokens.user_name()),
            file: files.first().map(|(name, _)| name.clone()).unwrap_or_default(),
            generation: self.broker.snapshot().load().generation,
            problems: self.broker.reload_status().problems(),
        }
    }

    /// Exchanges a code or a refresh token of an app, and reads userinfo.
    ///
    /// # Errors
    /// The broker's error, as it sent it.
    pub async fn tokens(&self, client: &str, form: &[(&str, &str)]) -> Result<Tokens, String> {
        let snapshot = self.broker.snapshot().load_full();
        let declared = snapshot.config.clients.get(client).ok_or("the app is no longer in the file")?;
        let client_id = declared.client_id.as_deref().unwrap_or(client);
        let public = declared.token_endpoint_auth_method == Some(ClientAuthMethod::None);
        let named = public.then_some(("client_id", client_id));
        let pairs = form.iter().copied().chain(named);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let issuer = &snapshot.config.issuer;
        let mut request = http::Request::post(format!("{issuer}{}", snapshot.config.endpoints.token))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if !public {
            let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let basic = STANDARD.encode(format!("{}:{}", encoded(client_id), self.setting.secret));
            request = request.header(header::AUTHORIZATION, format!("Basic {basic}"));
        }
        let answer = self.call(request.body(body.into_bytes())).await?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let access_token = text("access_token").ok_or_else(|| answer.to_string())?;
        let request = http::Request::get(format!("{issuer}{}", snapshot.config.endpoints.userinfo))
            .header(header::AUTHORIZATION, format!("Bearer {access_token}"))
            .body(Vec::new());
        let userinfo = self.call(request).await?;
        let id_token = text("id_token").unwrap_or_default();
        let client = client.to_owned();
        Ok(Tokens { client, id_token, access_token, refresh_token: text("refresh_token"), userinfo })
    }

    async fn call(&self, request: Result<http::Request<Vec<u8>>, http::Error>) -> Result<Value, String> {
        let request = request.map_err(|error| error.to_string())?;
        let broker = Url::parse(&self.setting.broker).map_err(|error| error.to_string())?;
        let policy = OutboundPolicy::trusting([&broker]).allow_http(true);
        let response = self.http.send(request, &policy).await.map_err(|error| error.to_string())?;
        serde_json::from_slice(response.body()).map_err(|error| error.to_string())
    }
}
