//! Tokens: what is put into them. Signing is `keys`'.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::Cx;
use super::error::{Code, OAuthError};
use crate::config::lifetimes::SigningAlgorithm;
use crate::core::app::Release;
use crate::snapshot::client::Client;
use crate::store::model::Grant;

/// `typ` of access tokens (RFC 9068 §2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// `typ` of ID tokens.
pub const ID_TOKEN_TYPE: &str = "JWT";

/// An access token with its lifetime.
pub struct AccessToken {
    /// The JWT.
    pub token: String,
    /// Seconds until it expires.
    pub expires_in: i64,
}

/// Seconds that an access token for these resources lives: the shortest that one of them asks for, or the client's.
#[must_use]
pub fn access_token_lifetime(cx: &Cx<'_>, client: &Client, resources: &[String]) -> i64 {
    let shortest = resources.iter().filter_map(|uri| cx.snapshot.resource(uri)?.access_token);
    shortest.min().unwrap_or(client.tokens.access_token).seconds()
}

/// Signs an access token (RFC 9068 §2.2). Its `jti` begins with the grant's id, by which userinfo, introspection and
/// revocation find it.
///
/// # Errors
/// `server_error` when it can't be signed.
pub fn access_token(
    cx: &Cx<'_>,
    client: &Client,
    grant: &Grant,
    subject: &str,
    scopes: &[String],
    resources: &[String],
    extra: &Map<String, Value>,
) -> Result<AccessToken, OAuthError> {
    let lifetime = access_token_lifetime(cx, client, resources);
    let audience = match resources {
        [] => Value::from(client.client_id.as_str()),
        [one] => Value::from(one.as_str()),
        many => Value::from(many.to_vec()),
    };
    let mut claims = extra.clone();
    let protocol = json!({
        "iss": cx.snapshot.issuer.text,
        "sub": subject,
        "aud": audience,
        "client_id": client.client_id,
        "iat": cx.now,
        "exp": cx.now + lifetime,
        "jti": format!("{}.{}", grant.id, cx.random().id()?),
        "scope": scopes.join(" "),
    });
    merge(&mut claims, protocol);
    authentication(&mut claims, grant);
    let token = sign(cx, SigningAlgorithm::RS256, ACCESS_TOKEN_TYPE, &claims)?;
    Ok(AccessToken { token, expires_in: lifetime })
}

/// What an ID token is issued with, and vouches for by a hash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// The access token: `at_hash`.
    pub access_token: Option<&'a str>,
    /// The code: `c_hash`.
    pub code: Option<&'a str>,
}

/// Signs an ID token (OIDC Core §2, §3.1.3.6, §3.2.2.10, §3.3.2.11).
///
/// # Errors
/// `server_error` when it can't be signed.
pub fn id_token(
    cx: &Cx<'_>,
    client: &Client,
    grant: &Grant,
    subject: &str,
    release: &Release,
    beside: Beside<'_>,
) -> Result<String, OAuthError> {
    let mut claims = release.id_token.clone();
    let protocol = json!({
        "iss": cx.snapshot.issuer.text,
        "sub": subject,
        "aud": client.client_id,
        "iat": cx.now,
        "exp": cx.now + client.tokens.id_token.seconds(),
    });
    merge(&mut claims, protocol);
    for (name, value) in [("at_hash", beside.access_token), ("c_hash", beside.code)] {
        if let Some(value) = value {
            claims.insert(name.to_owned(), half_hash(client.id_token_alg, value).into());
        }
    }
    for (name, value) in [("nonce", &grant.nonce), ("sid", &grant.sid)] {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value.as_str().into());
        }
    }
    authentication(&mut claims, grant);
    sign(cx, client.id_token_alg, ID_TOKEN_TYPE, &claims)
}

/// `auth_time`, `acr` and `amr`, as the provider said; what it did not say is not made up.
fn authentication(claims: &mut Map<String, Value>, grant: &Grant) {
    if let Some(auth_time) = grant.auth_time {
        claims.insert("auth_time".to_owned(), auth_time.into());
    }
    if let Some(acr) = &grant.acr {
        claims.insert("acr".to_owned(), acr.as_str().into());
    }
    if !grant.amr.is_empty() {
        claims.insert("amr".to_owned(), grant.amr.clone().into());
    }
}

fn merge(claims: &mut Map<String, Value>, protocol: Value) {
    if let Value::Object(protocol) = protocol {
        claims.extend(protocol);
    }
}

fn sign(cx: &Cx<'_>, alg: SigningAlgorithm, typ: &str, claims: &Map<String, Value>) -> Result<String, OAuthError> {
    cx.services.keys.set().sign(alg, typ, claims).map_err(|error| {
        tracing::error!(%error, "signing failed");
        OAuthError::new(Code::ServerError, "the token can't be signed")
    })
}

/// The left half of the hash that the algorithm uses (OIDC Core §3.1.3.6, §3.3.2.11).
fn half_hash(alg: SigningAlgorithm, token: &str) -> String {
    use aws_lc_rs::digest;
    let algorithm = match alg {
        SigningAlgorithm::RS256 | SigningAlgorithm::PS256 | SigningAlgorithm::ES256 => &digest::SHA256,
        SigningAlgorithm::ES384 => &digest::SHA384,
        SigningAlgorithm::EdDSA => &digest::SHA512,
    };
    let hash = digest::digest(algorithm, token.as_bytes());
    let half = hash.as_ref().len() / 2;
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..half).unwrap_or_default())
}
