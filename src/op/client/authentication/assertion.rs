//! Clients that authenticate by a signed assertion: `private_key_jwt` and `client_secret_jwt` (RFC 7523 §2.2 and §3, OIDC
//! Core §9).

use crate::jose::{Check, Claims, Jws, Problem};
use crate::op::RequestContext;
use crate::op::client::authentication::credentials::Assertion;
use crate::op::client::authentication::error::Unauthenticated;
use crate::op::client::authentication::registered::{check_method, enabled};
use crate::op::client::keys::{self, SignatureError};
use crate::op::error::OAuthError;
use crate::protocol::{Algorithm, ClientAuthMethod, ErrorCode};
use crate::snapshot::client::Client;

/// `client_assertion_type` (RFC 7523 §2.2).
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Longest assertion, in bytes.
const LONGEST: usize = 8 * 1024;
/// How far ahead `exp` may be, in seconds: its `jti` is remembered that long.
const LONGEST_LIFE: i64 = 3600;

fn refused(text: impl Into<String>) -> Unauthenticated {
    OAuthError::new(ErrorCode::InvalidClient, text).into()
}

fn failed(check: Check) -> Unauthenticated {
    refused(format!("client_assertion: {check}"))
}

/// Authenticates the client of an assertion.
///
/// # Errors
/// `invalid_client` with the check that failed; `temporarily_unavailable` when the client's key set or the store can't be
/// reached.
pub(super) async fn authenticate<'c>(
    context: &'c RequestContext<'_>,
    presented: &Assertion<'_>,
) -> Result<&'c Client, Unauthenticated> {
    if presented.kind != Some(TYPE) {
        return Err(refused(format!("client_assertion_type must be {TYPE}")));
    }
    if presented.jwt.len() > LONGEST {
        return Err(refused("client_assertion is too long"));
    }
    let jws = Jws::parse(presented.jwt).map_err(failed)?;
    if !matches!(jws.typ.as_deref(), None | Some("jwt" | "client-authentication+jwt")) {
        return Err(failed(Check::Form("its typ is not that of a client assertion")));
    }
    let claims = Claims(&jws.claims);
    let client_id = claims.subject().map_err(failed)?;
    claims.issuer(client_id).map_err(failed)?;
    if presented.client_id.is_some_and(|other| other != client_id) {
        return Err(refused("client_id differs from the assertion's sub"));
    }
    let client =
        enabled(context, client_id).ok_or_else(|| refused("the client is unknown or its assertion does not verify"))?;
    verify_signature(context, client, &jws).await?;
    check_audience(context, claims)?;
    use_once(context, client, claims).await?;
    Ok(client)
}

async fn verify_signature(context: &RequestContext<'_>, client: &Client, jws: &Jws<'_>) -> Result<(), Unauthenticated> {
    let method = match jws.algorithm {
        Algorithm::HS256 => ClientAuthMethod::ClientSecretJwt,
        _ => ClientAuthMethod::PrivateKeyJwt,
    };
    check_method(client, method)?;
    keys::verify(context, client, jws).await.map_err(|error| match error {
        SignatureError::Check(check) => failed(check),
        SignatureError::KeysUnavailable => OAuthError::new(ErrorCode::TemporarilyUnavailable, error.to_string()).into(),
    })
}

/// `aud` is this issuer, or the URL of the token or PAR endpoint, or its alias where the request came there (RFC 8705 §5), and
/// nothing else: an assertion for several servers could be used at each of them (RFC 7523 §3, RFC 9126 §2).
fn check_audience(context: &RequestContext<'_>, claims: Claims<'_>) -> Result<(), Unauthenticated> {
    let (issuer, endpoints) = (&context.snapshot.issuer, &context.snapshot.config.endpoints);
    let urls = [&endpoints.token, &endpoints.pushed_authorization_request].map(|path| issuer.url_of(path));
    let aliases = urls.iter().filter_map(|url| context.alias_of(url));
    let accepted: Vec<String> = [issuer.text.clone()].into_iter().chain(aliases).chain(urls.iter().cloned()).collect();
    let mut verdict = Err(Check::Claim("aud", Problem::Differs));
    for expected in &accepted {
        match claims.audience(expected) {
            Ok(1) => return Ok(()),
            Ok(_) => verdict = Err(Check::Form("its aud names others besides this issuer")),
            Err(check @ Check::Claim(_, Problem::Missing | Problem::Type)) => return Err(failed(check)),
            Err(_) => {}
        }
    }
    verdict.map_err(failed)
}

/// Checks its time, and that it is used once (RFC 7523 §3).
async fn use_once(context: &RequestContext<'_>, client: &Client, claims: Claims<'_>) -> Result<(), Unauthenticated> {
    claims.not_expired(context.now).map_err(failed)?;
    claims.has_come("nbf", context.now).map_err(failed)?;
    claims.has_come("iat", context.now).map_err(failed)?;
    let expires_at = claims.time("exp").map_err(failed)?.unwrap_or_default();
    if expires_at - context.now > LONGEST_LIFE {
        return Err(refused("client_assertion: exp is more than an hour ahead"));
    }
    let jti = claims.text("jti").map_err(failed)?.filter(|jti| !jti.is_empty());
    let jti = jti.ok_or_else(|| failed(Check::Claim("jti", Problem::Missing)))?;
    let kept_until = expires_at + crate::jose::SKEW;
    let id = format!("{} {jti}", client.key);
    let new = context.store().use_once("client_assertion", &id, kept_until, context.now).await?;
    if new { Ok(()) } else { Err(refused("client_assertion: its jti was used before")) }
}
