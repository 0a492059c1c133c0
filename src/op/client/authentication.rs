//! Client authentication at the token, introspection, revocation and PAR endpoints (RFC 6749 §2.3, OIDC Core §9).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::op::RequestContext;
use crate::op::client::assertion;
use crate::op::error::OAuthError;
use crate::op::params::{Duplicate, Params};
use crate::protocol::ClientAuthMethod;
use crate::protocol::ErrorCode;
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
    fn from(duplicate: Duplicate) -> Self {
        Self { error: duplicate.into(), basic: false }
    }
}

/// What a client presented.
enum Presented {
    Secret(Identified),
    Assertion(String),
}

/// A client that said who it is, with a secret or without.
struct Identified {
    client_id: String,
    secret: Option<String>,
    method: ClientAuthMethod,
}

/// Authenticates the client of a request. `authorization` is the header of that name.
///
/// # Errors
/// `invalid_request` when it used two methods at once, `invalid_client` when it is unknown, disabled, used a method that
/// is not its own, or presented a wrong secret.
pub async fn authenticate<'c>(
    context: &'c RequestContext<'_>,
    authorization: Option<&str>,
    params: &Params,
) -> Result<&'c Client, Unauthenticated> {
    let presented = match presented(authorization, params)? {
        Presented::Secret(presented) => presented,
        Presented::Assertion(text) => {
            let kind = params.one("client_assertion_type")?;
            return assertion::authenticate(context, kind, &text, params.one("client_id")?).await;
        }
    };
    let basic = presented.method == ClientAuthMethod::ClientSecretBasic;
    let refuse = |text: &str| Unauthenticated { error: OAuthError::new(ErrorCode::InvalidClient, text), basic };
    let client = context
        .snapshot
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
    let invalid =
        |text: &str, basic| Unauthenticated { error: OAuthError::new(ErrorCode::InvalidRequest, text), basic };
    let in_body = params.one("client_id")?.map(str::to_owned);
    let secret = params.one("client_secret")?.map(str::to_owned);
    let assertion = params.one("client_assertion")?;
    let basic = authorization.and_then(|header| strip_scheme(header, "basic"));
    let methods = usize::from(basic.is_some()) + usize::from(secret.is_some()) + usize::from(assertion.is_some());
    if methods > 1 {
        return Err(invalid("use one method of client authentication, not several (RFC 6749 2.3)", basic.is_some()));
    }
    if let Some(credentials) = basic {
        let (client_id, secret) = decode_basic(credentials).ok_or_else(|| Unauthenticated {
            error: OAuthError::new(ErrorCode::InvalidClient, "the Basic credentials can't be read"),
            basic: true,
        })?;
        if in_body.is_some_and(|other| other != client_id) {
            return Err(invalid("client_id differs from the Basic credentials", true));
        }
        let method = ClientAuthMethod::ClientSecretBasic;
        return Ok(Presented::Secret(Identified { client_id, secret: Some(secret), method }));
    }
    if let Some(assertion) = assertion {
        return Ok(Presented::Assertion(assertion.to_owned()));
    }
    let client_id = in_body.ok_or_else(|| Unauthenticated {
        error: OAuthError::new(
            ErrorCode::InvalidClient,
            "no client authentication: send HTTP Basic, client_id with client_secret, or a client_assertion",
        ),
        basic: authorization.is_some(),
    })?;
    let method = if secret.is_some() { ClientAuthMethod::ClientSecretPost } else { ClientAuthMethod::None };
    Ok(Presented::Secret(Identified { client_id, secret, method }))
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
