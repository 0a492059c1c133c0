//! `[telemetry]`.

use url::{Host, Url};

use crate::config::check::context::Context;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;

/// Headers that the broker sets itself.
const OWN: [&str; 4] = ["content-type", "content-length", "host", "accept-encoding"];

/// The registered port of OTLP over gRPC.
const GRPC: u16 = 4317;

pub(crate) fn check(context: &mut Context<'_>) {
    let Some(telemetry) = &context.config.telemetry else { return };
    let at = At::Root.key("telemetry");
    let endpoint = at.key("otlp_endpoint");
    let written = &telemetry.otlp_endpoint;
    let url = Url::parse(written).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    if url.as_ref().is_some_and(|url| url.port() == Some(GRPC)) {
        let message = format!("port {GRPC} is usually that of OTLP over gRPC, and spans are sent over HTTP");
        context.warn(&endpoint, message, "write the port of OTLP over HTTP, usually 4318");
    }
    let bare = |url: &Url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    match url.filter(|url| bare(url) && url.password().is_none()) {
        None => context.must(&endpoint, "the http(s) URL of an OTLP/HTTP collector, without a query", quote(written)),
        Some(url) if url.scheme() == "http" && !telemetry.headers.is_empty() && !is_loopback(&url) => {
            let message = format!("`headers` would be sent to {} without TLS", quote(written));
            context.key_error(&at.key("headers"), message, "write an https URL, or leave the headers out");
        }
        Some(_) => {}
    }
    for name in telemetry.headers.keys() {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) || OWN.contains(&name.to_ascii_lowercase().as_str()) {
            context.must(&at.key("headers").key(name), "a header that the broker does not set itself", quote(name));
        }
    }
    if telemetry.service_name.trim().is_empty() {
        context.must(&at.key("service_name"), "a name", quote(&telemetry.service_name));
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
