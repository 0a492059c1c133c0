//! A request, read once: method, path, parameters, headers. `Host` is never looked at; `X-Forwarded-For` counts only from
//! trusted proxies, and only for logs and limits.

use std::net::{IpAddr, SocketAddr};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt as _, Limited};

use crate::op::dpop::ProofHeader;
use crate::op::params::Params;
use crate::snapshot::proxies::TrustedProxies;
use crate::web::listener::{Peer, Timeouts};

/// The header with a DPoP proof (RFC 9449 §4.1).
const DPOP: header::HeaderName = header::HeaderName::from_static("dpop");

/// Characters of `User-Agent` that are kept with a session.
const LONGEST_USER_AGENT: usize = 256;

/// A request.
pub struct Incoming {
    /// The method.
    pub method: Method,
    /// The path, as sent.
    pub path: String,
    /// The query.
    pub query: Params,
    /// The headers.
    pub headers: HeaderMap,
    body: Bytes,
}

/// An address of `X-Forwarded-For`: alone, or with a port as some proxies write it (`192.0.2.1:4711`, `[2001:db8::1]:4711`).
fn forwarded_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Where a request came from, for logs and limits: the peer or, where that is a trusted proxy, the last address of
/// `X-Forwarded-For` that is not a trusted proxy, so that a forged beginning of the header changes nothing. `None` for the peer
/// of a unix socket that is not trusted or sends no such header.
#[must_use]
pub fn client_address(request: &Request<Body>, trusted: &TrustedProxies) -> Option<IpAddr> {
    let mut address = match request.extensions().get::<Peer>()? {
        Peer::Address(peer) => Some(peer.ip().to_canonical()),
        Peer::Unix => None,
    };
    let lines: Vec<&str> =
        request.headers().get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    for forwarded in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !trusted.believes(address) {
            break;
        }
        match forwarded_address(forwarded.trim()) {
            Some(next) => address = Some(next.to_canonical()),
            None => break,
        }
    }
    address
}

/// Why a request can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Larger than `limits.body`.
    TooLarge,
    /// The connection broke.
    Broken,
    /// It was not complete in time.
    TooSlow,
}

impl Incoming {
    /// Reads a request with a body of at most `limit` bytes, waiting for it for as long as the listener allows.
    ///
    /// # Errors
    /// When the body is larger or too slow, or the connection breaks.
    pub async fn read(request: Request<Body>, limit: usize) -> Result<Self, Unreadable> {
        let (parts, body) = request.into_parts();
        let body = if parts.method == Method::POST {
            let timeouts = parts.extensions.get::<Timeouts>().copied().unwrap_or_default();
            match tokio::time::timeout(timeouts.body, Limited::new(body, limit).collect()).await {
                Ok(Ok(collected)) => collected.to_bytes(),
                Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => return Err(Unreadable::TooLarge),
                Ok(Err(_)) => return Err(Unreadable::Broken),
                Err(_) => return Err(Unreadable::TooSlow),
            }
        } else {
            Bytes::new()
        };
        Ok(Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: Params::parse(parts.uri.query().unwrap_or_default().as_bytes()),
            headers: parts.headers,
            body,
        })
    }

    /// A header that came once and is text.
    #[must_use]
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        if values.next().is_some() { None } else { first.to_str().ok() }
    }

    /// The beginning of what the browser says of itself.
    #[must_use]
    pub fn user_agent(&self) -> Option<String> {
        self.header(header::USER_AGENT).map(|text| text.chars().take(LONGEST_USER_AGENT).collect())
    }

    /// Whether it was sent by POST.
    #[must_use]
    pub fn is_post(&self) -> bool {
        self.method == Method::POST
    }

    /// The DPoP proof (RFC 9449 §4.1).
    #[must_use]
    pub fn proof(&self) -> ProofHeader<'_> {
        if !self.headers.contains_key(DPOP) {
            return ProofHeader::Nothing;
        }
        self.header(DPOP).map_or(ProofHeader::Unreadable, ProofHeader::One)
    }

    /// Whether the body is of a media type, whatever its parameters.
    #[must_use]
    pub fn is_of_type(&self, wanted: &str) -> bool {
        let kind = self.header(header::CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case(wanted)
    }

    /// Whether the body is a form (RFC 6749 §3.2 asks for this type).
    #[must_use]
    pub fn is_form(&self) -> bool {
        self.is_of_type("application/x-www-form-urlencoded")
    }

    /// The body as text; `None` if it is none.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }

    /// The form in the body; empty when the body is none.
    #[must_use]
    pub fn form(&self) -> Params {
        if self.is_form() { Params::parse(&self.body) } else { Params::default() }
    }

    /// Whether the path is so long, or the query has so many parameters, that only an attack sends it.
    #[must_use]
    pub fn is_oversized(&self) -> bool {
        self.path.len() > 2048 || self.query.pairs().len() > 200
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::language::server::Server;

    fn trusting(proxies: &[&str]) -> TrustedProxies {
        let trusted_proxies = proxies.iter().map(|text| (*text).to_owned()).collect();
        TrustedProxies::of(&Server { trusted_proxies, ..Server::default() })
    }

    fn from(peer: Peer, forwarded: Option<&str>, trusted: &TrustedProxies) -> Option<String> {
        let mut request = Request::new(Body::empty());
        if let Some(forwarded) = forwarded {
            request.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
        }
        request.extensions_mut().insert(peer);
        client_address(&request, trusted).map(|address| address.to_string())
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = trusting(&["10.0.0.0/8", "2001:db8::1"]);
        for (peer, forwarded, expected) in [
            ("192.0.2.1:1", "203.0.113.9", "192.0.2.1"),
            ("10.0.0.1:1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1:1", "1.2.3.4, 203.0.113.9", "203.0.113.9"),
            ("10.0.0.1:1", "203.0.113.9, 10.0.0.7", "203.0.113.9"),
            ("10.0.0.1:1", "nonsense", "10.0.0.1"),
            ("10.0.0.1:1", "203.0.113.9:4711", "203.0.113.9"),
            ("10.0.0.1:1", "203.0.113.9, 10.0.0.7:80", "203.0.113.9"),
            ("10.0.0.1:1", "[2001:db8::9]:4711", "2001:db8::9"),
            ("10.0.0.1:1", "[2001:db8::9]", "2001:db8::9"),
            ("10.0.0.1:1", "2001:db8::9", "2001:db8::9"),
            ("10.0.0.1:1", "203.0.113.9:port", "10.0.0.1"),
            ("[2001:db8::1]:1", "203.0.113.9", "203.0.113.9"),
        ] {
            let found = from(Peer::Address(peer.parse().unwrap()), Some(forwarded), &trusted);
            assert_eq!(found.as_deref(), Some(expected), "{peer} {forwarded}");
        }
    }

    #[test]
    fn a_unix_peer_is_believed_only_where_the_file_says_so() {
        for (proxies, forwarded, expected) in [
            (&[][..], Some("203.0.113.9"), None),
            (&["0.0.0.0/0", "::/0"], Some("203.0.113.9"), None),
            (&["unix:"], None, None),
            (&["unix:"], Some("203.0.113.9"), Some("203.0.113.9")),
            (&["unix:"], Some("1.2.3.4, 203.0.113.9"), Some("203.0.113.9")),
            (&["unix:", "10.0.0.0/8"], Some("203.0.113.9, 10.0.0.7"), Some("203.0.113.9")),
            (&["unix:"], Some("nonsense"), None),
        ] {
            let found = from(Peer::Unix, forwarded, &trusting(proxies));
            assert_eq!(found.as_deref(), expected, "{proxies:?} {forwarded:?}");
        }
        // That its header is trusted does not affect peers that connect by TCP.
        let found = from(Peer::Address("192.0.2.1:1".parse().unwrap()), Some("203.0.113.9"), &trusting(&["unix:"]));
        assert_eq!(found.as_deref(), Some("192.0.2.1"));
    }
}
