//! `[limits]`, resolved to plain numbers.

use crate::config::language::limits::{Limits as Declared, Rate};
use crate::config::language::scalar::Size;

/// Limits on what strangers can make the broker do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum size of a request body, in bytes.
    pub body: usize,
    /// Maximum length of a query, in bytes.
    pub query: usize,
    /// Maximum size of the header section, in bytes.
    pub headers: usize,
    /// Maximum number of connections to all public listeners together.
    pub connections: usize,
    /// Maximum number of unfinished sign-ins, open pages and pushed requests.
    pub pending_sign_ins: u64,
    /// Requests from one address that write before anyone has signed in.
    pub per_address: RateLimit,
    /// Failed authentications of one client from one address.
    pub failed_authentication: RateLimit,
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Average rate.
    pub rate: Rate,
    /// Number allowed at once after a pause.
    pub burst: u32,
}

impl Limits {
    /// Resolves the typed section.
    #[must_use]
    pub fn of(declared: &Declared) -> Self {
        let bytes = |size: Size| usize::try_from(size.bytes()).unwrap_or(usize::MAX);
        let limit = |rate: Rate, burst: u64| RateLimit { rate, burst: u32::try_from(burst).unwrap_or(u32::MAX) };
        let (address, failed) = (&declared.per_address, &declared.failed_authentication);
        Self {
            body: bytes(declared.body),
            query: bytes(declared.query),
            headers: bytes(declared.headers),
            connections: usize::try_from(declared.connections).unwrap_or(usize::MAX),
            pending_sign_ins: declared.pending_sign_ins,
            per_address: limit(address.rate, address.burst),
            failed_authentication: limit(failed.rate, failed.burst),
        }
    }
}
