//! Which addresses belong to the public internet. [`crate::outbound::OutboundPolicy`] decides when that matters.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the address is a globally reachable unicast address (the IANA special-purpose registries, RFC 6890). An IPv6
/// address with an embedded IPv4 address (mapped, compatible, NAT64, 6to4) is treated like that IPv4 address.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    match (a, b) {
        // IPv4-mapped and IPv4-compatible. `::` and `::1` are among the latter, and are not public as IPv4 addresses.
        (0, 0) if c == 0 && d == 0 && e == 0 && (f == 0 || f == 0xffff) => is_public_v4(embedded(g, h)),
        // NAT64 (RFC 6052). Its local-use prefix 64:ff9b:1::/48 is not matched here.
        (0x64, 0xff9b) if c == 0 && d == 0 && e == 0 && f == 0 => is_public_v4(embedded(g, h)),
        // 6to4 (RFC 3056).
        (0x2002, _) => is_public_v4(embedded(b, c)),
        // Teredo, benchmarking, ORCHID and the rest of 2001::/23; documentation.
        (0x2001, 0..=0x01ff | 0x0db8) => false,
        (0x3fff, 0..=0x0fff) => false,
        // Global unicast is 2000::/3; unique local, link-local and multicast addresses are outside of it.
        _ => (0x2000..=0x3fff).contains(&a),
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}
