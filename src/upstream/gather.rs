//! From tokens to claims: the ID token's checks, and what userinfo and the access token add.
//!
//! Which document may state which claim is decided here; `decision` decides what the claims mean to the broker. The order
//! matters: nothing is asked of the provider before the ID token is verified, and nothing of a later document is kept unless
//! its subject is the ID token's.

use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Map, Value};
use url::Url;

use crate::config::language::groups_from::GroupSource;
use crate::config::language::provider::ClaimsSource;
use crate::config::language::scalar::SecretValue;
use crate::jose::{Check, Claims, Jws, Problem, half_hash};
use crate::outbound::Identity;
use crate::protocol::{Algorithm, is_absent};
use crate::upstream::client_auth::presented;
use crate::upstream::context::ProviderContext;
use crate::upstream::dpop::is_asked_for_nonce;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::provider::Signed;
use crate::upstream::request::{request, shown, unusable};
use crate::upstream::token::Tokens;

impl ProviderContext<'_> {
    /// Verifies an ID token (OIDC Core §3.1.3.7) and returns its claims. Without `nonce` none is asked for: a refreshed
    /// ID token need not have one (OIDC Core §12.2).
    pub(crate) async fn id_token(
        &self,
        token: &SecretValue,
        nonce: Option<&str>,
        access_token: &SecretValue,
    ) -> Result<Map<String, Value>, UpstreamError> {
        let document = Document::IdToken;
        let invalid = |check| UpstreamError::invalid(document, check);
        let jws = Jws::parse(token.expose()).map_err(invalid)?;
        let configured = self.settings.id_token_alg.as_slice();
        let algorithms = if configured.is_empty() { self.metadata.id_token_algs.as_slice() } else { configured };
        let claims = Claims(&jws.claims);
        // First of all: a token that names another issuer is not looked up among the keys of this one.
        self.issued(claims).map_err(invalid)?;
        self.verify(document, &jws, algorithms, true).await?;
        if !jws.is_plain_jwt() {
            return Err(invalid(Check::Form("its typ is not that of an ID token")));
        }
        self.check_id_token(claims, nonce).map_err(invalid)?;
        if claims.text("at_hash").map_err(invalid)?.is_some() {
            claims.equals("at_hash", &half_hash(jws.algorithm, access_token.expose())).map_err(invalid)?;
        }
        Ok(jws.claims)
    }

    fn check_id_token(&self, claims: Claims<'_>, nonce: Option<&str>) -> Result<(), Check> {
        let audiences = claims.audience(&self.settings.client_id)?;
        claims.authorized_party(&self.settings.client_id, audiences)?;
        claims.not_expired(self.now)?;
        claims.has_come("iat", self.now)?.ok_or(Check::Claim("iat", Problem::Missing))?;
        claims.has_come("nbf", self.now)?;
        let omitted = self.settings.quirks.without_nonce && claims.text("nonce")?.is_none();
        if let Some(nonce) = nonce.filter(|_| !omitted) {
            claims.equals("nonce", nonce)?;
        }
        claims.subject()?;
        claims.has_come("auth_time", self.now)?;
        Ok(())
    }

    /// Whether a token names the provider as its issuer: character for character, or as one of its tenants.
    pub(crate) fn issued(&self, claims: Claims<'_>) -> Result<(), Check> {
        let iss = claims.text("iss")?.ok_or(Check::Claim("iss", Problem::Missing))?;
        let tid = if self.settings.source.tenants.is_some() { claims.text("tid")? } else { None };
        let of_it = self.settings.source.issued(&self.metadata.issuer, iss, tid);
        if of_it { Ok(()) } else { Err(Check::Claim("iss", Problem::Differs)) }
    }

    /// The subject under which the account of an ID token is kept.
    pub(crate) fn account(&self, id_token: &Map<String, Value>) -> Result<String, Check> {
        self.settings.quirks.subject(id_token).map_err(|missing| match missing {
            "oid" => Check::Claim("oid", Problem::Missing),
            "tid" => Check::Claim("tid", Problem::Missing),
            _ => Check::Form("a claim that its provider's subject_claims name is missing, empty or not a text"),
        })
    }

    /// Verifies a signature under an allow list of algorithms.
    pub(crate) async fn verify(
        &self,
        document: Document,
        jws: &Jws<'_>,
        algorithms: &[Algorithm],
        refetch: bool,
    ) -> Result<(), UpstreamError> {
        let signed = Signed { document, jws, algorithms, refetch };
        self.upstream.verify(&signed, self.settings, self.metadata, self.now).await
    }

    /// The claims of all documents that `claims_from` names, in its order. Protocol claims are the ID token's.
    pub(crate) async fn gather(
        &self,
        tokens: &Tokens,
        id_token: Map<String, Value>,
        subject: &str,
    ) -> Result<Map<String, Value>, UpstreamError> {
        let mut gathered = Map::with_capacity(id_token.len());
        let mut personal = Vec::with_capacity(id_token.len());
        for (name, value) in id_token {
            if PROTOCOL.contains(&name.as_str()) {
                gathered.insert(name, value);
            } else {
                personal.push((name, value));
            }
        }
        if self.settings.groups_from.source == GroupSource::Userinfo {
            personal.retain(|(name, _)| name != "groups");
            if self.metadata.userinfo_endpoint.is_none() {
                let problem =
                    UnavailableProblem::Malformed("the provider has no userinfo, which groups are to come from");
                return Err(Unavailable { document: Document::Groups, url: None, problem }.into());
            }
        }
        for source in &self.settings.claims_from {
            match source {
                ClaimsSource::IdToken => add(&mut gathered, personal.drain(..)),
                ClaimsSource::Userinfo => {
                    let more = self.userinfo(&tokens.access_token, subject).await?;
                    add(&mut gathered, more.into_iter().flatten());
                }
                ClaimsSource::AccessToken => {
                    let more = self.access_token(&tokens.access_token, subject).await;
                    add(&mut gathered, more.into_iter().flatten());
                }
            }
        }
        self.groups(&mut gathered, &tokens.access_token, subject).await?;
        Ok(gathered)
    }

    /// The userinfo response (OIDC Core §5.3), plain or signed; `None` when the provider has no such endpoint.
    pub(crate) async fn userinfo(
        &self,
        access_token: &SecretValue,
        subject: &str,
    ) -> Result<Option<Map<String, Value>>, UpstreamError> {
        let document = Document::Userinfo;
        self.metadata.check_userinfo()?;
        let Some(endpoint) = &self.metadata.userinfo_endpoint else { return Ok(None) };
        // A token may be bound to the certificate that the broker authenticates with (RFC 8705 §3).
        let identity = presented(self.settings, self.metadata);
        let mut response = self.ask_userinfo(endpoint, access_token, identity).await?;
        if self.key.is_some() && is_asked_for_nonce(&response) {
            response = self.ask_userinfo(endpoint, access_token, identity).await?;
        }
        if response.status() != 200 {
            let problem = UnavailableProblem::Status(response.status().as_u16());
            return Err(UpstreamError::Unavailable(Unavailable { document, url: Some(shown(endpoint)), problem }));
        }
        let invalid = |check| UpstreamError::invalid(document, check);
        let read = match media_type(&response).as_str() {
            "application/json" | "" => {
                serde_json::from_slice(response.body()).map_err(|_| invalid(Check::Form("it is not a JSON object")))?
            }
            "application/jwt" => self.signed_userinfo(response.body()).await?,
            _ => return Err(invalid(Check::Form("its Content-Type is neither JSON nor a JWT"))),
        };
        // OIDC Core §5.3.2: compared before anything of it is used.
        Claims(&read).equals("sub", subject).map_err(invalid)?;
        Ok(Some(read))
    }

    async fn ask_userinfo(
        &self,
        endpoint: &Url,
        access_token: &SecretValue,
        identity: Option<&Arc<Identity>>,
    ) -> Result<http::Response<Vec<u8>>, UpstreamError> {
        let document = Document::Userinfo;
        let mut call = request(http::Method::GET, endpoint)
            .header(ACCEPT, "application/json, application/jwt")
            .body(Vec::new())
            .map_err(|_| unusable(document))?;
        self.present(&mut call, endpoint, access_token).ok_or_else(|| {
            UpstreamError::invalid(Document::TokenResponse, Check::Claim("access_token", Problem::Type))
        })?;
        let response = self.upstream.send_as(document, call, identity, self.now).await?;
        if self.key.is_some() {
            self.upstream.nonces.note(endpoint, response.headers());
        }
        Ok(response)
    }

    /// Signed userinfo: `iss` and `aud`, which it should have, must be right where they are there (OIDC Core §5.3.2).
    async fn signed_userinfo(&self, body: &[u8]) -> Result<Map<String, Value>, UpstreamError> {
        let document = Document::Userinfo;
        let invalid = |check| UpstreamError::invalid(document, check);
        let token = std::str::from_utf8(body).map_err(|_| invalid(Check::Form("it is not a signed JWT")))?;
        let jws = Jws::parse(token.trim()).map_err(invalid)?;
        self.verify(document, &jws, &self.metadata.userinfo_algs, true).await?;
        if !jws.is_plain_jwt() {
            return Err(invalid(Check::Form("its typ is not that of userinfo")));
        }
        let claims = Claims(&jws.claims);
        if claims.text("iss").map_err(invalid)?.is_some() {
            self.issued(claims).map_err(invalid)?;
        }
        if jws.claims.get("aud").is_some_and(|aud| !aud.is_null()) {
            claims.audience(&self.settings.client_id).map_err(invalid)?;
        }
        if claims.time("exp").map_err(invalid)?.is_some() {
            claims.not_expired(self.now).map_err(invalid)?;
        }
        Ok(jws.claims)
    }

    /// The access token's claims, where it verifies as the issuer's JWT; an opaque one says nothing, and is no error.
    ///
    /// `aud` is not compared: it names APIs, not the broker (Keycloak: `account`). What ties the token to this sign-in is
    /// that it came from the token endpoint for the broker's code, that its `azp` or `client_id` names the broker where
    /// it is there, and that its subject is the ID token's. It never has the key set refetched: the ID token did that.
    async fn access_token(&self, token: &SecretValue, subject: &str) -> Option<Map<String, Value>> {
        let document = Document::AccessToken;
        let jws = Jws::parse(token.expose()).ok()?;
        if !matches!(jws.typ.as_deref(), None | Some("jwt" | "at+jwt")) {
            return None;
        }
        let checked = self.check_access_token(Claims(&jws.claims), subject);
        if let Err(check) = checked {
            tracing::debug!(provider = %self.settings.id, %check, "the access token's claims are not used");
            return None;
        }
        if let Err(error) = self.verify(document, &jws, &self.metadata.id_token_algs, false).await {
            tracing::debug!(provider = %self.settings.id, %error, "the access token's claims are not used");
            return None;
        }
        Some(jws.claims)
    }

    fn check_access_token(&self, claims: Claims<'_>, subject: &str) -> Result<(), Check> {
        self.issued(claims)?;
        claims.equals("sub", subject)?;
        claims.not_expired(self.now)?;
        claims.has_come("nbf", self.now)?;
        claims.has_come("iat", self.now)?;
        for name in ["azp", "client_id"] {
            if claims.text(name)?.is_some() {
                claims.equals(name, &self.settings.client_id)?;
            }
        }
        Ok(())
    }
}

fn media_type(response: &http::Response<Vec<u8>>) -> String {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Claims that say what a token is, rather than who the user is. They come from the ID token alone.
pub(crate) const PROTOCOL: [&str; 17] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "azp",
    "auth_time",
    "acr",
    "amr",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "cnf",
];

/// Adds the claims of a document that are not known yet. It replaces nothing but claims without a value, and adds no protocol
/// claims.
fn add(known: &mut Map<String, Value>, more: impl Iterator<Item = (String, Value)>) {
    for (name, value) in more {
        if PROTOCOL.contains(&name.as_str()) {
            continue;
        }
        match known.get_mut(&name) {
            Some(known) if is_absent(known) => *known = value,
            Some(_) => {}
            None => drop(known.insert(name, value)),
        }
    }
}
