//! `server.trusted_proxies`: whose `X-Forwarded-*` headers are believed.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::language::address::network;
use crate::config::language::server::{Server, UNIX_PEERS};

/// The proxies that are trusted to name their own peers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
}

impl TrustedProxies {
    /// Those that a configuration names.
    #[must_use]
    pub fn of(server: &Server) -> Self {
        let named = server.trusted_proxies.iter();
        Self {
            networks: named.filter_map(|text| network(text)).collect(),
            unix: server.trusted_proxies.iter().any(|text| text == UNIX_PEERS),
        }
    }

    /// Whether a proxy is believed: by its address, or, where it has none, as the peer of a unix socket.
    #[must_use]
    pub fn believes(&self, address: Option<IpAddr>) -> bool {
        match address {
            Some(address) => self.networks.iter().any(|network| network.contains(&address)),
            None => self.unix,
        }
    }
}
