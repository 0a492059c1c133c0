//! What a client presents to authenticate, read from the `Authorization` header and the form.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::jose::{Claims, Jws};
use crate::op::client::authentication::error::Unauthenticated;
use crate::op::error::OAuthError;
use crate::op::params::{Form, Params};
use crate::protocol::ClientAuthMethod;
use crate::protocol::ErrorCode;

/// The parameters by which a client authenticates in the body (RFC 6749 §2.3.1, RFC 7521 §4.2).
#[derive(Clone, Copy, Debug)]
pub struct ClientForm<'p> {
    client_id: Option<&'p str>,
    client_secret: Option<&'p str>,
    client_assertion: Option<&'p str>,
    client_assertion_type: Option<&'p str>,
}

impl<'p> Form<'p> for ClientForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self {
            client_id: params.text("client_id"),
            client_secret: params.text("client_secret"),
            client_assertion: params.text("client_assertion"),
            client_assertion_type: params.text("client_assertion_type"),
        }
    }
}

/// What a client presented, by kind of method.
pub(super) enum Credentials<'p> {
    /// `client_secret_basic`, `client_secret_post`, `none`.
    Secret(Secret<'p>),
    /// `client_secret_jwt`, `private_key_jwt`.
    Assertion(Assertion<'p>),
}

/// A client id with a secret, or with none.
pub(super) struct Secret<'p> {
    /// Who it says it is.
    pub client_id: Cow<'p, str>,
    /// Its secret; `None` by the method `none`.
    pub secret: Option<Cow<'p, str>>,
    /// How it was sent.
    pub method: ClientAuthMethod,
}

/// A signed assertion.
pub(super) struct Assertion<'p> {
    /// `client_assertion`.
    pub jwt: &'p str,
    /// `client_assertion_type`.
    pub kind: Option<&'p str>,
    /// `client_id`, which may be left out (RFC 7521 §4.2).
    pub client_id: Option<&'p str>,
}

impl<'p> Credentials<'p> {
    /// The client to which these claim to belong: nothing is proven.
    pub(super) fn claimed(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Secret(secret) => Some(Cow::Borrowed(&*secret.client_id)),
            Self::Assertion(assertion) => match assertion.client_id {
                Some(client_id) => Some(Cow::Borrowed(client_id)),
                None => {
                    let jws = Jws::parse(assertion.jwt).ok()?;
                    Claims(&jws.claims).subject().ok().map(|subject| Cow::Owned(subject.to_owned()))
                }
            },
        }
    }

    /// Reads the credentials of a request.
    ///
    /// # Errors
    /// `invalid_request` when there are several (RFC 6749 §2.3), `invalid_client` when there is none, or it can't be read.
    pub(super) fn read(authorization: Option<&str>, form: &ClientForm<'p>) -> Result<Self, Unauthenticated> {
        let basic = authorization.and_then(|header| strip_scheme(header, "basic"));
        let methods = [basic.is_some(), form.client_secret.is_some(), form.client_assertion.is_some()];
        let fail = |code, text| Unauthenticated::refused(OAuthError::new(code, text), basic.is_some());
        if methods.into_iter().filter(|used| *used).count() > 1 {
            let text = "use one method of client authentication, not several (RFC 6749 2.3)";
            return Err(fail(ErrorCode::InvalidRequest, text));
        }
        if let Some(credentials) = basic {
            let unreadable = || fail(ErrorCode::InvalidClient, "the Basic credentials can't be read");
            let (client_id, secret) = decode_basic(credentials).ok_or_else(unreadable)?;
            if form.client_id.is_some_and(|other| other != client_id) {
                return Err(fail(ErrorCode::InvalidRequest, "client_id differs from the Basic credentials"));
            }
            let (client_id, secret) = (Cow::Owned(client_id), Some(Cow::Owned(secret)));
            return Ok(Self::Secret(Secret { client_id, secret, method: ClientAuthMethod::ClientSecretBasic }));
        }
        if let Some(jwt) = form.client_assertion {
            return Ok(Self::Assertion(Assertion { jwt, kind: form.client_assertion_type, client_id: form.client_id }));
        }
        let Some(client_id) = form.client_id.map(Cow::Borrowed) else {
            let text = "no client authentication: send HTTP Basic, client_id with client_secret, or a client_assertion";
            let error = OAuthError::new(ErrorCode::InvalidClient, text);
            return Err(Unauthenticated::refused(error, authorization.is_some()));
        };
        let secret = form.client_secret.map(Cow::Borrowed);
        let method = if secret.is_some() { ClientAuthMethod::ClientSecretPost } else { ClientAuthMethod::None };
        Ok(Self::Secret(Secret { client_id, secret, method }))
    }
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
