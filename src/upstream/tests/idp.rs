//! The scripted provider and its keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::outbound::{HttpClient, OutboundError, OutboundPolicy};

/// What a path answers.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Status, content type, body.
    Body(u16, &'static str, Vec<u8>),
    Fails(OutboundError),
    /// Never.
    Hangs,
}

/// A call as it came.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) url: String,
    pub(crate) authorization: Option<String>,
    pub(crate) form: HashMap<String, String>,
}

/// A provider whose every answer is scripted, by path, or by whole URL where two hosts matter.
#[derive(Default)]
pub(crate) struct FakeIdp {
    answers: Mutex<HashMap<String, Answer>>,
    calls: Mutex<Vec<Call>>,
}

impl FakeIdp {
    /// A provider that discovers well and has one RSA key.
    pub(crate) fn new(issuer: &str) -> Arc<Self> {
        let idp = Self::default();
        idp.json("/.well-known/openid-configuration", discovery(issuer));
        idp.keys(&[&TestKey::rsa()]);
        idp.json("/userinfo", json!({ "sub": "alice", "email": "alice@idp.example" }));
        Arc::new(idp)
    }

    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub(crate) fn json(&self, path: &str, body: Value) {
        self.answer(path, Answer::Body(200, "application/json", body.to_string().into_bytes()));
    }

    pub(crate) fn status(&self, path: &str, status: u16, body: Value) {
        self.answer(path, Answer::Body(status, "application/json", body.to_string().into_bytes()));
    }

    pub(crate) fn discovery(&self, change: impl FnOnce(&mut Value)) {
        let mut document = discovery(crate::upstream::tests::ISSUER);
        change(&mut document);
        self.json("/.well-known/openid-configuration", document);
    }

    pub(crate) fn keys(&self, keys: &[&TestKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.json("/jwks", json!({ "keys": keys }));
    }

    pub(crate) fn calls(&self, path: &str) -> Vec<Call> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| url::Url::parse(&call.url).unwrap().path() == path).cloned().collect()
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.calls(path).len()
    }
}

fn discovery(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/jwks"),
        "end_session_endpoint": format!("{issuer}/logout"),
        "introspection_endpoint": format!("{issuer}/introspect"),
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "ES384", "EdDSA", "none", "HS256"],
        "op_policy_uri": ""
    })
}

#[async_trait]
impl HttpClient for FakeIdp {
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        policy: &OutboundPolicy,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let url = url::Url::parse(&request.uri().to_string()).unwrap();
        policy.check(&url)?;
        let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let form = url::form_urlencoded::parse(request.body()).into_owned().collect();
        self.calls.lock().unwrap().push(Call { url: url.to_string(), authorization, form });
        let answer = {
            let answers = self.answers.lock().unwrap();
            answers.get(url.as_str()).or_else(|| answers.get(url.path())).cloned()
        };
        // An answer never comes at once: callers that wait for the same document get to wait.
        tokio::task::yield_now().await;
        match answer {
            None => Ok(http::Response::builder().status(404).body(Vec::new()).unwrap()),
            Some(Answer::Hangs) => std::future::pending().await,
            Some(Answer::Fails(error)) => Err(error),
            Some(Answer::Body(status, kind, body)) => {
                Ok(http::Response::builder().status(status).header("content-type", kind).body(body).unwrap())
            }
        }
    }
}

enum Private {
    Rsa(&'static RsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    Weak(Vec<u8>),
}

/// A signing key with its `kid` and `alg`.
pub(crate) struct TestKey {
    pub(crate) kid: Option<&'static str>,
    pub(crate) alg: &'static str,
    private: Private,
}

fn rsa_key(index: usize) -> &'static RsaKeyPair {
    static KEYS: [OnceLock<RsaKeyPair>; 2] = [OnceLock::new(), OnceLock::new()];
    KEYS.get(index).unwrap().get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

impl TestKey {
    /// The provider's key of most tests.
    pub(crate) fn rsa() -> Self {
        Self { kid: Some("rsa-1"), alg: "RS256", private: Private::Rsa(rsa_key(0)) }
    }

    /// Another RSA key.
    pub(crate) fn other_rsa(kid: &'static str) -> Self {
        Self { kid: Some(kid), alg: "RS256", private: Private::Rsa(rsa_key(1)) }
    }

    pub(crate) fn ec256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: Some("ec-1"), alg: "ES256", private: Private::Ec(pair, "P-256") }
    }

    pub(crate) fn ec384() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        Self { kid: Some("ec-2"), alg: "ES384", private: Private::Ec(pair, "P-384") }
    }

    pub(crate) fn ec521() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap();
        Self { kid: Some("ec-3"), alg: "ES512", private: Private::Ec(pair, "P-521") }
    }

    pub(crate) fn ed25519() -> Self {
        Self { kid: Some("ed-1"), alg: "EdDSA", private: Private::Ed(Ed25519KeyPair::generate().unwrap()) }
    }

    /// An RSA key that is too short to be taken.
    pub(crate) fn weak() -> Self {
        Self { kid: Some("weak"), alg: "RS256", private: Private::Weak(vec![0xc5; 128]) }
    }

    pub(crate) fn named(mut self, kid: Option<&'static str>) -> Self {
        self.kid = kid;
        self
    }

    pub(crate) fn with_alg(mut self, alg: &'static str) -> Self {
        self.alg = alg;
        self
    }

    pub(crate) fn header(&self) -> Value {
        match self.kid {
            Some(kid) => json!({ "alg": self.alg, "kid": kid }),
            None => json!({ "alg": self.alg }),
        }
    }

    /// The public key.
    pub(crate) fn jwk(&self) -> Value {
        let mut key = match &self.private {
            Private::Rsa(pair) => {
                let (n, e) = rsa_numbers(pair.public_key().as_ref());
                json!({ "kty": "RSA", "n": encode(n), "e": encode(e) })
            }
            Private::Ec(pair, curve) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point.split_at(1).1.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Private::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) }),
            Private::Weak(n) => json!({ "kty": "RSA", "n": encode(n), "e": "AQAB" }),
        };
        if let Some(kid) = self.kid {
            crate::upstream::tests::set(&mut key, "kid", json!(kid));
        }
        crate::upstream::tests::set(&mut key, "use", json!("sig"));
        key
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let random = SystemRandom::new();
        let signature = match &self.private {
            Private::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match self.alg {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    _ => &RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            Private::Ec(pair, _) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Private::Ed(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
            Private::Weak(_) => vec![0; 128],
        };
        format!("{signed}.{}", encode(&signature))
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Modulus and exponent of a DER RSAPublicKey: a sequence of two integers (RFC 8017 §A.1.1).
fn rsa_numbers(der: &[u8]) -> (&[u8], &[u8]) {
    let (_, sequence) = integer_or_sequence(der);
    let (rest, n) = integer_or_sequence(sequence);
    let (_, e) = integer_or_sequence(rest);
    (n, e)
}

/// What follows the element, and its contents.
fn integer_or_sequence(der: &[u8]) -> (&[u8], &[u8]) {
    let (header, rest) = der.split_at(2);
    let short = usize::from(*header.last().unwrap());
    let (length, rest) = if short < 0x80 {
        (short, rest)
    } else {
        let (digits, rest) = rest.split_at(short - 0x80);
        (digits.iter().fold(0, |length, digit| length * 256 + usize::from(*digit)), rest)
    };
    let (contents, rest) = rest.split_at(length);
    (rest, contents)
}
