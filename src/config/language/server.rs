//! `[server]`, `[admin]`, `[store]`, `[endpoints]`: where the broker listens, what it stores, what it serves.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::connection_url::ConnectionUrl;
use crate::config::language::scalar::{Duration, Secret};
use crate::protocol::paths::Endpoint;

/// The name of the peers of unix sockets in `trusted_proxies`.
pub const UNIX_PEERS: &str = "unix:";

/// `[server]`: the public listener.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Addresses to listen on: `host:port`, `[::1]:port` or `unix:/path` (a socket of mode 0660). Changing it needs a
    /// restart.
    pub listen: Vec<String>,
    /// Networks of the proxies whose `X-Forwarded-*` headers are trusted; `unix:` for peers that connect through a unix socket,
    /// which have no address and are trusted only if this is set. Networks that contain a large part of the Internet are
    /// refused, because a trusted proxy determines the address that limits and logs use. Default: none.
    pub trusted_proxies: Vec<String>,
    /// Serve TLS (1.2, 1.3) with this certificate and key on every TCP address of `listen`; unix sockets stay plain. The files
    /// are re-read when they change; turning TLS on or off needs a restart. Default: plain HTTP.
    pub tls: Option<Tls>,
    /// How long requests in progress may take after the broker was asked to stop.
    pub shutdown_grace: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1:8080".to_owned()],
            trusted_proxies: Vec::new(),
            tls: None,
            shutdown_grace: Duration::from_secs(20),
        }
    }
}

/// A TLS certificate chain and its key, both PEM.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain, PEM: the server's own certificate first.
    #[schemars(extend("x-path" = true))]
    pub cert: PathBuf,
    /// Private key, PEM, without a passphrase.
    #[schemars(extend("x-path" = true))]
    pub key: PathBuf,
}

/// `[admin]`: health, metrics, status and actions, on a separate listener.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address of the admin listener, as in `server.listen`; always plain HTTP. Changing it needs a restart.
    pub listen: String,
    /// Bearer token for everything but `/healthz` and `/readyz`; required if the listener is not on loopback.
    pub token: Option<Secret>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9464".to_owned(), token: None }
    }
}

/// `[store]`: where state is stored.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// `sqlite:PATH`, `sqlite::memory:` or `postgres://...`. Changing it needs a restart.
    #[schemars(extend("x-path" = "sqlite"))]
    pub url: ConnectionUrl,
    /// Keys that encrypt stored data that must be readable again. The first one encrypts, all of them decrypt. Default: a key
    /// file beside the store.
    pub encryption_keys: Vec<Secret>,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: ConnectionUrl::new("sqlite:state/broker.db".to_owned()), encryption_keys: Vec::new() }
    }
}

/// `[endpoints]`: paths, appended to the issuer's path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Endpoints {
    /// Authorization endpoint (RFC 6749 §3.1).
    pub authorization: String,
    /// Token endpoint (RFC 6749 §3.2).
    pub token: String,
    /// Userinfo endpoint (OIDC Core §5.3).
    pub userinfo: String,
    /// RP-initiated logout (OIDC RP-Initiated Logout §2).
    pub end_session: String,
    /// The broker's public keys (RFC 7517 §5).
    pub jwks: String,
    /// Token introspection (RFC 7662).
    pub introspection: String,
    /// Token revocation (RFC 7009).
    pub revocation: String,
    /// Device authorization (RFC 8628 §3.1).
    pub device_authorization: String,
    /// Pushed authorization requests (RFC 9126 §2).
    pub pushed_authorization_request: String,
    /// Dynamic client registration (RFC 7591 §3).
    pub registration: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        let path = |endpoint: Endpoint| endpoint.default_path().to_owned();
        Self {
            authorization: path(Endpoint::Authorization),
            token: path(Endpoint::Token),
            userinfo: path(Endpoint::Userinfo),
            end_session: path(Endpoint::EndSession),
            jwks: path(Endpoint::Jwks),
            introspection: path(Endpoint::Introspection),
            revocation: path(Endpoint::Revocation),
            device_authorization: path(Endpoint::DeviceAuthorization),
            pushed_authorization_request: path(Endpoint::PushedAuthorizationRequest),
            registration: path(Endpoint::Registration),
        }
    }
}

impl Endpoints {
    /// The path of an endpoint.
    #[must_use]
    pub fn path(&self, endpoint: Endpoint) -> &str {
        match endpoint {
            Endpoint::Authorization => &self.authorization,
            Endpoint::Token => &self.token,
            Endpoint::Userinfo => &self.userinfo,
            Endpoint::EndSession => &self.end_session,
            Endpoint::Jwks => &self.jwks,
            Endpoint::Introspection => &self.introspection,
            Endpoint::Revocation => &self.revocation,
            Endpoint::DeviceAuthorization => &self.device_authorization,
            Endpoint::PushedAuthorizationRequest => &self.pushed_authorization_request,
            Endpoint::Registration => &self.registration,
        }
    }
}
