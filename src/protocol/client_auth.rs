//! Client authentication methods.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the caller of an endpoint authenticates (OIDC Core §9, RFC 8705 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMethod {
    /// HTTP Basic with the client secret.
    ClientSecretBasic,
    /// The client secret in the body.
    ClientSecretPost,
    /// An assertion signed with the client secret.
    ClientSecretJwt,
    /// An assertion signed with the client's private key.
    PrivateKeyJwt,
    /// A client certificate from a certificate authority.
    TlsClientAuth,
    /// A self-signed client certificate.
    SelfSignedTlsClientAuth,
    /// A public client: it does not authenticate, and so must use PKCE.
    None,
}

impl ClientAuthMethod {
    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
            Self::None => "none",
        }
    }
}
