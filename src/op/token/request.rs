//! A token request whose client is authenticated, and the checks that grants share.

use crate::audit::{Event, Kind};
use crate::op::RequestContext;
use crate::op::certificate;
use crate::op::dpop::Proof;
use crate::op::error::OAuthError;
use crate::op::events;
use crate::protocol::{ErrorCode, GrantType};
use crate::snapshot::client::Client;
use crate::store::ids::SessionId;
use crate::store::model::{Grant, User};
use crate::x509::Certificate;

/// A token request: who asks, and by which key.
#[derive(Clone, Copy)]
pub(super) struct TokenRequest<'r> {
    /// The request.
    pub context: &'r RequestContext<'r>,
    /// The client, authenticated.
    pub client: &'r Client,
    /// The DPoP proof, by whose key the access token is bound.
    pub proof: Option<&'r Proof>,
}

impl TokenRequest<'_> {
    /// An event of this request about a grant.
    pub(super) fn event(&self, kind: Kind, grant: &Grant, user: Option<&User>) -> Event {
        let event = self.context.event(kind).client(&self.client.key);
        let event = event.sid(grant.sid.as_ref().map(SessionId::as_str));
        let event = event.provider(grant.link.as_ref().map(|link| link.provider.as_str()).unwrap_or_default());
        user.into_iter().fold(event, |event, user| event.about(events::person(user)))
    }

    /// Whether the client has declared this grant type.
    ///
    /// # Errors
    /// `unauthorized_client` (RFC 6749 §5.2).
    pub(super) fn check_grant_type(&self, grant_type: GrantType) -> Result<(), OAuthError> {
        if self.client.may(grant_type) {
            return Ok(());
        }
        let text = "this client may not use this grant type; see its grant_types";
        Err(OAuthError::new(ErrorCode::UnauthorizedClient, text))
    }

    /// Whether the request has the certificate that the client's access tokens are bound to (RFC 8705 §3), where they are.
    ///
    /// # Errors
    /// `invalid_request`.
    pub(super) fn check_binding(&self) -> Result<(), OAuthError> {
        if !self.client.certificate_bound {
            return Ok(());
        }
        let bound = certificate::presented(self.context).and_then(|found| Ok(found.check(self.context.now)?));
        bound.map_err(|unusable| {
            let text = format!("this client's tokens are bound to its certificate, and {unusable}");
            OAuthError::new(ErrorCode::InvalidRequest, text)
        })
    }

    /// Thumbprint of the certificate that access tokens are bound to.
    pub(super) fn certificate(&self) -> Option<String> {
        let presented = self.context.client_certificate.presented().filter(|_| self.client.certificate_bound);
        presented.map(Certificate::thumbprint)
    }

    /// Whether the request has the certificate that a refresh token is bound to (RFC 8705 §4).
    ///
    /// # Errors
    /// `invalid_grant`.
    pub(super) fn check_certificate(&self, bound_to: Option<&str>) -> Result<(), OAuthError> {
        let presented = self.context.client_certificate.presented().map(Certificate::thumbprint);
        match bound_to {
            Some(bound_to) if presented.as_deref() != Some(bound_to) => {
                Err(invalid_grant("the refresh token is bound to another certificate than the request's"))
            }
            _ => Ok(()),
        }
    }

    /// Thumbprint of the certificate that refresh tokens are bound to: those of public clients (RFC 8705 §4).
    pub(super) fn refresh_certificate(&self) -> Option<String> {
        self.certificate().filter(|_| self.client.is_public())
    }

    /// Whether the proof is by the key that a code or refresh token is bound to (RFC 9449 §5, §10).
    ///
    /// # Errors
    /// `invalid_grant`.
    pub(super) fn check_key(&self, bound_to: Option<&str>) -> Result<(), OAuthError> {
        match (bound_to, self.proof) {
            (None, _) => Ok(()),
            (Some(jkt), Some(proof)) if proof.jkt == jkt => Ok(()),
            (Some(_), Some(_)) => {
                Err(invalid_grant("the code or refresh token is bound to another key than the DPoP proof's"))
            }
            (Some(_), None) => {
                Err(invalid_grant("the code or refresh token is bound to a key: send a DPoP proof by that key"))
            }
        }
    }

    /// Thumbprint of the key that refresh tokens are bound to from now on: those of public clients (RFC 9449 §5). Those of
    /// confidential clients are bound to the client's authentication.
    pub(super) fn refresh_key(&self) -> Option<String> {
        self.proof.filter(|_| self.client.is_public()).map(|proof| proof.jkt.clone())
    }
}

/// An `invalid_grant` error (RFC 6749 §5.2).
pub(super) fn invalid_grant(text: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, text)
}

/// A parameter that a grant can't do without.
///
/// # Errors
/// `invalid_request` when it is missing.
pub(super) fn required<'p>(name: &str, value: Option<&'p str>) -> Result<&'p str, OAuthError> {
    value.ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, format!("{name} is missing")))
}
