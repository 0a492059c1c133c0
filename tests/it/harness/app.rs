//! The broker under test, built as the product builds it (file, check, snapshot, router), with an in-memory store, a clock
//! that moves only when a test moves it, and fake providers.

use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use countersign::audit::{Event, Identify, Kind};
use countersign::env::{Clock as _, ManualClock};
use countersign::store::{Store, Tell};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};
use tower::ServiceExt as _;

use crate::support::provider::{Idp, Net};

use super::browser::{Browser, Reply};
use super::compose::Broker;
use super::{BASE, CHALLENGE, IDP, PARTNER, START, VERIFIER, claims_of};

/// A broker with its surroundings.
pub(crate) struct TestApp {
    pub(crate) broker: Broker,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) net: Arc<Net>,
    origin: String,
}

impl TestApp {
    /// The broker of [`BASE`].
    pub(crate) async fn base() -> Self {
        Self::from(BASE).await
    }

    /// The broker of [`BASE`] and this overlay.
    pub(crate) async fn with(overlay: &str) -> Self {
        Self::of(BASE, &[overlay]).await
    }

    /// The broker of this configuration.
    pub(crate) async fn from(toml: &str) -> Self {
        Self::of(toml, &[]).await
    }

    /// The broker of this configuration and its overlays.
    pub(crate) async fn of(toml: &str, overlays: &[&str]) -> Self {
        let clock = ManualClock::at(START);
        let net = Net::of(&[IDP, PARTNER], &clock);
        let broker = Broker::start(toml, overlays, &clock, &net).await;
        let origin = broker.origin();
        Self { broker, clock, net, origin }
    }

    /// The broker of this configuration, with providers at these issuers.
    pub(crate) async fn at(issuers: &[&str], toml: &str) -> Self {
        let clock = ManualClock::at(START);
        let net = Net::of(issuers, &clock);
        let broker = Broker::start(toml, &[], &clock, &net).await;
        let origin = broker.origin();
        Self { broker, clock, net, origin }
    }

    /// The broker of [`BASE`] with its store in this file.
    pub(crate) async fn stored_in(store: &std::path::Path) -> Self {
        let clock = ManualClock::at(START);
        let net = Net::of(&[IDP, PARTNER], &clock);
        let broker = Broker::start_in(store, BASE, &clock, &net).await;
        let origin = broker.origin();
        Self { broker, clock, net, origin }
    }

    /// The broker of a file on disk.
    pub(crate) async fn on_disk(main: &std::path::Path) -> Self {
        let clock = ManualClock::at(START);
        let net = Net::of(&[IDP, PARTNER], &clock);
        let broker = Broker::on_disk(main, &clock, &net).await;
        let origin = broker.origin();
        Self { broker, clock, net, origin }
    }

    /// The broker of [`BASE`] with this store.
    pub(crate) async fn over(store: Arc<dyn Store>) -> Self {
        let clock = ManualClock::at(START);
        let net = Net::of(&[IDP, PARTNER], &clock);
        let broker = Broker::over(store, BASE, &clock, &net).await;
        let origin = broker.origin();
        Self { broker, clock, net, origin }
    }

    /// The same broker, started again with the store that is opened once this one has ended.
    pub(crate) async fn moved(self, open: impl AsyncFnOnce() -> Arc<dyn Store>) -> Self {
        let Self { broker, clock, net, origin } = self;
        drop(broker);
        let broker = Broker::over(open().await, BASE, &clock, &net).await;
        Self { broker, clock, net, origin }
    }

    /// Another process on the same store with this configuration, which simulates a restart.
    pub(crate) async fn restarted(&self, toml: &str, overlays: &[&str]) -> Self {
        let broker = self.broker.again(toml, overlays, &self.clock, &self.net).await;
        Self { broker, clock: Arc::clone(&self.clock), net: Arc::clone(&self.net), origin: self.origin.clone() }
    }

    /// Applies another configuration, like a reload.
    pub(crate) async fn reload(&self, toml: &str, overlays: &[&str]) {
        self.broker.reload(toml, overlays).await;
    }

    /// The broker's origin, such as `https://sso.example.com`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Moves the clock forward.
    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.advance(seconds);
    }

    /// The provider `staff`.
    pub(crate) fn idp(&self) -> &Idp {
        self.net.idp_of(IDP)
    }

    /// The provider `partner`.
    pub(crate) fn partner(&self) -> &Idp {
        self.net.idp_of(PARTNER)
    }

    /// A path or URL as an absolute URL.
    pub(crate) fn absolute(&self, target: &str) -> String {
        if target.starts_with('/') { format!("{}{target}", self.origin) } else { target.to_owned() }
    }

    /// Sends a request to the router.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        self.send_to(self.broker.router(), request).await
    }

    /// Sends a request to a router.
    pub(crate) async fn send_to(&self, router: axum::Router, request: Request<Body>) -> Reply {
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// A GET request without cookies or headers.
    pub(crate) async fn get(&self, target: &str) -> Reply {
        Browser::new().get(self, target).await
    }

    /// A form posted by an app, with its client authentication.
    pub(crate) async fn post(&self, path: &str, auth: &Auth, form: &[(&str, &str)]) -> Reply {
        self.post_as(&mut Browser::new(), path, auth, form).await
    }

    /// The same, from the address of this browser.
    pub(crate) async fn post_as(&self, from: &mut Browser, path: &str, auth: &Auth, form: &[(&str, &str)]) -> Reply {
        let mut fields = form.to_vec();
        let mut headers = Vec::new();
        let header;
        match auth {
            Auth::Basic(id, secret) => {
                let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encode(id), encode(secret));
                header = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
                headers.push(("authorization", header.as_str()));
            }
            Auth::Post(id, secret) => fields.extend([("client_id", id.as_str()), ("client_secret", secret.as_str())]),
            Auth::Public(id) => fields.push(("client_id", id.as_str())),
            Auth::Nothing => {}
        }
        from.send(self, Method::POST, path, Some(&fields), &headers).await
    }

    /// A token request.
    pub(crate) async fn token(&self, auth: &Auth, form: &[(&str, &str)]) -> Reply {
        self.post("/oauth2/token", auth, form).await
    }

    /// Redeems a code as the client of [`Authorize::of`].
    pub(crate) async fn redeem(&self, client: &str, code: &str) -> Reply {
        let redirect_uri = format!("https://{client}.example/cb");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        self.token(&Auth::of(client), &form).await
    }

    /// Uses a refresh token.
    pub(crate) async fn refresh(&self, client: &str, token: &str) -> Reply {
        self.token(&Auth::of(client), &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// Calls userinfo with a bearer token.
    pub(crate) async fn userinfo(&self, token: &str) -> Reply {
        let header = format!("Bearer {token}");
        Browser::new().send(self, Method::GET, "/oauth2/userinfo", None, &[("authorization", &header)]).await
    }

    /// Introspects a token as this client.
    pub(crate) async fn introspect(&self, client: &str, token: &str) -> Reply {
        self.post("/oauth2/introspect", &Auth::of(client), &[("token", token)]).await
    }

    /// Revokes a token as this client.
    pub(crate) async fn revoke(&self, client: &str, token: &str) -> Reply {
        self.post("/oauth2/revoke", &Auth::of(client), &[("token", token)]).await
    }

    /// What `users disable` and `users enable` do.
    pub(crate) async fn set_user_disabled(&self, username: &str, disabled: bool) {
        let person = self.broker.store.user(username).await.unwrap().unwrap();
        let event = Event::new(Kind::AdminAction, self.now(), Identify::Username);
        self.broker
            .store
            .set_user_disabled(&person.user.id, disabled, self.now(), event, &Tell::default())
            .await
            .unwrap();
    }

    /// A complete sign-in of a person in a new browser, through the provider to the tokens.
    pub(crate) async fn sign_in(&self, client: &str, person: &Value) -> (Browser, Tokens) {
        let mut browser = Browser::new();
        let tokens = self.sign_in_with(&mut browser, &Authorize::of(client), person).await;
        (browser, tokens)
    }

    /// Like [`Self::sign_in`], with this browser and request.
    pub(crate) async fn sign_in_with(&self, browser: &mut Browser, request: &Authorize, person: &Value) -> Tokens {
        let reply = self.through_provider(browser, request, person).await;
        self.tokens(request.client(), &reply).await
    }

    /// From the authorization request through the provider to the broker's last response.
    pub(crate) async fn through_provider(&self, browser: &mut Browser, request: &Authorize, person: &Value) -> Reply {
        let callback = self.at_provider(browser, request, person).await;
        browser.open(self, &callback).await
    }

    /// From the authorization request to the provider; returns the URL of the redirect back, which is not followed yet.
    pub(crate) async fn at_provider(&self, browser: &mut Browser, request: &Authorize, person: &Value) -> String {
        let leaving = browser.open(self, &request.url(self)).await.location();
        self.net.idp_of(&leaving).authorize(&leaving, person)
    }

    /// Redeems the code of an authorization response.
    pub(crate) async fn tokens(&self, client: &str, answer: &Reply) -> Tokens {
        let params = answer.params();
        let code = params.get("code").unwrap_or_else(|| panic!("no code: {params:?}"));
        Tokens::read(&self.redeem(client, code).await)
    }
}

/// How a client authenticates.
#[derive(Clone, Debug)]
pub(crate) enum Auth {
    Basic(String, String),
    Post(String, String),
    Public(String),
    Nothing,
}

impl Auth {
    /// As the clients of [`BASE`] do by default.
    pub(crate) fn of(client: &str) -> Self {
        match client {
            "spa" | "native" => Self::Public(client.to_owned()),
            _ => Self::Basic(client.to_owned(), secret_of(client)),
        }
    }
}

/// The secret of a client of [`BASE`].
pub(crate) fn secret_of(client: &str) -> String {
    match client {
        "app" => "secret-of-app-0123456789abcdef0123456789".to_owned(),
        "other" => "secret-of-other-0123456789abcdef01234567".to_owned(),
        _ => format!("secret-of-{client}-0123456789abcdef"),
    }
}

/// An authorization request with the parameters that apps usually send, which can then be changed.
#[derive(Clone, Debug)]
pub(crate) struct Authorize(Vec<(String, String)>);

impl Authorize {
    /// A request with all parameters that a well-behaved app sends.
    pub(crate) fn of(client: &str) -> Self {
        let redirect_uri = format!("https://{client}.example/cb");
        let fields = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", &redirect_uri),
            ("scope", "openid profile email groups"),
            ("state", "state-of-the-app"),
            ("nonce", "nonce-of-the-app"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        Self(fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Sets this parameter.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.to_owned(),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Adds this parameter, even if it exists already.
    pub(crate) fn add(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes this parameter.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// Removes PKCE.
    pub(crate) fn without_pkce(self) -> Self {
        self.without("code_challenge").without("code_challenge_method")
    }

    pub(crate) fn fields(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn client(&self) -> &str {
        self.0.iter().find(|(name, _)| name == "client_id").map(|(_, value)| value.as_str()).unwrap()
    }

    /// The request as a URL.
    pub(crate) fn url(&self, app: &TestApp) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish();
        format!("{}/oauth2/authorize?{query}", app.origin())
    }
}

/// A token response.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) body: Value,
}

impl Tokens {
    #[track_caller]
    pub(crate) fn read(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{reply}");
        Self { body: reply.json() }
    }

    #[track_caller]
    fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body))
    }

    #[track_caller]
    pub(crate) fn access(&self) -> &str {
        self.text("access_token")
    }

    #[track_caller]
    pub(crate) fn id(&self) -> &str {
        self.text("id_token")
    }

    #[track_caller]
    pub(crate) fn refresh(&self) -> &str {
        self.text("refresh_token")
    }

    /// The ID token's claims.
    #[track_caller]
    pub(crate) fn claims(&self) -> Map<String, Value> {
        claims_of(self.id())
    }

    /// The subject.
    #[track_caller]
    pub(crate) fn sub(&self) -> String {
        self.claims()["sub"].as_str().unwrap().to_owned()
    }
}
