//! Tokens that a provider binds to a key of the broker's (RFC 9449): proofs at its token endpoint, at userinfo and at APIs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::outbound::{HttpClient, OutboundError, OutboundPolicy};
use serde_json::{Value, json};

use crate::harness::keys::encode;
use crate::harness::services::{Service, gitlab};
use crate::harness::{Authorize, Browser, IDP, Reply, TestApp, Tokens, alice};
use crate::support::provider::Net;

const BOUND: &str = "[providers.staff]\ndpop_bound_access_tokens = true";

/// What the provider is like.
#[derive(Clone, Default)]
struct Ways {
    /// The nonce that it wants in proofs, by path; it gives it when it is missing.
    nonce: Option<&'static str>,
    /// It ignores proofs, and gives bearer tokens.
    ignores: bool,
    /// Another `token_type`.
    token_type: Option<&'static str>,
}

#[derive(Default)]
struct State {
    ways: Ways,
    /// Thumbprints of the keys that tokens are bound to.
    bound: HashMap<String, String>,
    seen: HashSet<String>,
    /// Thumbprints of the proofs at the token endpoint, in order.
    keys: Vec<String>,
    challenges: usize,
}

/// The provider `staff` with DPoP in front of it: it verifies proofs, binds tokens, and passes on the rest.
struct Bound {
    net: Arc<Net>,
    now: Arc<countersign::env::ManualClock>,
    state: Mutex<State>,
}

impl Bound {
    fn at(app: &TestApp, ways: Ways) -> Arc<Self> {
        let state = Mutex::new(State { ways, ..State::default() });
        let bound = Arc::new(Self { net: Arc::clone(&app.net), now: Arc::clone(&app.clock), state });
        app.net.add(&[IDP], Arc::clone(&bound) as Arc<dyn HttpClient>);
        app.idp().edit_discovery(|document| {
            document.insert("dpop_signing_alg_values_supported".to_owned(), json!(["RS256", "ES256"]));
        });
        bound
    }

    fn behaves(&self, change: impl FnOnce(&mut Ways)) {
        change(&mut self.state.lock().unwrap().ways);
    }

    /// The keys of the token requests.
    fn keys(&self) -> Vec<String> {
        self.state.lock().unwrap().keys.clone()
    }

    fn challenges(&self) -> usize {
        self.state.lock().unwrap().challenges
    }

    /// Verifies a proof (RFC 9449 §4.3) and returns the thumbprint of its key and its nonce.
    fn verified(&self, request: &http::Request<Vec<u8>>, token: Option<&str>) -> (String, Option<String>) {
        use countersign::env::Clock as _;
        let values: Vec<&str> = request.headers().get_all("dpop").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(values.len(), 1, "one proof: {values:?}");
        let (signed, signature) = values[0].rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        let (header, claims) = (read(header), read(claims));
        assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
        let jwk = header["jwk"].as_object().unwrap();
        assert!(jwk.keys().all(|name| matches!(name.as_str(), "kty" | "crv" | "x" | "y")), "{jwk:?}");
        let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let point = [vec![4], part("x"), part("y")].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let url = url::Url::parse(&request.uri().to_string()).unwrap();
        let plain = format!("{}{}", url.origin().ascii_serialization(), url.path());
        assert_eq!((&claims["htm"], &claims["htu"]), (&json!(request.method().as_str()), &json!(plain)));
        assert!((self.now.now() - claims["iat"].as_i64().unwrap()).abs() <= 1);
        assert!(
            self.state.lock().unwrap().seen.insert(claims["jti"].as_str().unwrap().to_owned()),
            "a proof is used once"
        );
        let ath = token.map(|token| encode(digest(&SHA256, token.as_bytes()).as_ref()));
        assert_eq!(claims.get("ath").and_then(Value::as_str), ath.as_deref());
        let members: std::collections::BTreeMap<String, Value> = jwk.clone().into_iter().collect();
        let thumbprint = encode(digest(&SHA256, serde_json::to_string(&members).unwrap().as_bytes()).as_ref());
        (thumbprint, claims["nonce"].as_str().map(str::to_owned))
    }

    /// Whether the nonce of a proof is the one that is wanted.
    fn wants(&self, nonce: Option<&str>) -> Option<&'static str> {
        let mut state = self.state.lock().unwrap();
        let wanted = state.ways.nonce.filter(|wanted| nonce != Some(wanted));
        state.challenges += usize::from(wanted.is_some());
        wanted
    }
}

fn challenge(status: u16, nonce: &str, body: &Value) -> Result<http::Response<Vec<u8>>, OutboundError> {
    let response = http::Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("www-authenticate", "DPoP error=\"use_dpop_nonce\"")
        .header("dpop-nonce", nonce);
    Ok(response.body(body.to_string().into_bytes()).unwrap())
}

#[async_trait]
impl HttpClient for Bound {
    async fn send(
        &self,
        mut request: http::Request<Vec<u8>>,
        policy: &OutboundPolicy,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let path = request.uri().path().to_owned();
        let ways = self.state.lock().unwrap().ways.clone();
        let presented = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        match path.as_str() {
            "/token" if !ways.ignores => {
                let (key, nonce) = self.verified(&request, None);
                if let Some(wanted) = self.wants(nonce.as_deref()) {
                    return challenge(400, wanted, &json!({ "error": "use_dpop_nonce" }));
                }
                let form: HashMap<String, String> = url::form_urlencoded::parse(request.body()).into_owned().collect();
                if let Some(refresh) = form.get("refresh_token") {
                    assert_eq!(
                        self.state.lock().unwrap().bound.get(refresh),
                        Some(&key),
                        "bound to the key of the sign-in"
                    );
                }
                self.state.lock().unwrap().keys.push(key.clone());
                let response = self.net.idp_of(IDP).send(request, policy).await?;
                let (parts, body) = response.into_parts();
                let mut body: Value = serde_json::from_slice(&body).unwrap();
                for name in ["access_token", "refresh_token"] {
                    let token = body[name].as_str().map(str::to_owned);
                    self.state.lock().unwrap().bound.extend(token.map(|token| (token, key.clone())));
                }
                if body["access_token"].is_string() {
                    body["token_type"] = ways.token_type.unwrap_or("DPoP").into();
                }
                Ok(http::Response::from_parts(parts, body.to_string().into_bytes()))
            }
            "/userinfo" => {
                let token = presented.unwrap();
                let token = token.strip_prefix("DPoP ").expect("not as a bearer token").to_owned();
                let (key, nonce) = self.verified(&request, Some(&token));
                if let Some(wanted) = self.wants(nonce.as_deref()) {
                    return challenge(401, wanted, &json!({}));
                }
                assert_eq!(self.state.lock().unwrap().bound[&token], key);
                request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
                self.net.idp_of(IDP).send(request, policy).await
            }
            _ => self.net.idp_of(IDP).send(request, policy).await,
        }
    }
}

async fn attempt(app: &TestApp) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), &alice()).await
}

#[tokio::test]
async fn every_sign_in_has_a_key_of_its_own_and_proves_it_at_each_call() {
    let app = TestApp::with(BOUND).await;
    let provider = Bound::at(&app, Ways::default());
    for _ in 0..2 {
        let claims = app.sign_in("app", &alice()).await.1.claims();
        assert_eq!(claims["groups"], json!(["staff", "oncall"]));
    }
    let keys = provider.keys();
    assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
}

#[tokio::test]
async fn a_refresh_uses_the_key_of_the_sign_in_also_after_a_restart_and_when_it_is_switched_off() {
    let lines = |dpop: bool| {
        format!(
            "[providers.staff]\ndpop_bound_access_tokens = {dpop}\nscopes = [\"openid\", \"offline_access\"]\n\
             on_refresh = {{ claims = \"upstream\", max_age = \"0s\", unavailable = \"deny\" }}"
        )
    };
    let app = TestApp::with(&lines(true)).await;
    let provider = Bound::at(&app, Ways::default());
    let request = Authorize::of("app").set("scope", "openid groups offline_access");
    let mut tokens = app.sign_in_with(&mut Browser::new(), &request, &alice()).await;
    for again in [
        app.restarted(crate::harness::BASE, &[&lines(true)]).await,
        app.restarted(crate::harness::BASE, &[&lines(false)]).await,
    ] {
        app.wait(60);
        tokens = Tokens::read(&again.refresh("app", tokens.refresh()).await);
    }
    let keys = provider.keys();
    assert!(keys.len() == 3 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    let stored = app.broker.store.people(None, 1).await.unwrap();
    assert!(stored[0].links[0].refresh_token.as_ref().unwrap().starts_with("dpop-key:"), "kept where it is sealed");
}

#[tokio::test]
async fn a_server_that_wants_a_nonce_gets_it_and_is_asked_only_once_more() {
    let app = TestApp::with(BOUND).await;
    let provider = Bound::at(&app, Ways { nonce: Some("nonce-1"), ..Ways::default() });
    app.sign_in("app", &alice()).await;
    assert_eq!(provider.challenges(), 1, "userinfo is at the same server");
    app.sign_in("app", &alice()).await;
    assert_eq!(provider.challenges(), 1, "the nonce is known");
    provider.behaves(|ways| ways.nonce = Some("nonce-2"));
    app.sign_in("app", &alice()).await;
    assert_eq!(provider.challenges(), 2);
}

#[tokio::test]
async fn d24_a_server_that_wants_another_nonce_at_every_request_is_not_asked_without_end() {
    let wanting = |nonce: &str| {
        let body = json!({ "error": "use_dpop_nonce" }).to_string().into_bytes();
        let response = http::Response::builder().status(400).header("dpop-nonce", nonce.to_owned());
        Ok(response.header("content-type", "application/json").body(body).unwrap())
    };
    let asked = Arc::new(Mutex::new(0_usize));
    let count = Arc::clone(&asked);
    let app = TestApp::with(BOUND).await;
    let _service = Service::at(&app, &format!("{IDP}/token"), move |_| {
        *count.lock().unwrap() += 1;
        wanting("always-another")
    });
    attempt(&app).await.assert_app_error("app", "server_error");
    assert_eq!(*asked.lock().unwrap(), 2);
}

#[tokio::test]
async fn d08_a_provider_that_does_not_bind_what_it_was_to_bind_admits_nobody() {
    for ways in [
        Ways { ignores: true, ..Ways::default() },
        Ways { token_type: Some("Bearer"), ..Ways::default() },
        Ways { token_type: Some(""), ..Ways::default() },
    ] {
        let app = TestApp::with(BOUND).await;
        let _provider = Bound::at(&app, ways);
        attempt(&app).await.assert_error_page(400, "token_invalid");
    }
    // Nor is a bound token taken where none was asked for.
    let app = TestApp::base().await;
    app.idp().edit_token_response(|answer| drop(answer.insert("token_type".to_owned(), "DPoP".into())));
    attempt(&app).await.assert_error_page(400, "token_invalid");
}

#[tokio::test]
async fn a_provider_that_lists_no_algorithm_of_ours_is_told_before_the_browser_leaves() {
    let app = TestApp::with(BOUND).await;
    let _provider = Bound::at(&app, Ways::default());
    app.idp().edit_discovery(|document| {
        document.insert("dpop_signing_alg_values_supported".to_owned(), json!(["EdDSA"]));
    });
    let reply = Browser::new().open(&app, &Authorize::of("app").url(&app)).await;
    reply.assert_error_page(502, "provider_unavailable");
}

#[tokio::test]
async fn an_api_of_the_person_gets_a_proof_and_one_of_the_broker_does_not() {
    const API: &str = "https://gitlab.example/api/v4";
    let app = TestApp::with(&format!("{BOUND}\ngroups_from = {{ source = \"gitlab\", url = \"{API}\" }}")).await;
    let provider = Bound::at(&app, Ways::default());
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let listed = gitlab(&[("corp", 10)]);
    let api = Arc::new(Api { provider: Arc::clone(&provider), seen: Arc::clone(&seen), listed: Box::new(listed) });
    app.net.add(&[API], api);
    let claims = app.sign_in("app", &alice()).await.1.claims();
    assert_eq!(claims["groups"], json!(["corp"]));
    assert_eq!(seen.lock().unwrap().len(), 1);
}

type Listed = Box<dyn Fn(&crate::harness::services::Asked) -> crate::harness::services::Reply + Send + Sync>;

/// An API that takes bound tokens alone.
struct Api {
    provider: Arc<Bound>,
    seen: Arc<Mutex<Vec<String>>>,
    listed: Listed,
}

#[async_trait]
impl HttpClient for Api {
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        _: &OutboundPolicy,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let token = request.headers()["authorization"].to_str().unwrap().to_owned();
        let token = token.strip_prefix("DPoP ").expect("not as a bearer token").to_owned();
        let (key, _) = self.provider.verified(&request, Some(&token));
        assert_eq!(self.provider.state.lock().unwrap().bound[&token], key);
        self.seen.lock().unwrap().push(key);
        let url = url::Url::parse(&request.uri().to_string()).unwrap();
        (self.listed)(&crate::harness::services::Asked {
            method: request.method().to_string(),
            path: "/groups".to_owned(),
            query: url.query_pairs().into_owned().collect(),
            bearer: Some(token),
            body: Vec::new(),
        })
    }
}
