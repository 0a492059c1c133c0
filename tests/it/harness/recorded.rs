//! A provider that answers as one of the documents in `tests/fixtures/idps/` does: its discovery document, the claims of its
//! tokens, userinfo and the calls to its API, at its own addresses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use countersign::outbound::{HttpClient, OutboundError, OutboundPolicy};
use serde_json::{Value, json};

use super::{Browser, Reply, Signing, TestApp, keys};

/// Where the browser goes, and what it comes back with.
struct Left {
    params: HashMap<String, String>,
}

/// A recorded provider.
pub(crate) struct Recorded {
    document: Value,
    now: i64,
    left: Mutex<Option<Left>>,
    asked: Mutex<Vec<String>>,
}

impl Recorded {
    /// Puts a provider with this document where the document says.
    pub(crate) fn at(app: &TestApp, document: &Value) -> Arc<Self> {
        let own = Self { document: document.clone(), now: app.now(), left: Mutex::default(), asked: Mutex::default() };
        let recorded = Arc::new(own);
        let addresses = recorded.addresses();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        app.net.add(&addresses, Arc::clone(&recorded) as Arc<dyn HttpClient>);
        recorded
    }

    /// The origins of everything that is answered.
    fn addresses(&self) -> Vec<String> {
        let named = ["discovery_url", "token_url"].map(|name| self.document[name].clone());
        let endpoints = ["token_endpoint", "userinfo_endpoint", "jwks_uri"];
        let endpoints = endpoints.map(|name| self.document["discovery"][name].clone());
        let apis = self.document["apis"].as_object().into_iter().flatten();
        let apis = apis.map(|(call, _)| Value::from(call.split_once(' ').unwrap().1));
        let urls = named.into_iter().chain(endpoints).chain(apis);
        let origins =
            urls.filter_map(|url| Some(url::Url::parse(url.as_str()?).unwrap().origin().ascii_serialization()));
        origins.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// The calls that were made, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The person signs in, and the browser comes back as the provider sends it: in a redirect, or with a form.
    pub(crate) async fn sign_in(&self, app: &TestApp, browser: &mut Browser, leaving: &Reply) -> Reply {
        let url = url::Url::parse(&leaving.location()).unwrap();
        let endpoint = &self.document["discovery"]["authorization_endpoint"];
        let endpoint = endpoint.as_str().or(self.document["authorization_endpoint"].as_str()).unwrap();
        assert!(url.as_str().starts_with(&format!("{endpoint}?")), "{url}");
        let params: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let (back, state) = (params["redirect_uri"].clone(), params["state"].clone());
        let form = params.get("response_mode").is_some_and(|mode| mode == "form_post");
        *self.left.lock().unwrap() = Some(Left { params });
        let mut answer = vec![("code".to_owned(), "recorded-code".to_owned()), ("state".to_owned(), state)];
        if self.document["discovery"]["authorization_response_iss_parameter_supported"] == true {
            answer.push(("iss".to_owned(), self.document["discovery"]["issuer"].as_str().unwrap().to_owned()));
        }
        for (name, value) in self.document["callback"].as_object().into_iter().flatten() {
            answer.push((name.clone(), value.as_str().unwrap().to_owned()));
        }
        let answer: Vec<(&str, &str)> = answer.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if form {
            return browser.post_cross_site(app, &back, &answer).await;
        }
        let back = url::Url::parse_with_params(&back, &answer).unwrap();
        browser.open(app, back.as_str()).await
    }

    /// Signs the claims of a token, with the times of now in place of those of the recording.
    fn signed(&self, token: &Value, nonce: Option<&String>) -> String {
        let mut claims = token.clone();
        let object = claims.as_object_mut().unwrap();
        object.retain(|_, value| !value.is_null());
        object.extend(json!({ "iat": self.now, "nbf": self.now, "exp": self.now + 3600 }).as_object().unwrap().clone());
        if let Some(nonce) = nonce {
            object.insert("nonce".to_owned(), nonce.as_str().into());
        }
        keys::sign(Signing::Rs256, &keys::header(Signing::Rs256), &claims)
    }

    fn tokens(&self, form: &HashMap<String, String>) -> (u16, Value) {
        let left = self.left.lock().unwrap();
        let params = &left.as_ref().unwrap().params;
        if form.get("code").map(String::as_str) != Some("recorded-code")
            || form["redirect_uri"] != params["redirect_uri"]
        {
            return (400, json!({ "error": "invalid_grant" }));
        }
        let mut answer = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": "recorded-access-token" });
        if self.document["access_token"].is_object() {
            answer["access_token"] = self.signed(&self.document["access_token"], None).into();
        }
        if self.document["id_token"].is_object() {
            let without = self.document["id_token_without_nonce"] == true;
            answer["id_token"] =
                self.signed(&self.document["id_token"], params.get("nonce").filter(|_| !without)).into();
        }
        if let Some(recorded) = self.document["token_response"].as_object() {
            answer = recorded.clone().into();
        }
        (200, answer)
    }
}

#[async_trait]
impl HttpClient for Recorded {
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        policy: &OutboundPolicy,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let url = request.uri().to_string();
        policy.check(&url::Url::parse(&url).unwrap())?;
        let call = format!("{} {url}", request.method());
        self.asked.lock().unwrap().push(call.clone());
        tokio::task::yield_now().await;
        let is = |value: &Value| value == url.as_str();
        let discovery = &self.document["discovery"];
        let form = || url::form_urlencoded::parse(request.body()).into_owned().collect();
        let mut response = http::Response::builder().header("content-type", "application/json");
        let (status, body) = if is(&self.document["discovery_url"]) {
            (200, discovery.clone())
        } else if is(&discovery["jwks_uri"]) {
            (200, json!({ "keys": keys::jwks(false) }))
        } else if is(&discovery["token_endpoint"]) || is(&self.document["token_url"]) {
            self.tokens(&form())
        } else if is(&discovery["userinfo_endpoint"]) {
            match &self.document["userinfo"] {
                Value::Null => (401, json!({ "error": "invalid_token" })),
                recorded => (200, recorded.clone()),
            }
        } else {
            let recorded = &self.document["apis"][&call];
            assert!(recorded.is_object(), "{call} is not recorded");
            for (name, value) in recorded["headers"].as_object().into_iter().flatten() {
                response = response.header(name, value.as_str().unwrap());
            }
            let status = recorded["status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap());
            (status, recorded["body"].clone())
        };
        Ok(response.status(status).body(body.to_string().into_bytes()).unwrap())
    }
}
