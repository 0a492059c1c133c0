//! The broker's own certificate, which it presents to servers that ask for one (RFC 8705 §2).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::digest::sha256;

/// A client certificate with its private key.
#[derive(Clone)]
pub struct Identity {
    pair: Arc<CertifiedKey>,
    /// Of everything that it was read from: two identities are the same if this is.
    hash: [u8; 32],
}

impl Identity {
    /// Reads a chain, PEM, whose first certificate is the broker's own, and its key, PEM.
    ///
    /// # Errors
    /// What is wrong with them, to follow the name of the certificate's place.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("is no PEM file with certificates: {error}"))?;
        if certificates.is_empty() {
            return Err("holds no certificate in PEM form".to_owned());
        }
        let private = PrivateKeyDer::from_pem_slice(key).map_err(|_| "has no key: `client_key` is no PEM key")?;
        let pair = CertifiedKey::from_der(certificates, private, &aws_lc_rs::default_provider());
        let pair = pair.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => "does not belong to the key in `client_key`".to_owned(),
            error => format!("can't be used: {error}"),
        })?;
        Ok(Self { pair: Arc::new(pair), hash: sha256(&[chain, b"\0", key].concat()) })
    }

    /// The certificates, the broker's own first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.pair.cert
    }

    pub(super) fn pair(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.pair)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("chain", &self.chain().len()).finish_non_exhaustive()
    }
}
