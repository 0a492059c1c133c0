//! `[certificates]`: sign-in by client certificate, and what else reads the certificate of a caller.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::scalar::Expression;

/// `[certificates]`: client certificates, which a proxy that terminates mutual TLS forwards.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificates {
    /// The addresses that proxies forward certificates to, as in `server.listen`; always plain HTTP. No other listener reads
    /// the header, and these read it from `server.trusted_proxies` only. Changing it needs a restart.
    #[serde(default)]
    pub listen: Vec<String>,
    /// Scheme, host and port at which clients reach the proxy, published in `mtls_endpoint_aliases` (RFC 8705 §5). Default:
    /// those of the issuer, with the port of `listen`.
    pub origin: Option<String>,
    /// The header that the proxy forwards the certificate in. `Client-Cert` (RFC 9440) and `x-forwarded-tls-client-cert`
    /// (Traefik) hold DER in base64, `x-forwarded-client-cert` (Envoy) key-value pairs, and any other header the PEM form,
    /// URL-encoded. Default: X-Client-Cert.
    pub header: Option<String>,
    /// The certificate authorities that client certificates are verified against, PEM: roots, and intermediate certificates
    /// that clients do not send. Re-read when it changes.
    #[schemars(extend("x-path" = true))]
    pub ca: Option<PathBuf>,
    /// Certificate revocation lists of these authorities (RFC 5280 §5), PEM or one in DER. With them, every certificate of a chain
    /// needs a list that has not expired, and is refused without. Re-read when the file changes. Default: none, and revocation
    /// is not checked.
    #[schemars(extend("x-path" = true))]
    pub crl: Option<PathBuf>,
    /// Clients that may exchange a user's certificate for tokens, by `grant_type=urn:countersign:grant:certificate`.
    #[serde(default)]
    pub clients: Vec<String>,
    /// Whether a certificate that is attached to nobody creates a user. Default: false.
    #[serde(default)]
    pub create_users: bool,
    /// Expression over `cert` that names that user. Default: `cert.subject.cn`.
    pub username: Option<Expression>,
}
