//! Clients that authenticate by a certificate (RFC 8705 §2): `tls_client_auth`, by a chain to a certificate authority and a
//! name, and `self_signed_tls_client_auth`, by the certificate or the key that the client registered.

use crate::config::resolved::client::CertificateSubject;
use crate::jose::PublicKey;
use crate::op::RequestContext;
use crate::op::certificate;
use crate::op::client::authentication::credentials::Secret;
use crate::op::client::authentication::error::Unauthenticated;
use crate::op::client::authentication::registered::enabled;
use crate::op::client::keys::{self, SignatureError};
use crate::op::error::OAuthError;
use crate::protocol::distinguished_name::Name;
use crate::protocol::{ClientAuthMethod, ErrorCode};
use crate::snapshot::client::Client;
use crate::x509::Certificate;

fn refused(text: impl std::fmt::Display) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, text.to_string())
}

/// The enabled client that only names itself and authenticates by certificate.
pub(super) fn expected<'c>(context: &'c RequestContext<'_>, presented: &Secret<'_>) -> Option<&'c Client> {
    let by_certificate = |client: &&Client| method(client).is_some();
    enabled(context, &presented.client_id).filter(|_| presented.secret.is_none()).filter(by_certificate)
}

/// The method by which a client authenticates with a certificate.
fn method(client: &Client) -> Option<ClientAuthMethod> {
    let methods = [ClientAuthMethod::TlsClientAuth, ClientAuthMethod::SelfSignedTlsClientAuth];
    methods.into_iter().find(|method| client.auth_methods.contains(method))
}

/// Authenticates a client by the certificate of the request.
///
/// # Errors
/// `invalid_client` with the check that failed; `temporarily_unavailable` when the client's key set can't be reached.
pub(super) async fn authenticate<'c>(
    context: &'c RequestContext<'_>,
    client: &'c Client,
) -> Result<&'c Client, Unauthenticated> {
    if method(client) == Some(ClientAuthMethod::TlsClientAuth) {
        let certificate = certificate::verified(context).map_err(refused)?;
        let named = client.certificate_subject.as_ref().is_some_and(|subject| is_named(certificate, subject));
        if !named {
            let text = "the certificate is valid, but its subject is not the one that the client is registered with";
            return Err(refused(text).into());
        }
        return Ok(client);
    }
    let certificate = certificate::presented(context).map_err(refused)?;
    certificate.check(context.now).map_err(refused)?;
    let key = certificate.public_key().and_then(PublicKey::parse);
    let key = key.ok_or_else(|| refused("the certificate's key is of an unknown kind, or weak"))?;
    keys::registers(context, client, &key, certificate.hash()).await.map_err(|error| match error {
        SignatureError::Check(_) => refused("the certificate is not registered by the client's jwks or jwks_uri"),
        SignatureError::KeysUnavailable => OAuthError::new(ErrorCode::TemporarilyUnavailable, error.to_string()),
    })?;
    Ok(client)
}

/// Whether a certificate has the name that the client is registered with (RFC 8705 §2.1.2).
fn is_named(certificate: &Certificate, subject: &CertificateSubject) -> bool {
    match subject {
        CertificateSubject::Dn(name) => Name::parse(name).is_some_and(|name| name.matches(certificate.subject())),
        CertificateSubject::Dns(name) => certificate.has_dns(name),
        CertificateSubject::Uri(uri) => certificate.has_uri(uri),
        CertificateSubject::Ip(address) => address.parse().is_ok_and(|address| certificate.has_ip(address)),
        CertificateSubject::Email(address) => certificate.has_email(address),
    }
}
