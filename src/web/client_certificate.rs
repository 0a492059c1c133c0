//! The certificate of a request's client: read where the request came by the listener for it, from a trusted proxy. Anywhere
//! else the header is what a stranger wrote, and counts for nothing.

use axum::body::Body;
use axum::http::Request;

use crate::snapshot::Snapshot;
use crate::web::listener::Peer;
use crate::x509::{Reading, header};

/// The listeners that requests come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// `server.listen`.
    Public,
    /// `certificates.listen`, where proxies forward the certificates of clients.
    Certificates,
}

impl Entrance {
    /// Its key in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "server.listen",
            Self::Certificates => "certificates.listen",
        }
    }
}

/// The certificate of a request, and whether a header that should have held it was ignored.
pub(super) fn read(snapshot: &Snapshot, entrance: Entrance, request: &Request<Body>) -> (Reading, bool) {
    let Some(section) = &snapshot.resolved.certificates else { return (Reading::NotRead, false) };
    let proxy = match request.extensions().get::<Peer>() {
        Some(Peer::Address(peer)) => snapshot.trusted_proxies.believes(Some(peer.ip().to_canonical())),
        Some(Peer::Unix) => snapshot.trusted_proxies.believes(None),
        None => false,
    };
    if entrance == Entrance::Certificates && proxy {
        return (Reading::of(section, request.headers()), false);
    }
    (Reading::NotRead, header::is_there(section, request.headers()))
}
