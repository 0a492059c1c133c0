//! `server.trusted_proxies`: the proxies whose `X-Forwarded-*` headers are trusted.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::language::address::network;
use crate::config::language::server::{Server, UNIX_PEERS};

/// The proxies that are trusted to report the addresses of their peers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
}

impl TrustedProxies {
    /// The proxies that a configuration names.
    #[must_use]
    pub fn of(server: &Server) -> Self {
        let named = server.trusted_proxies.iter();
        Self {
            networks: named.filter_map(|text| network(text)).collect(),
            unix: server.trusted_proxies.iter().any(|text| text == UNIX_PEERS),
        }
    }

    /// Whether a proxy is trusted, by its address or, if it has none, as the peer of a unix socket.
    #[must_use]
    pub fn believes(&self, address: Option<IpAddr>) -> bool {
        match address {
            Some(address) => self.networks.iter().any(|network| network.contains(&address)),
            None => self.unix,
        }
    }
}
