//! The chain from a client certificate to a certificate authority (RFC 5280 §6).

use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage, VerifiedPath, anchor_from_trusted_cert};
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::X509Certificate;

use crate::x509::certificate::{Certificate, key_usage, times};
use crate::x509::flaw::Flaw;
use crate::x509::revocations;
use crate::x509::revocations::Revocations;
use crate::x509::verified::Verified;

/// The certificate authorities of `certificates.ca`.
#[derive(Clone, Debug, Default)]
pub struct Authorities {
    anchors: Vec<Anchor>,
    intermediates: Vec<CertificateDer<'static>>,
    /// The names of all of them, in DER.
    names: Vec<Vec<u8>>,
    revocations: Option<Revocations>,
    verified: Verified,
}

/// An authority that a chain may end at. The library looks at its name and its key only.
#[derive(Clone, Debug)]
struct Anchor {
    anchor: TrustAnchor<'static>,
    not_before: i64,
    not_after: i64,
}

impl Anchor {
    fn is_valid_at(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

impl Authorities {
    /// Reads a PEM file. A certificate whose issuer is in the file too is an intermediate one; a chain ends at any other.
    ///
    /// # Errors
    /// What is wrong with the file, to be read after "the file".
    pub fn read(pem: &[u8]) -> Result<Self, String> {
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|_| "has PEM that is damaged".to_owned())?;
        if certificates.is_empty() {
            return Err("holds no certificate in PEM form".to_owned());
        }
        let mut parsed = Vec::new();
        for (index, der) in certificates.iter().enumerate() {
            let certificate = authority(der).map_err(|what| format!("holds, as certificate {}, {what}", index + 1))?;
            parsed.push(certificate);
        }
        let mut found = Self::default();
        for (der, certificate) in certificates.iter().zip(&parsed) {
            let issuer = certificate.issuer().as_raw();
            let own = certificate.subject().as_raw() == issuer;
            if !own && parsed.iter().any(|other| other.subject().as_raw() == issuer) {
                found.intermediates.push(der.clone());
                continue;
            }
            let anchor =
                anchor_from_trusted_cert(der).map_err(|_| "holds a certificate that can't be used".to_owned())?;
            let (not_before, not_after) = times(certificate);
            found.anchors.push(Anchor { anchor: anchor.to_owned(), not_before, not_after });
        }
        if found.anchors.is_empty() {
            return Err("holds certificates that only certify each other".to_owned());
        }
        found.names = parsed.iter().map(|certificate| certificate.subject().as_raw().to_vec()).collect();
        Ok(found)
    }

    /// With the revocation lists of these authorities.
    ///
    /// # Errors
    /// When one is of another authority.
    pub fn with_revocations(self, revocations: Revocations) -> Result<Self, String> {
        match revocations.stranger(&self.names) {
            Some(name) => Err(format!("holds a list of {name}, whose certificate `ca` does not have")),
            None => Ok(Self { revocations: Some(revocations), ..self }),
        }
    }

    /// When the first revocation list is due to be replaced, in seconds since the Unix epoch; `None` without any.
    #[must_use]
    pub fn next_update(&self) -> Option<i64> {
        self.revocations.as_ref().map(Revocations::next_update)
    }

    /// Whether every authority that a chain may end at has expired.
    #[must_use]
    pub fn have_expired(&self, now: i64) -> bool {
        self.anchors.iter().all(|anchor| now > anchor.not_after)
    }

    /// Whether a certificate is valid for a client at this time: by itself, and by a chain of certificates that came with it
    /// or are in the file.
    ///
    /// # Errors
    /// The check that it fails.
    pub fn verify(&self, certificate: &Certificate, now: i64) -> Result<(), Flaw> {
        certificate.check(now)?;
        if self.verified.holds(&certificate.chain, now) {
            return Ok(());
        }
        let valid = self.anchors.iter().filter(|anchor| anchor.is_valid_at(now)).map(|anchor| anchor.anchor.clone());
        match self.chain(certificate, now, &valid.collect::<Vec<_>>()) {
            Err(Flaw::Authority) => {
                let all: Vec<_> = self.anchors.iter().map(|anchor| anchor.anchor.clone()).collect();
                let by_any = self.chain(certificate, now, &all);
                Err(if by_any.is_ok() { Flaw::AuthorityTime } else { Flaw::Authority })
            }
            Err(flaw) => Err(flaw),
            Ok(()) => {
                let certificates = certificate.chain.iter().chain(&self.intermediates);
                let ends = certificates.filter_map(|der| Some(times(&parse_x509_certificate(der).ok()?.1).1));
                let ends = ends
                    .chain(self.anchors.iter().map(|anchor| anchor.not_after))
                    .chain(self.next_update().map(|next| next - 1));
                self.verified.remember(&certificate.chain, now, ends);
                Ok(())
            }
        }
    }

    fn chain(&self, certificate: &Certificate, now: i64, anchors: &[TrustAnchor<'static>]) -> Result<(), Flaw> {
        let (own, others) = certificate.chain.split_first().ok_or(Flaw::Unreadable)?;
        let end_entity = EndEntityCert::try_from(own).map_err(|_| Flaw::Unreadable)?;
        let intermediates: Vec<CertificateDer<'_>> = others.iter().chain(&self.intermediates).cloned().collect();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
        let usage = KeyUsage::client_auth();
        let lists = self.revocations.as_ref().map(Revocations::lists).unwrap_or_default();
        let revocation = revocations::options(&lists);
        let verified =
            end_entity.verify_for_usage(algorithms, anchors, &intermediates, now, usage, revocation, Some(&certifies));
        let Err(error) = verified else { return Ok(()) };
        if let Some(flaw) = revocations::flaw(&error) {
            return Err(flaw);
        }
        match error {
            // An authority may have the name of another, and not its key.
            Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => Err(Flaw::Authority),
            Error::RequiredEkuNotFoundContext(_) => Err(Flaw::Purpose),
            _ => Err(Flaw::Chain),
        }
    }
}

/// Whether every certificate between the client's and the authority may certify others (RFC 5280 §4.2.1.3).
fn certifies(path: &VerifiedPath<'_>) -> Result<(), Error> {
    for intermediate in path.intermediate_certificates() {
        let der = intermediate.der();
        authority(&der).map_err(|_| Error::InvalidCertValidity)?;
    }
    Ok(())
}

/// Parses the certificate of an authority: it says that it is one, and its key may sign certificates (RFC 5280 §4.2.1.3,
/// §4.2.1.9). The error says what it is instead.
fn authority<'d>(der: &'d CertificateDer<'_>) -> Result<X509Certificate<'d>, &'static str> {
    const UNREADABLE: &str = "one that can't be read";
    let (rest, certificate) = parse_x509_certificate(der).map_err(|_| UNREADABLE)?;
    let constraints = certificate.basic_constraints().map_err(|_| UNREADABLE)?;
    let is_authority = constraints.is_some_and(|extension| extension.value.ca);
    let usage = key_usage(&certificate).map_err(|_| UNREADABLE)?;
    if !rest.is_empty() {
        Err(UNREADABLE)
    } else if !is_authority {
        Err("one that is not a certificate authority's (basic constraints, CA)")
    } else if usage.is_some_and(|usage| !usage.key_cert_sign()) {
        Err("one whose key may not sign certificates (key usage)")
    } else {
        Ok(certificate)
    }
}
