//! The scripted identity provider, plugged in as the outbound HTTP client.
//!
//! It follows the specifications until its script says otherwise: discovery, key set, code exchange with PKCE and client
//! authentication, userinfo, refresh. Every call is recorded. Nothing here listens on a socket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use base64::Engine as _;
use countersign::env::{Clock as _, ManualClock};
use countersign::outbound::{GuardedClient, HttpClient, OutboundError, OutboundPolicy, RedirectIsAnswer};
use serde_json::{Map, Value, json};

use crate::support::keys::{self, Signing};
use crate::support::signer::TestKey;

/// The broker's client secret at every fake provider.
pub(crate) const IDP_SECRET: &str = "the-brokers-secret-at-the-provider";

/// A response of a provider that does not follow the specifications.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Status, content type, body.
    Raw(u16, &'static str, Vec<u8>),
    /// A redirect to this address.
    Redirect(String),
    /// The call fails with this error.
    Fails(OutboundError),
    /// No response ever.
    Hangs,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Raw(status, "application/json", body.to_string().into_bytes())
    }
}

/// One call that reached a provider.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// `discovery`, `jwks`, `token`, `userinfo`, or the path.
    pub(crate) endpoint: String,
    pub(crate) url: String,
    pub(crate) authorization: Option<String>,
    pub(crate) form: HashMap<String, String>,
    /// The certificate that the connection may present, DER.
    pub(crate) certificate: Option<Vec<u8>>,
}

/// Whether a call to the token endpoint authenticates the broker.
type Authenticates = Arc<dyn Fn(&Call) -> bool + Send + Sync>;

/// Changes a document before it is sent.
type Edit = Arc<dyn Fn(&mut Map<String, Value>) + Send + Sync>;

/// What a provider does differently.
#[derive(Clone)]
pub(crate) struct Script {
    /// How ID tokens are signed.
    pub(crate) signing: Signing,
    /// Members of the ID token's header that are set.
    pub(crate) header: Map<String, Value>,
    /// Leaves `kid` out of the header.
    pub(crate) without_kid: bool,
    /// Publishes the next RSA key in place of the first.
    pub(crate) rotated: bool,
    /// Additional keys in the key set, before the good ones.
    pub(crate) odd_keys: Vec<Value>,
    /// Sends `iss` in authorization responses, and announces it in discovery.
    pub(crate) iss_in_response: bool,
    /// Accepts pushed authorization requests at `/par`, and announces and requires them in discovery.
    pub(crate) pushed_requests: bool,
    authenticates: Option<Authenticates>,
    answers: HashMap<String, Answer>,
    id_token: Option<Edit>,
    userinfo: Option<Edit>,
    discovery: Option<Edit>,
    token_response: Option<Edit>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            signing: Signing::Rs256,
            header: Map::new(),
            without_kid: false,
            rotated: false,
            odd_keys: Vec::new(),
            iss_in_response: false,
            pushed_requests: false,
            authenticates: None,
            answers: HashMap::new(),
            id_token: None,
            userinfo: None,
            discovery: None,
            token_response: None,
        }
    }
}

struct IssuedCode {
    sub: String,
    nonce: Option<String>,
    redirect_uri: String,
    challenge: Option<String>,
    offline: bool,
    auth_time: i64,
}

#[derive(Default)]
struct State {
    script: Script,
    /// Claims by subject: what the provider currently knows about a person.
    people: HashMap<String, Map<String, Value>>,
    codes: HashMap<String, IssuedCode>,
    /// Refresh token → subject.
    refresh_tokens: HashMap<String, String>,
    /// Access token → subject.
    access_tokens: HashMap<String, String>,
    calls: Vec<Call>,
    left: Vec<HashMap<String, String>>,
    /// Pushed requests by their `request_uri`.
    pushed: HashMap<String, HashMap<String, String>>,
    serial: u64,
}

/// One provider.
pub(crate) struct Idp {
    pub(crate) issuer: String,
    clock: Arc<ManualClock>,
    state: Mutex<State>,
}

impl Idp {
    pub(crate) fn new(issuer: &str, clock: Arc<ManualClock>) -> Self {
        Self { issuer: issuer.to_owned(), clock, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes the script.
    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.state().script);
    }

    /// Authenticates the broker in this way, in place of its secret, from now on.
    pub(crate) fn authenticate(&self, with: impl Fn(&Call) -> bool + Send + Sync + 'static) {
        self.script(|script| script.authenticates = Some(Arc::new(with)));
    }

    /// Changes every ID token's claims from now on.
    pub(crate) fn edit_id_token(&self, edit: impl Fn(&mut Map<String, Value>) + Send + Sync + 'static) {
        self.script(|script| script.id_token = Some(Arc::new(edit)));
    }

    /// Changes every userinfo response from now on.
    pub(crate) fn edit_userinfo(&self, edit: impl Fn(&mut Map<String, Value>) + Send + Sync + 'static) {
        self.script(|script| script.userinfo = Some(Arc::new(edit)));
    }

    /// Changes the discovery document from now on.
    pub(crate) fn edit_discovery(&self, edit: impl Fn(&mut Map<String, Value>) + Send + Sync + 'static) {
        self.script(|script| script.discovery = Some(Arc::new(edit)));
    }

    /// Changes every token response from now on.
    pub(crate) fn edit_token_response(&self, edit: impl Fn(&mut Map<String, Value>) + Send + Sync + 'static) {
        self.script(|script| script.token_response = Some(Arc::new(edit)));
    }

    /// Sets the response of an endpoint (`discovery`, `jwks`, `token`, `userinfo`), a path or a whole URL from now on.
    pub(crate) fn answer(&self, endpoint: &str, answer: Answer) {
        self.script(|script| drop(script.answers.insert(name(endpoint).to_owned(), answer)));
    }

    /// The same, with a JSON document.
    pub(crate) fn json(&self, endpoint: &str, body: Value) {
        self.status(endpoint, 200, body);
    }

    /// The same, with a status.
    pub(crate) fn status(&self, endpoint: &str, status: u16, body: Value) {
        self.answer(endpoint, Answer::json(status, &body));
    }

    /// Publishes these keys and no others.
    pub(crate) fn keys(&self, keys: &[&TestKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.json("jwks", json!({ "keys": keys }));
    }

    /// Follows the specifications again.
    pub(crate) fn behave(&self) {
        self.script(|script| *script = Script::default());
    }

    /// Sets the claims of a person from now on. `claims` must have `sub`.
    pub(crate) fn knows(&self, claims: &Value) {
        let claims = claims.as_object().unwrap().clone();
        let sub = claims["sub"].as_str().unwrap().to_owned();
        self.state().people.insert(sub, claims);
    }

    /// How often an endpoint was called.
    pub(crate) fn count(&self, endpoint: &str) -> usize {
        self.calls(endpoint).len()
    }

    /// The calls to an endpoint.
    pub(crate) fn calls(&self, endpoint: &str) -> Vec<Call> {
        self.state().calls.iter().filter(|call| call.endpoint == name(endpoint)).cloned().collect()
    }

    /// The parameters of the last authorization request.
    pub(crate) fn last_request(&self) -> HashMap<String, String> {
        self.state().left.last().cloned().unwrap()
    }

    /// A browser arrives at the authorization endpoint and the person signs in. Returns the URL of the redirect back.
    pub(crate) fn authorize(&self, url: &str, person: &Value) -> String {
        self.authorized_at(url, person, self.clock.now())
    }

    /// As [`Self::authorize`], for a person whose session at the provider began at `auth_time`.
    pub(crate) fn authorized_at(&self, url: &str, person: &Value, auth_time: i64) -> String {
        self.knows(person);
        let params = self.arrive(url);
        let mut state = self.state();
        state.serial += 1;
        let code = format!("idp-code-{}", state.serial);
        let issued = IssuedCode {
            sub: person["sub"].as_str().unwrap().to_owned(),
            nonce: params.get("nonce").cloned(),
            redirect_uri: params["redirect_uri"].clone(),
            challenge: params.get("code_challenge").cloned(),
            offline: params["scope"].split(' ').any(|scope| scope == "offline_access"),
            auth_time,
        };
        state.codes.insert(code.clone(), issued);
        drop(state);
        self.back(&params, &[("code", &code)])
    }

    /// A browser arrives at the authorization endpoint and is redirected back with an error.
    pub(crate) fn refuse(&self, url: &str, error: &str, description: &str) -> String {
        let params = self.arrive(url);
        self.back(&params, &[("error", error), ("error_description", description)])
    }

    fn arrive(&self, url: &str) -> HashMap<String, String> {
        let parsed = url::Url::parse(url).unwrap();
        assert!(url.starts_with(&format!("{}/authorize?", self.issuer)), "{url} is not this provider's");
        let mut params: HashMap<String, String> = parsed.query_pairs().into_owned().collect();
        let mut state = self.state();
        if state.script.pushed_requests {
            let pushed = state.pushed.remove(&params["request_uri"]).unwrap();
            assert_eq!((params.len(), &params["client_id"]), (2, &pushed["client_id"]), "{url}");
            params = pushed;
        }
        state.left.push(params.clone());
        params
    }

    fn back(&self, params: &HashMap<String, String>, answer: &[(&str, &str)]) -> String {
        let mut url = url::Url::parse(&params["redirect_uri"]).unwrap();
        url.query_pairs_mut().extend_pairs(answer).append_pair("state", &params["state"]);
        if self.state().script.iss_in_response {
            url.query_pairs_mut().append_pair("iss", &self.issuer);
        }
        url.into()
    }

    fn serve(&self, call: Call) -> Answer {
        let script = {
            let mut state = self.state();
            state.calls.push(call.clone());
            state.script.clone()
        };
        if let Some(answer) = script.answers.get(&call.url).or_else(|| script.answers.get(&call.endpoint)) {
            return answer.clone();
        }
        match call.endpoint.as_str() {
            "discovery" => Answer::json(200, &self.discovery(&script)),
            "jwks" => {
                let keys: Vec<Value> = script.odd_keys.iter().cloned().chain(keys::jwks(script.rotated)).collect();
                Answer::json(200, &json!({ "keys": keys }))
            }
            "token" => self.token(&script, &call),
            "/par" if script.pushed_requests => self.push(&script, &call),
            "/authorize" => Self::nobody_is_signed_in(&call.url),
            "userinfo" => self.userinfo(&script, call.authorization.as_deref()),
            _ => Answer::json(404, &json!({})),
        }
    }

    /// Somebody arrives at the authorization endpoint without a session (OIDC Core §3.1.2.6).
    fn nobody_is_signed_in(url: &str) -> Answer {
        let url = url::Url::parse(url).unwrap();
        let params: HashMap<String, String> = url.query_pairs().into_owned().collect();
        if params.get("prompt").is_none_or(|prompt| prompt != "none") {
            return Answer::Raw(200, "text/html", b"<form>Who are you?</form>".to_vec());
        }
        let mut back = url::Url::parse(&params["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("error", "login_required").append_pair("state", &params["state"]);
        Answer::Redirect(back.into())
    }

    fn discovery(&self, script: &Script) -> Value {
        let issuer = &self.issuer;
        let mut document = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/jwks"),
            "end_session_endpoint": format!("{issuer}/logout"),
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "authorization_response_iss_parameter_supported": script.iss_in_response,
        });
        if script.pushed_requests {
            document["pushed_authorization_request_endpoint"] = format!("{issuer}/par").into();
            document["require_pushed_authorization_requests"] = true.into();
        }
        if let Some(edit) = &script.discovery {
            edit(document.as_object_mut().unwrap());
        }
        document
    }

    fn knows_client(script: &Script, call: &Call) -> bool {
        let expected = base64::engine::general_purpose::STANDARD.encode(format!("countersign:{IDP_SECRET}"));
        match &script.authenticates {
            Some(authenticates) => authenticates(call),
            None => call.authorization == Some(format!("Basic {expected}")),
        }
    }

    /// RFC 9126 §2.
    fn push(&self, script: &Script, call: &Call) -> Answer {
        if !Self::knows_client(script, call) {
            return Answer::json(401, &json!({ "error": "invalid_client" }));
        }
        let mut state = self.state();
        state.serial += 1;
        let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", state.serial);
        state.pushed.insert(request_uri.clone(), call.form.clone());
        Answer::json(201, &json!({ "request_uri": request_uri, "expires_in": 60 }))
    }

    fn token(&self, script: &Script, call: &Call) -> Answer {
        let refuse = |error: &str| Answer::json(400, &json!({ "error": error }));
        if !Self::knows_client(script, call) {
            return Answer::json(401, &json!({ "error": "invalid_client" }));
        }
        let form = &call.form;
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        match field("grant_type").as_str() {
            "authorization_code" => {
                let Some(code) = self.state().codes.remove(&field("code")) else { return refuse("invalid_grant") };
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, field("code_verifier").as_bytes());
                let met = code.challenge.as_ref().is_none_or(|known| *known == keys::encode(digest.as_ref()));
                if !met || field("redirect_uri") != code.redirect_uri {
                    return refuse("invalid_grant");
                }
                self.tokens(script, &code.sub, code.nonce.as_deref(), Some(code.auth_time), code.offline)
            }
            "refresh_token" => {
                let known = self.state().refresh_tokens.remove(&field("refresh_token"));
                known.map_or_else(|| refuse("invalid_grant"), |sub| self.tokens(script, &sub, None, None, true))
            }
            _ => refuse("unsupported_grant_type"),
        }
    }

    fn tokens(&self, script: &Script, sub: &str, nonce: Option<&str>, auth_time: Option<i64>, offline: bool) -> Answer {
        let now = self.clock.now();
        let mut state = self.state();
        state.serial += 1;
        let (access, refresh) = (format!("idp-access-{}", state.serial), format!("idp-refresh-{}", state.serial));
        state.access_tokens.insert(access.clone(), sub.to_owned());
        let mut claims = state.people[sub].clone();
        let mut response = json!({ "access_token": access, "token_type": "Bearer", "expires_in": 300 });
        if offline {
            state.refresh_tokens.insert(refresh.clone(), sub.to_owned());
            response["refresh_token"] = refresh.into();
        }
        drop(state);
        let protocol = json!({ "iss": self.issuer, "aud": "countersign", "iat": now, "exp": now + 300 });
        claims.extend(protocol.as_object().unwrap().clone());
        if let Some(nonce) = nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        if let Some(auth_time) = auth_time {
            claims.insert("auth_time".to_owned(), auth_time.into());
        }
        if let Some(edit) = &script.id_token {
            edit(&mut claims);
        }
        let mut header = keys::header(script.signing);
        header.as_object_mut().unwrap().extend(script.header.clone());
        if script.without_kid {
            header.as_object_mut().unwrap().remove("kid");
        }
        response["id_token"] = keys::sign(script.signing, &header, &claims.into()).into();
        if let Some(edit) = &script.token_response {
            edit(response.as_object_mut().unwrap());
        }
        Answer::json(200, &response)
    }

    fn userinfo(&self, script: &Script, authorization: Option<&str>) -> Answer {
        let token = authorization.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
        let state = self.state();
        let Some(sub) = state.access_tokens.get(token) else { return Answer::json(401, &json!({})) };
        let mut claims = state.people[sub].clone();
        drop(state);
        if let Some(edit) = &script.userinfo {
            edit(&mut claims);
        }
        Answer::json(200, &claims.into())
    }
}

/// The name of an endpoint by its path below the issuer; any other path is its own name.
fn name(endpoint: &str) -> &str {
    match endpoint {
        "/.well-known/openid-configuration" => "discovery",
        "/jwks" => "jwks",
        "/token" => "token",
        "/userinfo" => "userinfo",
        other => other,
    }
}

/// The provider as an HTTP client: it answers for every host, by path.
#[async_trait]
impl HttpClient for Idp {
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        policy: &OutboundPolicy,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let url = url::Url::parse(&request.uri().to_string()).unwrap();
        policy.check(&url)?;
        let path = url.as_str().strip_prefix(self.issuer.as_str()).filter(|rest| rest.starts_with('/'));
        let path = path.map_or(url.path(), |path| path.split('?').next().unwrap_or_default());
        let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let form = url::form_urlencoded::parse(request.body()).into_owned().collect();
        let certificate = policy.identity().map(|identity| identity.chain()[0].to_vec());
        let call = Call { endpoint: name(path).to_owned(), url: url.to_string(), authorization, form, certificate };
        let answer = self.serve(call);
        // A response is never immediate, so that callers of the same document really wait.
        tokio::task::yield_now().await;
        match answer {
            Answer::Hangs => std::future::pending().await,
            Answer::Fails(error) => Err(error),
            Answer::Redirect(_) if request.extensions().get::<RedirectIsAnswer>().is_none() => {
                Err(OutboundError::Redirect(302))
            }
            Answer::Redirect(target) => {
                Ok(http::Response::builder().status(302).header("location", target).body(Vec::new()).unwrap())
            }
            Answer::Raw(status, kind, body) => {
                Ok(http::Response::builder().status(status).header("content-type", kind).body(body).unwrap())
            }
        }
    }
}

/// All fake providers, by origin: everything that the broker can call.
pub(crate) struct Net {
    idps: Vec<Arc<Idp>>,
    /// Further servers, by the addresses that they begin with.
    others: Mutex<Vec<(String, Arc<dyn HttpClient>)>>,
    /// Reaches apps that listen on loopback, as the product does.
    apps: GuardedClient,
    /// Every URL that was requested, served or not.
    asked: Mutex<Vec<String>>,
    /// The URLs that were called with credentials, and whether their header was marked as sensitive.
    authorized: Mutex<Vec<(String, bool)>>,
}

impl Net {
    /// Providers at these issuers.
    pub(crate) fn of(issuers: &[&str], clock: &Arc<ManualClock>) -> Arc<Self> {
        let idps = issuers.iter().map(|issuer| Arc::new(Idp::new(issuer, Arc::clone(clock)))).collect();
        Arc::new(Self {
            idps,
            others: Mutex::default(),
            apps: GuardedClient::default(),
            asked: Mutex::default(),
            authorized: Mutex::default(),
        })
    }

    /// Adds a server at these addresses.
    pub(crate) fn add(&self, addresses: &[&str], server: Arc<dyn HttpClient>) {
        let mut others = self.others.lock().unwrap();
        others.extend(addresses.iter().map(|address| ((*address).to_owned(), Arc::clone(&server))));
    }

    fn other(&self, url: &str) -> Option<Arc<dyn HttpClient>> {
        let others = self.others.lock().unwrap();
        let within = |rest: &str| rest.starts_with(['/', '?']) || rest.is_empty();
        let at = |address: &str| url.strip_prefix(address).is_some_and(within);
        others.iter().find(|(address, _)| at(address)).map(|(_, server)| Arc::clone(server))
    }

    /// The provider at a URL.
    pub(crate) fn idp_of(&self, url: &str) -> &Idp {
        self.find(url).unwrap_or_else(|| panic!("{url} is at no provider"))
    }

    fn find(&self, url: &str) -> Option<&Idp> {
        self.idps
            .iter()
            .find(|idp| {
                url.strip_prefix(idp.issuer.as_str()).is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
            })
            .map(AsRef::as_ref)
    }

    /// Every URL that the broker requested.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The URLs that were called with credentials, and whether their header was marked as sensitive.
    pub(crate) fn authorized(&self) -> Vec<(String, bool)> {
        self.authorized.lock().unwrap().clone()
    }
}

#[async_trait]
impl HttpClient for Net {
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        policy: &OutboundPolicy,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let url = request.uri().to_string();
        self.asked.lock().unwrap().push(url.clone());
        if let Some(value) = request.headers().get("authorization") {
            self.authorized.lock().unwrap().push((url.clone(), value.is_sensitive()));
        }
        policy.check(&url::Url::parse(&url).unwrap())?;
        if url.starts_with("http://127.0.0.1:") {
            return self.apps.send(request, policy).await;
        }
        if let Some(other) = self.other(&url) {
            return other.send(request, policy).await;
        }
        match self.find(&url) {
            Some(idp) => idp.send(request, policy).await,
            None => Err(OutboundError::Connect(url)),
        }
    }
}
