//! The nonces that servers gave for the next DPoP proof (RFC 9449 §8, §9), by origin.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use url::Url;

use crate::upstream::dpop::nonce;

/// The most origins that nonces are kept of; a provider has few.
const MOST: usize = 16;

/// The last nonce of each server of a provider.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<HashMap<String, String>>);

impl Nonces {
    /// The nonce for the next proof.
    pub(crate) fn of(&self, url: &Url) -> Option<String> {
        let nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        nonces.get(&url.origin().ascii_serialization()).cloned()
    }

    /// Keeps the nonce of an answer, if it has one.
    pub(crate) fn note(&self, url: &Url, headers: &HeaderMap) {
        let Some(nonce) = nonce(headers) else { return };
        let mut nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if nonces.len() >= MOST {
            nonces.clear();
        }
        nonces.insert(url.origin().ascii_serialization(), nonce.to_owned());
    }
}
