//! A cache of verified chains: no signature is verified again for a client that returns soon.
//!
//! Signatures stay valid; certificates expire. A chain is remembered until the first certificate that could be part of it
//! expires, and for [`LIFETIME`] at most. The cache belongs to its authorities: a reload that reads others starts an empty one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::CertificateDer;

use crate::digest::sha256;

/// The most chains that are remembered.
const MOST: usize = 1024;
/// How long a chain is remembered, in seconds.
const LIFETIME: i64 = 300;

/// When a chain was verified, and the last second in which that counts.
#[derive(Clone, Copy, Debug)]
struct Period {
    from: i64,
    until: i64,
}

/// The chains that were verified against the same authorities.
#[derive(Clone, Debug, Default)]
pub(super) struct Verified(Arc<Mutex<HashMap<[u8; 32], Period>>>);

impl Verified {
    /// Whether this chain was verified, and everything in it is still valid.
    pub(super) fn holds(&self, chain: &[CertificateDer<'_>], now: i64) -> bool {
        let periods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        periods.get(&id(chain)).is_some_and(|period| (period.from..=period.until).contains(&now))
    }

    /// Remembers a chain that was verified now. `ends` has, for each certificate that may be part of it, the last second in
    /// which it is valid.
    pub(super) fn remember(&self, chain: &[CertificateDer<'_>], now: i64, ends: impl Iterator<Item = i64>) {
        let until = ends.filter(|end| *end >= now).fold(now.saturating_add(LIFETIME), i64::min);
        let mut periods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if periods.len() >= MOST {
            periods.retain(|_, period| (period.from..=period.until).contains(&now));
        }
        // Clients that return soon are remembered again.
        if periods.len() >= MOST {
            periods.clear();
        }
        periods.insert(id(chain), Period { from: now, until });
    }
}

/// The certificates of a chain and their order. Their lengths keep two chains with the same bytes apart.
fn id(chain: &[CertificateDer<'_>]) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(chain.iter().map(|der| der.len() + 8).sum());
    for der in chain {
        bytes.extend_from_slice(&der.len().to_be_bytes());
        bytes.extend_from_slice(der);
    }
    sha256(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(bytes: &[&[u8]]) -> Vec<CertificateDer<'static>> {
        bytes.iter().map(|der| CertificateDer::from(der.to_vec())).collect()
    }

    #[test]
    fn a_chain_counts_until_its_first_certificate_expires() {
        let verified = Verified::default();
        let short = chain(&[b"leaf", b"authority"]);
        verified.remember(&short, 1000, [1100, 5000, 900].into_iter());
        let at = |now| verified.holds(&short, now);
        assert_eq!([999, 1000, 1100, 1101].map(at), [false, true, true, false]);
        for other in [&[b"leaf".as_slice()][..], &[b"leafa", b"uthority"], &[b"authority", b"leaf"]] {
            assert!(!verified.holds(&chain(other), 1000), "{other:?} is another chain");
        }
        verified.remember(&short, 2000, std::iter::once(90_000));
        assert_eq!([2300, 2301].map(at), [true, false], "the signatures are verified again after a while");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let verified = Verified::default();
        for n in 0..3000_u32 {
            let chain = chain(&[&n.to_be_bytes()]);
            verified.remember(&chain, i64::from(n) / 100, std::iter::empty());
            assert!(verified.holds(&chain, i64::from(n) / 100));
        }
        assert!(verified.0.lock().unwrap_or_else(PoisonError::into_inner).len() <= MOST);
    }
}
