//! Where a request comes from, as limits count it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a request comes from, as limits count it: an IPv4 address, or an IPv6 network of 64 bits, which is what one
/// subscriber gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// An address.
    V4(Ipv4Addr),
    /// A network, by its first address.
    V6(Ipv6Addr),
    /// Peers without an address: those of a unix socket whose header is not trusted.
    Nameless,
}

impl Source {
    /// The source of an address. An IPv4 address in its IPv6 form is the IPv4 address.
    #[must_use]
    pub fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Self::V4(address),
            Some(IpAddr::V6(address)) => Self::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
            None => Self::Nameless,
        }
    }

    /// What an operator should look at where this exceeds a limit.
    pub(super) fn advice(self) -> &'static str {
        let proxy = match self {
            Self::V4(address) => address.is_private() || address.is_loopback(),
            Self::V6(address) => address.is_loopback() || address.is_unique_local() || address == Ipv6Addr::UNSPECIFIED,
            Self::Nameless => {
                return "; where a proxy connects through the unix socket, name \"unix:\" in trusted_proxies";
            }
        };
        if proxy { "; where it is a proxy, name it in server.trusted_proxies" } else { "" }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6(network) => write!(f, "{network}/64"),
            Self::Nameless => f.write_str("unix socket"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn sources() {
        for (address, expected) in [
            (Some("192.0.2.1"), "192.0.2.1"),
            (Some("::ffff:192.0.2.1"), "192.0.2.1"),
            (Some("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64"),
            (None, "unix socket"),
        ] {
            assert_eq!(Source::of(address.map(|text| text.parse().unwrap())).to_string(), expected);
        }
    }
}
