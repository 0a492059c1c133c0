//! Apps and browsers.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::Failure;
use crate::idp::Idp;

/// One user agent with one app, for one sign-in.
pub(crate) struct Agent {
    http: reqwest::Client,
    issuer: String,
    idp: Arc<Idp>,
}

impl Agent {
    pub(crate) fn new(issuer: String, idp: Arc<Idp>) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { http, issuer, idp })
    }

    pub(crate) async fn sign_in(&self, subject: &str) -> Result<Value, Failure> {
        let verifier = URL_SAFE_NO_PAD.encode(digest(&SHA256, subject.as_bytes()).as_ref());
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref());
        let url = url::Url::parse_with_params(
            &format!("{}/oauth2/authorize", self.issuer),
            [
                ("client_id", "app"),
                ("response_type", "code"),
                ("redirect_uri", "http://127.0.0.1/cb"),
                ("scope", "openid profile email groups offline_access"),
                ("state", "s"),
                ("nonce", "n"),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        )?;
        let (away, headers) = self.location(url, "").await?;
        let query: HashMap<String, String> = away.query_pairs().into_owned().collect();
        let text = |name: &str| query.get(name).cloned().unwrap_or_default();
        self.idp.nonces.lock().unwrap_or_else(PoisonError::into_inner).insert(subject.to_owned(), text("nonce"));
        let mut callback = url::Url::parse(&text("redirect_uri"))?;
        callback.query_pairs_mut().append_pair("code", subject).append_pair("state", &text("state"));
        let (back, _) = self.location(callback, &cookies(&headers)).await?;
        let code = back.query_pairs().find(|(name, _)| name == "code").ok_or("no code")?.1.into_owned();
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", "http://127.0.0.1/cb"),
            ("code_verifier", &verifier),
        ])
        .await
    }

    async fn location(&self, url: url::Url, cookies: &str) -> Result<(url::Url, HeaderMap), Failure> {
        let response = self.http.get(url).header("cookie", cookies).send().await?;
        let location = response.headers().get("location").ok_or("no redirect")?.to_str()?;
        Ok((url::Url::parse(location)?, response.headers().clone()))
    }

    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> Result<Value, Failure> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request =
            self.http.post(format!("{}/oauth2/token", self.issuer)).basic_auth("app", Some("not a secret either"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer: Value = serde_json::from_slice(&request.send().await?.bytes().await?)?;
        if answer.get("access_token").is_some() { Ok(answer) } else { Err(answer.to_string().into()) }
    }

    pub(crate) async fn userinfo(&self, token: &str) -> Result<(), Failure> {
        let response = self.http.get(format!("{}/oauth2/userinfo", self.issuer)).bearer_auth(token).send().await?;
        if response.status().is_success() { Ok(()) } else { Err("userinfo refused".into()) }
    }

    pub(crate) async fn discovery(&self) -> Result<usize, Failure> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer);
        Ok(self.http.get(url).send().await?.bytes().await?.len())
    }
}

fn cookies(headers: &HeaderMap) -> String {
    let pairs = headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()?.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}
