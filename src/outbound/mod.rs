//! Calls that leave the broker: one guarded HTTP client for everything.
//!
//! This module owns what a call may cost and where it may go: no redirects, a total time, a cap on the body, https, and
//! an address policy that is applied to the addresses a connection is really made to; and in [`cache`] how long a fetched
//! document is kept. It does not own what is asked or what an answer means. Nothing here logs a request, a header or a body, and no error carries one.

mod address;
pub(crate) mod cache;
mod client;

use std::collections::BTreeSet;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use url::{Host, Url};

pub use address::is_public;
pub use client::{GuardedClient, Limits, Lookup, SystemLookup};

/// Sends one request under a policy. The broker's is [`GuardedClient`]; tests script their own.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends the request and reads the whole answer, whatever its status is, except for redirects.
    ///
    /// # Errors
    /// When the policy forbids the address, or when there is no answer within the bounds.
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        policy: &OutboundPolicy,
    ) -> Result<http::Response<Vec<u8>>, OutboundError>;
}

/// Why a call gave no answer. Texts are for logs and the status page; they name hosts, never what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// Plain http to another machine.
    #[error("{0} is not https; set allow_http = true on the provider if plain http is meant")]
    NotHttps(String),
    /// The address is not a public one, and nobody wrote its host into the configuration.
    #[error("{0} is at a private, loopback or link-local address; set allow_private_network = true if it is meant")]
    ForbiddenAddress(String),
    /// Not a URL that can be called.
    #[error("not a URL that can be called: {0}")]
    InvalidUrl(String),
    /// No whole answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The body exceeds the cap.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// A redirect, which is never followed.
    #[error("the answer is a redirect (status {0}), which is not followed")]
    Redirect(u16),
    /// A body that is compressed in another way than gzip, or broken. None was asked for.
    #[error("the answer is compressed, which was not asked for, and can't be read")]
    Compressed,
    /// No connection: name, route, port or TLS.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke, or what came is not HTTP.
    #[error("the connection failed: {0}")]
    Failed(String),
}

/// Where calls for one purpose may go, and through what.
///
/// What the operator wrote may be any address. Another host, which a discovery document or a client named, may only be a
/// public one, unless `allow_private_network`; loopback too where the operator's own URLs are on loopback. The rule is by
/// host: a name that the operator trusts is trusted with every port. Through a proxy, the proxy resolves names, so only
/// addresses written as numbers are checked then.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct OutboundPolicy {
    trusted_hosts: BTreeSet<String>,
    loopback: bool,
    allow_private_network: bool,
    allow_http: bool,
    ca: Option<Arc<[u8]>>,
    proxy: Option<String>,
}

impl OutboundPolicy {
    /// The policy for calls to a stranger's URL: public addresses over https only.
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

    /// Whether hosts that the operator did not write may be at private addresses.
    #[must_use]
    pub fn allow_private_network(mut self, allow: bool) -> Self {
        self.allow_private_network = allow;
        self
    }

    /// Whether plain http is accepted off loopback.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    /// Certificate authorities, PEM, that are believed beside the system's.
    #[must_use]
    pub fn with_ca(mut self, pem: Option<Arc<[u8]>>) -> Self {
        self.ca = pem;
        self
    }

    /// An HTTP proxy that every call goes through. The operator wrote it, so it may be anywhere.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Option<&Url>) -> Self {
        if let Some(host) = proxy.and_then(Url::host) {
            self.trusted_hosts.insert(host.to_string());
        }
        self.proxy = proxy.map(ToString::to_string);
        self
    }

    /// Checks all that can be seen without resolving the name: the scheme, and an address written as a number.
    ///
    /// # Errors
    /// When the URL may not be called under this policy.
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
        // The proxy's URL may carry a password.
        f.debug_struct("OutboundPolicy")
            .field("trusted_hosts", &self.trusted_hosts)
            .field("loopback", &self.loopback)
            .field("allow_private_network", &self.allow_private_network)
            .field("allow_http", &self.allow_http)
            .field("ca", &self.ca.is_some())
            .field("proxy", &self.proxy.is_some())
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

/// `localhost` and what is below it are always this machine (RFC 6761 §6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests;
