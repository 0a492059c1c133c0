//! Addresses on this machine: which hosts are loopback, which loopback redirect URIs are the same, and where the broker
//! listens.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use url::Host;

/// Whether a host is this machine: `localhost`, 127.0.0.0/8 or `::1`.
#[must_use]
pub fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether two redirect URIs are on loopback and the same, character for character, except for the port (RFC 8252 §7.3). The
/// text around the port is compared, so that different spellings do not count as the same.
#[must_use]
pub fn same_but_for_loopback_port(known: &str, uri: &str) -> bool {
    match (split_port(known), split_port(uri)) {
        (Some((host, rest)), Some((other_host, other_rest))) => host == other_host && rest == other_rest,
        _ => false,
    }
}

/// `http://127.0.0.1:8080/cb` → (`127.0.0.1`, `/cb`); only for loopback hosts.
fn split_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| rest.starts_with(host))?;
    let rest = rest.get(host.len()..)?;
    let (port, path) = match rest.strip_prefix(':') {
        Some(with_port) => {
            let end = with_port.find('/').unwrap_or(with_port.len());
            with_port.split_at(end)
        }
        None => ("80", rest),
    };
    let valid_port =
        port.len() <= 5 && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let valid_path = path.is_empty() || path.starts_with('/');
    (valid_port && valid_path).then_some((host, path))
}

/// A network (`10.0.0.0/8`), or a single address as a network. An IPv4 network in its IPv6 form (`::ffff:10.0.0.0/104`, RFC
/// 4291 §2.5.5.2) becomes the IPv4 network, because that is how its addresses are compared.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let mapped = match network {
        IpNet::V6(network) => network.addr().to_ipv4_mapped().zip(network.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    Some(mapped.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok()).map_or(network, IpNet::V4))
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `host:port`, `[::1]:port`
    Tcp {
        /// Host name or address, without brackets.
        host: String,
        /// Port; with 0 the operating system chooses one.
        port: u16,
    },
    /// `unix:/path`
    Unix(String),
}

impl Listen {
    /// Parses a listen address; the error says what is expected.
    ///
    /// # Errors
    /// If it is neither `host:port` nor `unix:/path`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "an address such as \"127.0.0.1:8080\", \"[::1]:8080\" or \"unix:/run/broker.sock\"";
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                // What fits into `sun_path` (unix(7)) with its terminating zero.
                _ if path.len() > 107 => Err("`unix:` and a path of at most 107 bytes"),
                _ if path.starts_with('/') && !path.ends_with('/') && !path.contains('\0') => {
                    Ok(Self::Unix(path.to_owned()))
                }
                _ => Err(EXPECTED),
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
        let port = port.parse().map_err(|_| EXPECTED)?;
        let host = match host.strip_prefix('[') {
            Some(address) => {
                let address = address.strip_suffix(']').ok_or(EXPECTED)?;
                address.parse::<std::net::Ipv6Addr>().map_err(|_| EXPECTED)?;
                address
            }
            None if host.is_empty() || host.contains([':', '/', ' ', '@']) => return Err(EXPECTED),
            None => host,
        };
        Ok(Self::Tcp { host: host.to_owned(), port })
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => match host.parse::<IpAddr>() {
                Ok(address) => address.is_loopback(),
                Err(_) => host.eq_ignore_ascii_case("localhost"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (text, expected) in [
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("192.0.2.1", Some("192.0.2.1/32")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("::1", Some("::1/128")),
            ("::ffff:10.0.0.0/104", Some("10.0.0.0/8")),
            ("::ffff:10.1.2.3", Some("10.1.2.3/32")),
            ("::ffff:0:0/96", Some("0.0.0.0/0")),
            ("::/0", Some("::/0")),
            ("10.0.0.0/33", None),
            ("proxy.example", None),
            ("", None),
        ] {
            assert_eq!(network(text).map(|network| network.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn listen_addresses() {
        for (text, loopback) in [
            ("127.0.0.1:8080", Some(true)),
            ("[::1]:8080", Some(true)),
            ("localhost:0", Some(true)),
            ("unix:/run/x.sock", Some(true)),
            ("0.0.0.0:80", Some(false)),
            ("[::]:80", Some(false)),
            ("broker.example:80", Some(false)),
            ("::1:80", None),
            ("127.0.0.1", None),
            (":80", None),
            ("127.0.0.1:99999", None),
            ("unix:relative", None),
            ("unix:/", None),
            ("unix:/run/", None),
            ("unix:/run/a\0b", None),
            (&format!("unix:/{}", "x".repeat(106)), Some(true)),
            (&format!("unix:/{}", "x".repeat(107)), None),
            ("http://127.0.0.1:80", None),
        ] {
            assert_eq!(Listen::parse(text).ok().map(|listen| listen.is_loopback()), loopback, "{text}");
        }
    }

    #[test]
    fn loopback_ports_are_free_and_nothing_else_is() {
        for (known, uri, same) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", true),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb", true),
            ("http://[::1]:1/cb", "http://[::1]:2/cb", true),
            ("http://localhost/cb", "http://localhost:9/cb", true),
            ("http://127.0.0.1/cb", "http://127.0.0.1:2/cb/", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:2@evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false),
            ("http://127.0.0.1/cb", "https://127.0.0.1:2/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb", false),
            ("https://a.example/cb", "https://a.example:2/cb", false),
        ] {
            assert_eq!(same_but_for_loopback_port(known, uri), same, "{known} {uri}");
        }
    }
}
