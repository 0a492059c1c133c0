//! Client authentication at the token, introspection and revocation endpoints (RFC 6749 §2.3, OIDC Core §9).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::{Code, OAuthError};
use super::params::{Duplicate, Params};
use crate::config::provider::AuthMethod;
use crate::snapshot::Snapshot;
use crate::snapshot::client::Client;

/// Why a client was not authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unauthenticated {
    /// The error for the app.
    pub error: OAuthError,
    /// Whether it tried HTTP Basic, and so is challenged for it (RFC 6749 §5.2).
    pub basic: bool,
}

impl From<Duplicate> for Unauthenticated {
    fn from(Duplicate(name): Duplicate) -> Self {
        let name = super::request::printable(&name);
        let error = OAuthError::new(Code::InvalidRequest, format!("the parameter {name} came more than once"));
        Self { error, basic: false }
    }
}

/// What a client presented.
struct Presented {
    client_id: String,
    secret: Option<String>,
    method: AuthMethod,
}

/// Authenticates the client of a request. `authorization` is the header of that name.
///
/// # Errors
/// `invalid_request` when it used two methods at once, `invalid_client` when it is unknown, disabled, used a method that
/// is not its own, or presented a wrong secret.
pub fn authenticate<'s>(
    snapshot: &'s Snapshot,
    authorization: Option<&str>,
    params: &Params,
) -> Result<&'s Client, Unauthenticated> {
    let presented = presented(authorization, params)?;
    let basic = presented.method == AuthMethod::ClientSecretBasic;
    let refuse = |text: &str| Unauthenticated { error: OAuthError::new(Code::InvalidClient, text), basic };
    let client = snapshot
        .client_by_id(&presented.client_id)
        .filter(|client| client.enabled)
        .ok_or_else(|| refuse("the client is unknown or its secret is wrong"))?;
    if !client.auth_methods.contains(&presented.method) {
        let methods: Vec<&str> = client.auth_methods.iter().map(|method| method.name()).collect();
        return Err(refuse(&format!("this client authenticates by {}", methods.join(" or "))));
    }
    match &presented.secret {
        None => Ok(client),
        Some(secret) if client.secret_matches(secret) => Ok(client),
        Some(_) => Err(refuse("the client is unknown or its secret is wrong")),
    }
}

fn presented(authorization: Option<&str>, params: &Params) -> Result<Presented, Unauthenticated> {
    let invalid = |text: &str, basic| Unauthenticated { error: OAuthError::new(Code::InvalidRequest, text), basic };
    let in_body = params.one("client_id")?.map(str::to_owned);
    let secret = params.one("client_secret")?.map(str::to_owned);
    let assertion = params.one("client_assertion")?.is_some() || params.one("client_assertion_type")?.is_some();
    let basic = authorization.and_then(|header| strip_scheme(header, "basic"));
    let methods = usize::from(basic.is_some()) + usize::from(secret.is_some()) + usize::from(assertion);
    if methods > 1 {
        return Err(invalid("use one method of client authentication, not several (RFC 6749 2.3)", basic.is_some()));
    }
    if let Some(credentials) = basic {
        let (client_id, secret) = decode_basic(credentials).ok_or_else(|| Unauthenticated {
            error: OAuthError::new(Code::InvalidClient, "the Basic credentials can't be read"),
            basic: true,
        })?;
        if in_body.is_some_and(|other| other != client_id) {
            return Err(invalid("client_id differs from the Basic credentials", true));
        }
        return Ok(Presented { client_id, secret: Some(secret), method: AuthMethod::ClientSecretBasic });
    }
    if assertion {
        let text = "client assertions are not supported; use client_secret_basic or client_secret_post";
        return Err(Unauthenticated { error: OAuthError::new(Code::InvalidClient, text), basic: false });
    }
    let client_id = in_body.ok_or_else(|| Unauthenticated {
        error: OAuthError::new(
            Code::InvalidClient,
            "no client authentication: send HTTP Basic, or client_id with client_secret",
        ),
        basic: authorization.is_some(),
    })?;
    let method = if secret.is_some() { AuthMethod::ClientSecretPost } else { AuthMethod::None };
    Ok(Presented { client_id, secret, method })
}

/// The rest of an `Authorization` header of that scheme (RFC 9110 §11.1: schemes are case-insensitive).
#[must_use]
pub fn strip_scheme<'h>(header: &'h str, scheme: &str) -> Option<&'h str> {
    let (given, rest) = header.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
fn decode_basic(credentials: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decode(id)?, form_decode(secret)?))
}

fn form_decode(text: &str) -> Option<String> {
    let pair = format!("v={}", text.replace('&', "%26"));
    let (_, value) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
    Some(value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_decoded() {
        let encode = |text: &str| STANDARD.encode(text);
        assert_eq!(decode_basic(&encode("a%20b:c%2Bd%3A")), Some(("a b".to_owned(), "c+d:".to_owned())));
        assert_eq!(decode_basic(&encode("id:se:cret")), Some(("id".to_owned(), "se:cret".to_owned())));
        assert_eq!(decode_basic(&encode("a&b:c=d")), Some(("a&b".to_owned(), "c=d".to_owned())));
        assert_eq!(decode_basic(&encode("nothing")), None);
        assert_eq!(decode_basic("***"), None);
    }
}
