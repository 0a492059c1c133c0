//! `[limits]`, and `server.trusted_proxies`, which determines the address that a limit counts.

use ipnet::IpNet;

use crate::config::check::context::Context;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::address::network;
use crate::config::language::scalar::Size;
use crate::config::language::server::UNIX_PEERS;

/// The longest query that the HTTP library accepts besides the longest path: a request target has at most 65534 bytes.
const LONGEST_QUERY: Size = Size::kib(60);
/// Networks with a shorter prefix contain a large part of the Internet, and so strangers. 10.0.0.0/8 and fc00::/7 are the
/// largest private ones.
const SHORTEST_V4: u8 = 8;
const SHORTEST_V6: u8 = 7;

pub(crate) fn check(context: &mut Context<'_>) {
    let (at, limits) = (At::Root.key("limits"), &context.config.limits);
    for (key, size) in [("body", limits.body), ("query", limits.query), ("headers", limits.headers)] {
        if size.bytes() == 0 {
            context.must(&at.key(key), "more than zero", quote(&size.to_string()));
        }
    }
    if limits.query > LONGEST_QUERY {
        let found = quote(&limits.query.to_string());
        context.must(&at.key("query"), format!("at most \"{LONGEST_QUERY}\""), found);
    }
    trusted_proxies(context);
}

fn trusted_proxies(context: &mut Context<'_>) {
    let config = context.config;
    let server = At::Root.key("server");
    let at = server.key("trusted_proxies");
    let mut networks = Vec::new();
    for (index, text) in config.server.trusted_proxies.iter().enumerate() {
        match network(text) {
            Some(network) => networks.push(network),
            None if text == UNIX_PEERS => {}
            None => {
                let expected = "a network such as \"10.0.0.0/8\", an address, or \"unix:\"";
                context.must(&at.index(index), expected, quote(text));
            }
        }
    }
    // They are checked together, because two halves make up the whole.
    if let Some(vast) = IpNet::aggregate(&networks).into_iter().find(is_vast) {
        let message = format!(
            "`trusted_proxies` covers {vast}, a large part of the Internet: anybody there could choose the address that \
             limits and logs know"
        );
        context.error(&at, message, "name the networks of your own proxies, such as \"10.0.0.0/8\"");
    }
}

fn is_vast(network: &IpNet) -> bool {
    let shortest = if matches!(network, IpNet::V4(_)) { SHORTEST_V4 } else { SHORTEST_V6 };
    network.prefix_len() < shortest
}
