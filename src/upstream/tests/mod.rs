//! This module against a scripted provider, which does everything that a healthy one never does.

#![expect(clippy::unwrap_used, reason = "tests")]

mod discovery;
mod leaving;
mod probing;
mod probing_groups;
mod refreshing;
mod settings;
mod tokens;
mod userinfo;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::language::scalar::SecretValue;
use crate::env::ManualClock;
use crate::jose::{Check, Problem};
use crate::support::provider::{Answer, Idp};
use crate::support::signer::{TestKey, encode, hmac};
use crate::upstream::error::{Document, UpstreamError};
use crate::upstream::{
    BeginParams, CallbackParams, Expected, ProviderSettings, RelyingParty, ResolvedSecrets, UpstreamIdentity,
};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://idp.example";
const NONCE: &str = "nonce-1";
const ACCESS_TOKEN: &str = "opaque-access-token";
const VERIFIER: &str = "verifier-verifier-verifier-verifier-verifier";

/// A provider `corp` of the file, with a secret.
fn provider(extra: &str) -> ProviderSettings {
    provider_at("corp", ISSUER, extra)
}

fn provider_at(id: &str, issuer: &str, extra: &str) -> ProviderSettings {
    let text = format!("issuer = \"{issuer}\"\nclient_id = \"broker\"\n{extra}");
    let provider = toml::from_str(&text).unwrap();
    let secrets =
        ResolvedSecrets { client_secret: vec![SecretValue::new("s3cret".to_owned())], ..ResolvedSecrets::default() };
    ProviderSettings::new(id, &provider, secrets, "https://sso.example").unwrap()
}

fn randomness() -> Arc<dyn crate::env::Random> {
    Arc::new(crate::env::SystemRandomness::default())
}

/// The module under test, with one provider.
struct World {
    idp: Arc<Idp>,
    rp: RelyingParty,
    settings: ProviderSettings,
}

impl World {
    fn new(extra: &str) -> Self {
        let idp = scripted(ISSUER);
        let rp = RelyingParty::new(Arc::clone(&idp) as Arc<dyn crate::outbound::HttpClient>, randomness());
        Self { idp, rp, settings: provider(extra) }
    }

    /// Without userinfo, where it does not matter.
    fn id_token_only() -> Self {
        Self::new("claims_from = [\"id_token\"]")
    }

    async fn finish(&self, now: i64) -> Result<UpstreamIdentity, UpstreamError> {
        self.finish_with(&CallbackParams { code: Some("code-1"), ..CallbackParams::default() }, None, now).await
    }

    async fn finish_with(
        &self,
        callback: &CallbackParams<'_>,
        authenticated_after: Option<i64>,
        now: i64,
    ) -> Result<UpstreamIdentity, UpstreamError> {
        let verifier = SecretValue::new(VERIFIER.to_owned());
        let redirect_uri = &self.settings.redirect_uri;
        let expected = Expected { nonce: NONCE, code_verifier: &verifier, redirect_uri, authenticated_after };
        self.rp.finish(&self.settings, callback, &expected, now).await
    }

    /// Hands out an ID token with these claims, made by `key`.
    fn id_token(&self, key: &TestKey, change: impl FnOnce(&mut Value, &mut Value)) {
        let (mut header, mut claims) = (key.header(), claims());
        change(&mut header, &mut claims);
        self.tokens(&key.sign(&header, &claims));
    }

    /// Changes the discovery document.
    fn discovery(&self, change: impl FnOnce(&mut Value)) {
        let mut document = discovery(ISSUER);
        change(&mut document);
        self.idp.json("/.well-known/openid-configuration", document);
    }

    fn tokens(&self, id_token: &str) {
        self.idp.json("/token", token_response(id_token));
    }
}

/// A provider whose discovery document is good and which has one RSA key. What its token endpoint answers is up to the test.
fn scripted(issuer: &str) -> Arc<Idp> {
    let idp = Idp::new(issuer, ManualClock::at(NOW));
    idp.json("/.well-known/openid-configuration", discovery(issuer));
    idp.keys(&[&TestKey::rsa()]);
    idp.json("/userinfo", json!({ "sub": "alice", "email": "alice@idp.example" }));
    Arc::new(idp)
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
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "ES384", "EdDSA", "Ed25519", "none", "HS256"],
        "op_policy_uri": ""
    })
}

fn token_response(id_token: &str) -> Value {
    json!({
        "access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 300, "refresh_token": "refresh-1",
        "id_token": id_token
    })
}

/// The claims of a good ID token.
fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "alice", "aud": "broker", "exp": NOW + 300, "iat": NOW, "nonce": NONCE,
        "auth_time": NOW - 5, "acr": "gold", "amr": ["pwd", "otp"], "sid": "s-1", "groups": ["sre"]
    })
}

fn set(value: &mut Value, name: &str, to: Value) {
    value.as_object_mut().unwrap().insert(name.to_owned(), to);
}

fn unset(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name);
}

fn params<'a>(verifier: &'a SecretValue, redirect_uri: &'a str) -> BeginParams<'a> {
    BeginParams {
        another_account: false,
        state: "state-1",
        nonce: NONCE,
        code_verifier: verifier,
        redirect_uri,
        prompt: &[],
        max_age: None,
        login_hint: None,
        ui_locales: None,
        acr_values: None,
    }
}

fn refused<T>(outcome: Result<T, UpstreamError>) -> (Document, Check) {
    match outcome.map(|_| ()).unwrap_err() {
        UpstreamError::TokenInvalid { document, check } => (document, check),
        other => unreachable!("refused for another reason: {other}"),
    }
}

fn claim(name: &'static str, problem: Problem) -> (Document, Check) {
    (Document::IdToken, Check::Claim(name, problem))
}
