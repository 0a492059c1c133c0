//! Request objects, by value and by reference (OIDC Core §6, RFC 9101): fetched, verified, and turned into parameters.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::jose::{Check, Claims, Jws, unsigned};
use crate::op::RequestContext;
use crate::op::client::keys::{self, SignatureError};
use crate::op::client::remote::Unavailable;
use crate::op::error::{OAuthError, printable};
use crate::op::params::Params;
use crate::protocol::{Algorithm, ErrorCode};
use crate::snapshot::client::Client;

/// Longest request object, in bytes.
const LONGEST: usize = 32 * 1024;
/// Claims of a request object that are not parameters (RFC 9101 §4).
const NOT_PARAMETERS: &[&str] = &["iss", "aud", "exp", "nbf", "iat", "jti", "sub"];

fn invalid_object(text: impl std::fmt::Display) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequestObject, format!("request object: {text}"))
}

/// A request object at a URL that the client registered (OIDC Core §6.2).
///
/// # Errors
/// `request_uri_not_supported`, `invalid_request_uri`.
pub(super) async fn referenced(
    context: &RequestContext<'_>,
    client: &Client,
    reference: &str,
) -> Result<Arc<String>, OAuthError> {
    let invalid = |text: &str| OAuthError::new(ErrorCode::InvalidRequestUri, text);
    if client.request_uris.is_empty() {
        let text = "request_uri is taken from this client only for pushed requests; see its request_uris";
        return Err(OAuthError::new(ErrorCode::RequestUriNotSupported, text));
    }
    if !client.request_uris.iter().any(|known| known == reference) {
        return Err(invalid("request_uri is not one of the client's request_uris"));
    }
    let url = url::Url::parse(reference).map_err(|_| invalid("request_uri is not a URL"))?;
    let object = context.services.app_keys.request_object(&url, context.now).await;
    object.map_err(|error| {
        if context.may_log() {
            tracing::warn!(event = "request_uri_unavailable", client = %client.key, %error, trace_id = %context.trace_id, "a request object is not available");
        }
        match error {
            Unavailable::Differs => invalid("the request object is not the one that was meant"),
            _ => invalid("the request object is not available"),
        }
    })
}

/// The parameters of a request with an object: what the object says replaces what came with it (OIDC Core §6.1, §6.3.3).
///
/// # Errors
/// `invalid_request_object`.
pub(super) async fn merged(
    context: &RequestContext<'_>,
    client: &Client,
    params: &Params,
    object: &str,
) -> Result<Params, OAuthError> {
    let claims = verified(context, client, object.trim()).await?;
    for name in ["request", "request_uri"] {
        if claims.contains_key(name) {
            return Err(invalid_object(format!("it must not hold {name}")));
        }
    }
    // The request belongs to the client for which the object was verified, whatever `client_id` the object contains, of
    // whatever type.
    let of_client = Some(client.client_id.as_str());
    for (name, outside) in [("client_id", of_client), ("response_type", params.text("response_type"))] {
        let Some(inside) = claims.get(name) else { continue };
        let inside = inside.as_str().ok_or_else(|| invalid_object(format!("its {name} is not a string")))?;
        if outside.is_some_and(|outside| outside != inside) {
            return Err(invalid_object(format!("its {name} differs from the parameter of that name")));
        }
    }
    let outside = params
        .pairs()
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "request" | "request_uri") && !claims.contains_key(name.as_str()));
    let mut pairs: Vec<(String, String)> = outside.cloned().collect();
    for (name, value) in claims.into_iter().filter(|(name, _)| !NOT_PARAMETERS.contains(&name.as_str())) {
        match value {
            Value::Null => {}
            Value::String(text) => pairs.push((name, text)),
            // A parameter that may repeat is a list here (RFC 8707 §2.1); `claims` is an object, `max_age` a number.
            Value::Array(items) if name == "resource" && items.iter().all(Value::is_string) => {
                let texts = items.iter().filter_map(Value::as_str);
                pairs.extend(texts.map(|text| (name.clone(), text.to_owned())));
            }
            Value::Array(_) => return Err(invalid_object(format!("its {} is a list", printable(&name)))),
            other => pairs.push((name, other.to_string())),
        }
    }
    Ok(Params::from_pairs(pairs))
}

/// The claims of a request object, verified as far as it is signed.
async fn verified(
    context: &RequestContext<'_>,
    client: &Client,
    object: &str,
) -> Result<Map<String, Value>, OAuthError> {
    if object.len() > LONGEST {
        return Err(invalid_object("it is too long"));
    }
    let required = client.request_object_alg.as_deref();
    let claims = match unsigned(object) {
        Some(claims) => {
            if required.is_some_and(|alg| alg != "none") {
                return Err(invalid_object("it is not signed, as this client's request_object_signing_alg asks for"));
            }
            claims
        }
        None => {
            let jws = Jws::parse(object).map_err(invalid_object)?;
            if !matches!(jws.typ.as_deref(), None | Some("jwt" | "oauth-authz-req+jwt")) {
                return Err(invalid_object("its typ is not that of a request object"));
            }
            if required.is_some_and(|alg| alg != jws.algorithm.name()) {
                return Err(invalid_object(Check::NotAccepted(jws.algorithm)));
            }
            keys::verify(context, client, &jws).await.map_err(|error| match error {
                SignatureError::Check(check) => invalid_object(check),
                SignatureError::KeysUnavailable => {
                    OAuthError::new(ErrorCode::TemporarilyUnavailable, error.to_string())
                }
            })?;
            jws.claims
        }
    };
    let read = Claims(&claims);
    if claims.contains_key("iss") {
        read.issuer(&client.client_id).map_err(invalid_object)?;
    }
    if claims.contains_key("aud") {
        read.audience(&context.snapshot.issuer.text).map_err(invalid_object)?;
    }
    if claims.contains_key("exp") {
        read.not_expired(context.now).map_err(invalid_object)?;
    }
    for name in ["nbf", "iat"] {
        read.has_come(name, context.now).map_err(invalid_object)?;
    }
    Ok(claims)
}

/// Algorithms of request objects, for discovery.
#[must_use]
pub fn algorithms() -> Vec<&'static str> {
    std::iter::once("none").chain(Algorithm::all_names()).collect()
}
