//! `[break_glass]`, resolved.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::language::address::network;
use crate::config::language::break_glass::BreakGlass as Declared;
use crate::config::language::scalar::Duration;
use crate::protocol::paths;

/// How long a session lasts, unless the file says otherwise.
const DEFAULT_LIFETIME: Duration = Duration::minutes(15);

/// The break-glass account.
#[derive(Clone, Debug)]
pub struct BreakGlass {
    /// Path of its page, below the issuer's.
    pub path: String,
    /// Its name.
    pub username: String,
    /// Keys of the clients that it may enter.
    pub clients: Vec<String>,
    /// A session ends at this age.
    pub max_lifetime: Duration,
    /// A session ends when nothing happened for this long.
    pub max_inactive: Duration,
    /// Where it may be used from; `None` for anywhere.
    networks: Option<Vec<IpNet>>,
}

impl BreakGlass {
    /// Resolves the typed section.
    #[must_use]
    pub fn of(declared: &Declared) -> Self {
        let session = declared.session.as_ref();
        let max_lifetime = session.and_then(|session| session.max_lifetime).unwrap_or(DEFAULT_LIFETIME);
        let networks = |texts: &Vec<String>| texts.iter().filter_map(|text| network(text)).collect();
        Self {
            path: declared.path.clone().unwrap_or_else(|| paths::BREAK_GLASS.to_owned()),
            username: declared.username.clone(),
            clients: declared.clients.clone(),
            max_lifetime,
            max_inactive: session.and_then(|session| session.max_inactive).unwrap_or(max_lifetime),
            networks: declared.allow_from.as_ref().map(networks),
        }
    }

    /// Whether it may enter a client, by the client's key.
    #[must_use]
    pub fn enters(&self, client: &str) -> bool {
        self.clients.iter().any(|known| known == client)
    }

    /// Whether it may be used from an address. Where networks are named, a peer without an address is in none of them.
    #[must_use]
    pub fn usable_from(&self, address: Option<IpAddr>) -> bool {
        let Some(networks) = &self.networks else { return true };
        address.is_some_and(|address| networks.iter().any(|network| network.contains(&address.to_canonical())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(allow_from: Option<&[&str]>) -> BreakGlass {
        BreakGlass::of(&Declared {
            path: None,
            username: "root".to_owned(),
            password_hash: None,
            allow_from: allow_from.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect()),
            clients: Vec::new(),
            roles: Vec::new(),
            groups: Vec::new(),
            session: None,
        })
    }

    #[test]
    fn networks_hold_for_both_forms_of_an_address() {
        let account = account(Some(&["192.0.2.0/24", "2001:db8::/48"]));
        for (address, usable) in [
            (Some("192.0.2.7"), true),
            (Some("::ffff:192.0.2.7"), true),
            (Some("2001:db8:0:7::1"), true),
            (Some("192.0.3.7"), false),
            (Some("2001:db8:1::1"), false),
            (None, false),
        ] {
            assert_eq!(account.usable_from(address.and_then(|text| text.parse().ok())), usable, "{address:?}");
        }
    }

    #[test]
    fn without_networks_it_is_usable_from_anywhere() {
        assert!(account(None).usable_from(None));
        assert!(!account(Some(&[])).usable_from(None), "an empty list names nobody");
    }
}
