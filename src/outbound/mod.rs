//! Outgoing calls: one guarded HTTP client for everything.
//!
//! Owns the limits of a call and its permitted destinations: no redirects, a time limit, a limit on the body, https, and an
//! address policy that is applied to the addresses of actual connections; also, in [`cache`], how long a fetched document is
//! kept. It does not own what is requested or what a response means. Nothing here logs a request, a header or a body, and no
//! error contains one.

mod address;
pub(crate) mod cache;
mod client;
mod identity;

use std::collections::BTreeSet;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use url::{Host, Url};

pub use address::is_public;
pub use client::{GuardedClient, Limits, Lookup, SystemLookup};
pub use identity::Identity;

/// Sends one request under a policy. The broker uses [`GuardedClient`]; tests use scripted clients.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends the request and reads the whole response, whatever its status, except for redirects: one is an error, or with
    /// [`RedirectIsAnswer`] the response. No redirect is followed.
    ///
    /// # Errors
    /// The policy forbids the address, or there is no response within the limits.
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        policy: &OutboundPolicy,
    ) -> Result<http::Response<Vec<u8>>, OutboundError>;
}

/// The extension of a request whose answer may be a redirect, which is then a response like any other.
#[derive(Clone, Copy, Debug)]
pub struct RedirectIsAnswer;

/// Why a call has no response. The texts are for logs and `/status`; they contain host names, but nothing that was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// Plain http to another machine.
    #[error("{0} is not https; set allow_http = true on the provider if plain http is meant")]
    NotHttps(String),
    /// The address is not public, and its host is not in the configuration.
    #[error("{0} is at a private, loopback or link-local address; set allow_private_network = true if it is meant")]
    ForbiddenAddress(String),
    /// Not a URL that can be called.
    #[error("not a URL that can be called: {0}")]
    InvalidUrl(String),
    /// No complete response in time.
    #[error("no answer in time")]
    Timeout,
    /// The body exceeds the limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// A redirect, which is never followed.
    #[error("the answer is a redirect (status {0}), which is not followed")]
    Redirect(u16),
    /// A body that is invalid or has another compression than gzip. None was requested.
    #[error("the answer is compressed, which was not asked for, and can't be read")]
    Compressed,
    /// No connection, because of the name, the route, the port or TLS.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke, or the response is not HTTP.
    #[error("the connection failed: {0}")]
    Failed(String),
}

/// The permitted destinations of calls for one purpose, and the proxy to use.
///
/// A host that the operator configured may have any address. Any other host, named by a discovery document or a client,
/// must have a public address unless `allow_private_network` is set; loopback is allowed too if the operator's own URLs
/// are on loopback. The rule is by host: a trusted name is trusted with every port. A proxy resolves names itself, so that
/// only addresses written as numbers are checked then.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct OutboundPolicy {
    trusted_hosts: BTreeSet<String>,
    loopback: bool,
    allow_private_network: bool,
    allow_http: bool,
    ca: Option<Arc<[u8]>>,
    proxy: Option<String>,
    identity: Option<Arc<Identity>>,
}

impl OutboundPolicy {
    /// The policy for calls to an untrusted URL: public addresses over https only.
    #[must_use]
    pub fn strangers() -> Self {
        Self::default()
    }

    /// The policy that trusts the hosts of these URLs, which the operator wrote.
    #[must_use]
    pub fn trusting<'a>(written: impl IntoIterator<Item = &'a Url>) -> Self {
        let mut policy = Self::default();
        for url in written {
            if let Some(host) = url.host() {
                policy.loopback |= is_loopback(&host);
                policy.trusted_hosts.insert(host.to_string());
            }
        }
        policy
    }

    /// Sets whether hosts that the operator did not write may have private addresses.
    #[must_use]
    pub fn allow_private_network(mut self, allow: bool) -> Self {
        self.allow_private_network = allow;
        self
    }

    /// Whether hosts that the operator did not write may have private addresses.
    #[must_use]
    pub fn allows_private_network(&self) -> bool {
        self.allow_private_network
    }

    /// Sets whether plain http is accepted off loopback.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    /// Sets certificate authorities, in PEM form, that are trusted in addition to the system's.
    #[must_use]
    pub fn with_ca(mut self, pem: Option<Arc<[u8]>>) -> Self {
        self.ca = pem;
        self
    }

    /// Sets an HTTP proxy for every call. It may have any address, because the operator configured it.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Option<&Url>) -> Self {
        if let Some(host) = proxy.and_then(Url::host) {
            self.trusted_hosts.insert(host.to_string());
        }
        self.proxy = proxy.map(ToString::to_string);
        self
    }

    /// Sets the certificate that is presented to servers that ask for one.
    #[must_use]
    pub fn with_identity(mut self, identity: Option<Arc<Identity>>) -> Self {
        self.identity = identity;
        self
    }

    /// The certificate that is presented to servers that ask for one.
    #[must_use]
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// Checks everything that can be checked without resolving the name: the scheme, and a numeric address.
    ///
    /// # Errors
    /// The URL may not be called under this policy.
    pub fn check(&self, url: &Url) -> Result<(), OutboundError> {
        let host = url.host().ok_or_else(|| OutboundError::InvalidUrl("it names no host".to_owned()))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http || is_loopback(&host) => {}
            "http" => return Err(OutboundError::NotHttps(host.to_string())),
            _ => return Err(OutboundError::InvalidUrl("it is neither https nor http".to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::InvalidUrl("it carries a user name or password".to_owned()));
        }
        let address = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(name) if is_localhost(name) => Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
            Host::Domain(_) => None,
        };
        match address {
            Some(address) if !self.permits(&host.to_string(), address) => {
                Err(OutboundError::ForbiddenAddress(host.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Whether a connection for `host` may be made to `address`.
    #[must_use]
    pub fn permits(&self, host: &str, address: IpAddr) -> bool {
        self.allow_private_network
            || self.trusted_hosts.contains(host)
            || (self.loopback && address.to_canonical().is_loopback())
            || is_public(address)
    }
}

impl fmt::Debug for OutboundPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The proxy's URL may contain a password.
        f.debug_struct("OutboundPolicy")
            .field("trusted_hosts", &self.trusted_hosts)
            .field("loopback", &self.loopback)
            .field("allow_private_network", &self.allow_private_network)
            .field("allow_http", &self.allow_http)
            .field("ca", &self.ca.is_some())
            .field("proxy", &self.proxy.is_some())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.to_canonical().is_loopback(),
        Host::Domain(name) => is_localhost(name),
    }
}

/// `localhost` and its subdomains always refer to this machine (RFC 6761 §6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests;
