//! `[certificates]`, resolved.

use url::Url;

use crate::config::language::Config;
use crate::config::language::address::Listen;
use crate::config::language::certificates::Certificates as Declared;

/// The header that is read unless the file names another.
const DEFAULT_HEADER: &str = "X-Client-Cert";

/// How a header holds a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderForm {
    /// PEM, URL-encoded: nginx's `$ssl_client_escaped_cert`.
    EscapedPem,
    /// DER as a byte sequence, and the rest of the chain in `Client-Cert-Chain` (RFC 9440).
    ClientCert,
    /// Envoy's `x-forwarded-client-cert`.
    Forwarded,
    /// DER in base64, the client's certificate and the rest of the chain separated by commas: Traefik's
    /// `x-forwarded-tls-client-cert`.
    Base64,
}

/// How certificates reach the broker, and where clients present them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// Name of the header, in lower case.
    pub header: String,
    /// How the header holds the certificate.
    pub form: HeaderForm,
    /// Where clients reach the proxy; `None` where neither `origin` nor a port of `listen` says so.
    pub origin: Option<String>,
}

impl Certificates {
    /// Resolves the section, where there is one.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let declared = config.certificates.as_ref()?;
        let header = declared.header.as_deref().unwrap_or(DEFAULT_HEADER).to_ascii_lowercase();
        let form = match header.as_str() {
            "client-cert" => HeaderForm::ClientCert,
            "x-forwarded-client-cert" => HeaderForm::Forwarded,
            "x-forwarded-tls-client-cert" => HeaderForm::Base64,
            _ => HeaderForm::EscapedPem,
        };
        let origin = declared.origin.clone().or_else(|| at_port_of(&config.issuer, declared));
        Some(Self { header, form, origin })
    }
}

/// The issuer's origin at the port of the first TCP address.
fn at_port_of(issuer: &str, declared: &Declared) -> Option<String> {
    let port = declared.listen.iter().find_map(|address| match Listen::parse(address) {
        Ok(Listen::Tcp { port, .. }) if port != 0 => Some(port),
        _ => None,
    })?;
    let mut url = Url::parse(issuer).ok()?;
    url.set_port(Some(port)).ok()?;
    Some(url.origin().ascii_serialization())
}
