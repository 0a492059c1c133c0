//! Authorization requests that do not come as plain parameters: request objects by value and by reference (OIDC Core §6,
//! RFC 9101), and pushed ones (RFC 9126).
//!
//! It owns turning them into parameters. What a valid request is, [`crate::op::authorize::request`] says, for all of them alike.

use serde_json::{Map, Value, json};

use crate::jose::{Check, Claims, Jws, unsigned};
use crate::op::RequestContext;
use crate::op::authorize::request;
use crate::op::client::authentication::{ClientForm, Unauthenticated, authenticate};
use crate::op::dpop;
use crate::op::dpop::{Proof, ProofHeader};
use crate::op::error::{OAuthError, printable, printable_text};
use crate::op::params::{Form as _, Params};
use crate::protocol::{Algorithm, ErrorCode};
use crate::snapshot::client::Client;
use crate::store::model::{Interaction, TokenHash};

/// What `request_uri` begins with where the request was pushed (RFC 9126 §2.2).
const PUSHED: &str = "urn:ietf:params:oauth:request_uri:";
/// Seconds that a pushed request waits for its browser.
const PUSHED_LIFETIME: i64 = 60;
/// Longest request object, in bytes.
const LONGEST: usize = 32 * 1024;
/// Claims of a request object that are not parameters (RFC 9101 §4).
const NOT_PARAMETERS: &[&str] = &["iss", "aud", "exp", "nbf", "iat", "jti", "sub"];
/// What is kept of a pushed request: the parameters that mean something here, beside `client_id`.
const PARAMETERS: &[&str] = &[
    "acr_values",
    "claims",
    "claims_locales",
    "code_challenge",
    "code_challenge_method",
    "display",
    "dpop_jkt",
    "id_token_hint",
    "kc_idp_hint",
    "login_hint",
    "max_age",
    "nonce",
    "prompt",
    "provider",
    "redirect_uri",
    "registration",
    "request",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
    "ui_locales",
];
/// Most bytes of a pushed request.
const LONGEST_PUSHED: usize = 16 * 1024;

fn invalid_object(text: impl std::fmt::Display) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequestObject, format!("request object: {text}"))
}

/// The parameters that a request means; `None` where they are those that came.
///
/// # Errors
/// For the app: a request object that does not verify, a reference that leads nowhere, a request that had to be pushed.
pub(crate) async fn resolve(context: &RequestContext<'_>, params: &Params) -> Result<Option<Params>, OAuthError> {
    let one = |name: &str| {
        let twice = |_| OAuthError::new(ErrorCode::InvalidRequest, format!("the parameter {name} came more than once"));
        params.one(name).map_err(twice)
    };
    // Without a client there is nothing to verify with, and the checks that follow show the page.
    let Some(client) =
        one("client_id")?.and_then(|id| context.snapshot.client_by_id(id)).filter(|client| client.enabled)
    else {
        return Ok(None);
    };
    let (object, reference) = (one("request")?, one("request_uri")?);
    if let Some(secret) = reference.and_then(|reference| reference.strip_prefix(PUSHED)) {
        return pushed(context, client, secret).await.map(Some);
    }
    if client.pushes_requests {
        let text = "this client must push its authorization requests (RFC 9126)";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
    }
    match (object, reference) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "request and request_uri must not both be sent (OIDC Core 6)",
        )),
        (Some(object), None) => merged(context, client, params, object).await.map(Some),
        (None, Some(reference)) => {
            let object = referenced(context, client, reference).await?;
            merged(context, client, params, &object).await.map(Some)
        }
    }
}

/// A request object at a URL that the client registered (OIDC Core §6.2).
async fn referenced(context: &RequestContext<'_>, client: &Client, reference: &str) -> Result<String, OAuthError> {
    let invalid = |text: &str| OAuthError::new(ErrorCode::InvalidRequestUri, text);
    if client.request_uris.is_empty() {
        let text = "request_uri is taken from this client only for pushed requests; see its request_uris";
        return Err(OAuthError::new(ErrorCode::RequestUriNotSupported, text));
    }
    if !client.request_uris.iter().any(|known| known == reference) {
        return Err(invalid("request_uri is not one of the client's request_uris"));
    }
    let url = url::Url::parse(reference).map_err(|_| invalid("request_uri is not a URL"))?;
    let object = context.services.app_keys.request_object(&url).await.map_err(|error| {
        tracing::warn!(event = "request_uri_unavailable", client = %client.key, %error, trace_id = %context.trace_id, "a request object can't be had");
        invalid("the request object can't be had")
    })?;
    // RFC 9101 §5.2: a fragment is the hash of what is there.
    match url.fragment() {
        Some(expected) if hash(&object) != expected => Err(invalid("the request object is not the one that was meant")),
        _ => Ok(object),
    }
}

fn hash(text: &str) -> String {
    use base64::Engine as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.as_ref())
}

/// The parameters of a request with an object: what the object says goes before what came beside it (OIDC Core §6.1,
/// §6.3.3).
async fn merged(
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
    // Whoever the object was verified for is whose request it is, whatever it says in whatever type.
    let of_client = Some(client.client_id.as_str());
    for (name, beside) in [("client_id", of_client), ("response_type", params.one("response_type").ok().flatten())] {
        let Some(inside) = claims.get(name) else { continue };
        let inside = inside.as_str().ok_or_else(|| invalid_object(format!("its {name} is not a string")))?;
        if beside.is_some_and(|beside| beside != inside) {
            return Err(invalid_object(format!("its {name} differs from the one beside it")));
        }
    }
    let beside = params
        .pairs()
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "request" | "request_uri") && !claims.contains_key(name.as_str()));
    let mut pairs: Vec<(String, String)> = beside.cloned().collect();
    for (name, value) in claims.into_iter().filter(|(name, _)| !NOT_PARAMETERS.contains(&name.as_str())) {
        match value {
            Value::Null => {}
            Value::String(text) => pairs.push((name, text)),
            // What may repeat is a list here (RFC 8707 §2.1); `claims` is an object, `max_age` a number.
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
                return Err(invalid_object(Check::Algorithm));
            }
            crate::op::client::keys::verify(context, client, &jws).await.map_err(|error| match error.code {
                ErrorCode::TemporarilyUnavailable => error,
                _ => invalid_object(error.description),
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

/// A pushed request, taken: it serves once (RFC 9126 §4).
async fn pushed(context: &RequestContext<'_>, client: &Client, secret: &str) -> Result<Params, OAuthError> {
    let gone = || OAuthError::new(ErrorCode::InvalidRequestUri, "the pushed request is unknown, used or expired");
    let id = TokenHash::of(secret);
    let found = context.store().interaction(id, context.now).await?.ok_or_else(gone)?;
    if found.browser != owner(client) {
        return Err(OAuthError::new(ErrorCode::InvalidRequestUri, "the pushed request is another client's"));
    }
    let taken = context.store().take_interaction(id, context.now).await?.ok_or_else(gone)?;
    let pairs = serde_json::from_str(&taken.data).map_err(|_| gone())?;
    Ok(Params::from_pairs(pairs))
}

/// Whom a pushed request belongs to: in place of a browser, its client. No cookie holds a line break.
fn owner(client: &Client) -> TokenHash {
    TokenHash::of(&format!("pushed\n{}", client.key))
}

/// Serves the pushed authorization request endpoint (RFC 9126 §2): the request is checked as the authorization endpoint
/// would, and kept for a minute. Returns the JSON of §2.2.
///
/// # Errors
/// Client authentication, or what is wrong with the request (§2.3).
pub async fn push(
    context: &RequestContext<'_>,
    authorization: Option<&str>,
    proof: ProofHeader<'_>,
    params: &Params,
) -> Result<Value, Unauthenticated> {
    let plain = |error: OAuthError| Unauthenticated { error, basic: false };
    if let Some(duplicate) = params.duplicate(&["resource"]) {
        return Err(duplicate.into());
    }
    let client = authenticate(context, authorization, &ClientForm::read(params)).await?;
    if params.one("request_uri")?.is_some() {
        return Err(plain(OAuthError::new(ErrorCode::InvalidRequest, "request_uri can't be pushed (RFC 9126 2.1)")));
    }
    let endpoint = context.snapshot.issuer.url_of(&context.snapshot.config.endpoints.pushed_authorization_request);
    let call = dpop::Call { method: "POST", url: &endpoint, access_token: None };
    let proof = dpop::read(context, proof, &call).map_err(plain)?;
    let named = params.pairs().iter().filter(|(name, _)| PARAMETERS.contains(&name.as_str()));
    let pairs = named.cloned().chain([("client_id".to_owned(), client.client_id.clone())]).collect();
    let mut asked = Params::from_pairs(pairs);
    if let Some(object) = params.one("request")? {
        asked = merged(context, client, &asked, object).await.map_err(plain)?;
    }
    asked.retain(|name| name == "client_id" || PARAMETERS.contains(&name));
    if asked.encode().len() > LONGEST_PUSHED {
        return Err(plain(OAuthError::new(ErrorCode::InvalidRequest, "the request is too long to be pushed")));
    }
    let asked = proven(asked, proof.as_ref()).map_err(plain)?;
    let (_, to) = request::client_and_redirect(context.snapshot, &asked)
        .map_err(|page| plain(OAuthError::new(ErrorCode::InvalidRequest, printable_text(&page.detail))))?;
    request::validate(context.snapshot, client, to, &asked, &|hint| crate::op::authorize::hinted_sub(context, hint))
        .map_err(plain)?;
    dpop::use_once(context, proof.as_ref()).await.map_err(plain)?;
    let secret = context.random().secret().map_err(|error| plain(error.into()))?;
    let kept = Interaction {
        id: TokenHash::of(&secret),
        browser: owner(client),
        data: json!(asked.pairs()).to_string(),
        expires_at: context.now + PUSHED_LIFETIME,
    };
    context.store().save_interaction(kept).await.map_err(|error| plain(error.into()))?;
    tracing::info!(event = "request_pushed", client = %client.key, trace_id = %context.trace_id, "authorization request pushed");
    Ok(json!({ "request_uri": format!("{PUSHED}{secret}"), "expires_in": PUSHED_LIFETIME }))
}

/// A request pushed with a DPoP proof is bound to its key, as if it said `dpop_jkt` (RFC 9449 §10.1).
fn proven(asked: Params, proof: Option<&Proof>) -> Result<Params, OAuthError> {
    let Some(Proof { jkt, .. }) = proof else { return Ok(asked) };
    match asked.all("dpop_jkt").as_slice() {
        [] => {
            let added = ("dpop_jkt".to_owned(), jkt.clone());
            Ok(Params::from_pairs(asked.pairs().iter().cloned().chain([added]).collect()))
        }
        [same] if same == jkt => Ok(asked),
        _ => Err(OAuthError::new(ErrorCode::InvalidRequest, "dpop_jkt is not the thumbprint of the DPoP proof's key")),
    }
}

/// Algorithms of request objects, for discovery.
#[must_use]
pub fn algorithms() -> Vec<&'static str> {
    std::iter::once("none").chain(Algorithm::all_names()).collect()
}
