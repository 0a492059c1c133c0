//! Certificate revocation lists (RFC 5280 §5): reading them, and what they say of a chain.

use std::sync::Arc;

use chrono::DateTime;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;
use webpki::{
    CertRevocationList, Error, ExpirationPolicy, OwnedCertRevocationList, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_parser::parse_x509_crl;

use crate::x509::flaw::Flaw;

/// What begins a PEM file.
const PEM: &[u8] = b"-----BEGIN";

/// The revocation lists of `certificates.crl`.
#[derive(Clone, Debug)]
pub struct Revocations {
    lists: Vec<List>,
    next_update: i64,
}

/// One list.
#[derive(Clone, Debug)]
struct List {
    list: Arc<CertRevocationList<'static>>,
    /// The name of the authority in DER.
    issuer: Vec<u8>,
    name: String,
}

impl Revocations {
    /// Reads a file with lists in PEM form, or with one in DER. Their signatures are verified with each chain.
    ///
    /// # Errors
    /// What is wrong with the file, to be read after "the file".
    pub fn read(file: &[u8]) -> Result<Self, String> {
        let lists: Vec<CertificateRevocationListDer<'_>> = if file.windows(PEM.len()).any(|window| window == PEM) {
            let lists = CertificateRevocationListDer::pem_slice_iter(file).collect::<Result<_, _>>();
            lists.map_err(|_| "has PEM that is damaged".to_owned())?
        } else {
            vec![CertificateRevocationListDer::from(file)]
        };
        let mut found = Self { lists: Vec::new(), next_update: i64::MAX };
        for (index, der) in lists.iter().enumerate() {
            let told = |what: &str| format!("holds, as list {}, {what}", index + 1);
            found.add(der).map_err(|what| told(&what))?;
        }
        if found.lists.is_empty() { Err("holds no revocation list (X509 CRL)".to_owned()) } else { Ok(found) }
    }

    fn add(&mut self, der: &[u8]) -> Result<(), String> {
        const UNREADABLE: &str = "one that can't be read";
        let list = OwnedCertRevocationList::from_der(der).map_err(|error| {
            let what = match error {
                Error::UnsupportedDeltaCrl => "a delta list, which has changes only: name the whole one",
                Error::UnsupportedIndirectCrl => "an indirect list, which has certificates of other authorities",
                Error::UnsupportedCrlVersion => "one that is not of version 2 (RFC 5280 §5.1.2.1)",
                Error::UnsupportedRevocationReasonsPartitioning => "one for some reasons of revocation only",
                Error::UnsupportedCriticalExtension => "one with a critical extension that is not known here",
                _ => UNREADABLE,
            };
            what.to_owned()
        })?;
        let (_, parsed) = parse_x509_crl(der).map_err(|_| UNREADABLE)?;
        // Every list says when the next one comes (RFC 5280 §5.1.2.5): without it, an old one would count for ever.
        let next = parsed.next_update().ok_or("one without nextUpdate")?.timestamp();
        let (issuer, name) = (parsed.issuer().as_raw().to_vec(), parsed.issuer().to_string());
        self.next_update = self.next_update.min(next);
        self.lists.push(List { list: Arc::new(list.into()), issuer, name });
        Ok(())
    }

    /// When the first of the lists is due to be replaced, in seconds since the Unix epoch. It counts until then.
    #[must_use]
    pub fn next_update(&self) -> i64 {
        self.next_update
    }

    /// The same as text.
    #[must_use]
    pub fn due(&self) -> String {
        let time = DateTime::from_timestamp(self.next_update, 0);
        time.map(|time| time.format("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
    }

    /// The first authority with a list that is none of these, given by their names in DER.
    pub(super) fn stranger(&self, authorities: &[Vec<u8>]) -> Option<&str> {
        let stranger = self.lists.iter().find(|list| !authorities.contains(&list.issuer));
        stranger.map(|list| list.name.as_str())
    }

    /// The lists, as the library takes them.
    pub(super) fn lists(&self) -> Vec<&CertRevocationList<'static>> {
        self.lists.iter().map(|list| &*list.list).collect()
    }
}

/// How chains are checked: every certificate of one, by a list that its issuer signed and that has not expired. Without such a
/// list a certificate is refused: an authority that revokes must not be able to fail silently.
pub(super) fn options<'l>(lists: &'l [&'l CertRevocationList<'l>]) -> Option<webpki::RevocationOptions<'l>> {
    let options = RevocationOptionsBuilder::new(lists).ok()?;
    let options = options.with_depth(RevocationCheckDepth::Chain).with_status_policy(UnknownStatusPolicy::Deny);
    Some(options.with_expiration_policy(ExpirationPolicy::Enforce).build())
}

/// What an error of the library about revocation means; `None` for any other.
pub(super) fn flaw(error: &Error) -> Option<Flaw> {
    match error {
        Error::CertRevoked => Some(Flaw::Revoked),
        Error::CrlExpired { .. } => Some(Flaw::ListExpired),
        Error::UnknownRevocationStatus => Some(Flaw::NoList),
        Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => Some(Flaw::ListSignature),
        _ => None,
    }
}
