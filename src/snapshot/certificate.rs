//! The listener's certificate (`[server] tls`): read from its PEM files, checked against its key, ready for handshakes.
//!
//! Owns what may be wrong with the pair, with the error messages and their remedies. It reads no files and knows no sockets; a
//! handshake uses [`Certificate::key`].

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use rustls::client::verify_server_cert_signed_by_trust_anchor as verify;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};

use crate::config::language::server::Tls;
use crate::config::load::secrets::TlsFiles;

/// Which of the two files of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairFile {
    /// `cert`
    Cert,
    /// `key`
    Key,
}

impl PairFile {
    /// The key of `[server] tls` that names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cert => "cert",
            Self::Key => "key",
        }
    }
}

/// What is wrong with a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file at fault.
    pub file: PairFile,
    /// What is wrong, as a whole sentence.
    pub message: String,
    /// How to correct it.
    pub way_out: String,
}

/// A certificate chain with its key.
#[derive(Clone)]
pub struct Certificate(Arc<CertifiedKey>);

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("chain", &self.0.cert.len()).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads it from the content of the files that `names` names; the first certificate of the chain is the server's own.
    ///
    /// # Errors
    /// Everything that is wrong with them: no PEM, no certificate, no key, an unusable one, or two that do not belong together.
    pub fn read(names: &Tls, files: &TlsFiles) -> Result<Self, Vec<Fault>> {
        let (chain, key) = (chain(&names.cert, &files.cert), key(&names.key, &files.key));
        let (chain, key) = match (chain, key) {
            (Ok(chain), Ok(key)) => (chain, key),
            (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
        };
        CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map(|pair| Self(Arc::new(pair))).map_err(
            |error| {
                let (cert, key) = (names.cert.display(), names.key.display());
                let (message, way_out) = match error {
                    rustls::Error::InconsistentKeys(_) => (
                        format!("must be the key of the certificate in {cert} but {key} holds another"),
                        "name two files that belong together; in `cert` the server's own certificate comes first",
                    ),
                    _ => (
                        format!("must hold a key that can be used but {key} does not: {error}"),
                        "use an RSA key of 2048 to 8192 bits, or one on P-256, P-384, P-521 or Ed25519",
                    ),
                };
                vec![fault(PairFile::Key, &message, way_out)]
            },
        )
    }

    /// What a handshake uses.
    #[must_use]
    pub fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }

    /// Why clients reject it at the time `now`: a certificate of the chain has expired or is not valid yet (RFC 5280 §4.1.2.5).
    #[must_use]
    pub fn untimely(&self, now: i64) -> Option<String> {
        self.0.cert.iter().enumerate().find_map(|(index, certificate)| {
            let what = if index == 0 { "the certificate" } else { "an intermediate certificate" };
            untimely(certificate, now).map(|when| format!("{what} {when}"))
        })
    }
}

/// Why servers reject the first certificate of a PEM file at the time `now`, as a client's; `None` too if it has none.
#[must_use]
pub fn untimely_client(pem: &[u8], now: i64) -> Option<String> {
    let certificate = CertificateDer::pem_slice_iter(pem).next()?.ok()?;
    untimely(&certificate, now)
}

fn untimely(certificate: &CertificateDer<'_>, now: i64) -> Option<String> {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
    // Without a single authority this always fails, and the time is the first of the possible reasons that is checked.
    let verified =
        verify(&ParsedCertificate::try_from(certificate).ok()?, &RootCertStore::empty(), &[], now, algorithms);
    match verified {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(format!("expired on {}", date(not_after)))
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            Some(format!("is not valid before {}", date(not_before)))
        }
        _ => None,
    }
}

fn date(time: UnixTime) -> String {
    let date = i64::try_from(time.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    date.map(|date| date.format("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

fn fault(file: PairFile, what: &str, way_out: &str) -> Fault {
    Fault { file, message: format!("`{}` {what}", file.name()), way_out: way_out.to_owned() }
}

/// The kinds of the PEM sections of a file, by their labels; a problem if there are none.
fn sections(file: PairFile, name: &Path, pem: &[u8]) -> Result<String, Fault> {
    let text = String::from_utf8_lossy(pem);
    let labels = text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
    let labels: Vec<String> = labels.map(str::to_ascii_lowercase).collect();
    if labels.is_empty() {
        let what = format!("must be a PEM file but {} is not", name.display());
        let begins = match file {
            PairFile::Cert => "-----BEGIN CERTIFICATE-----",
            PairFile::Key => "-----BEGIN PRIVATE KEY-----",
        };
        let way_out =
            format!("PEM is text that begins with `{begins}`; `openssl x509`, `pkey` and `pkcs12` convert to it");
        return Err(fault(file, &what, &way_out));
    }
    Ok(labels.join(", "))
}

fn chain(name: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let held = sections(PairFile::Cert, name, pem)?;
    let broken = |why: String| {
        let what = format!("must hold certificates but {} can't be read: {why}", name.display());
        fault(PairFile::Cert, &what, "put the server's certificate there, then the intermediate ones, all PEM")
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| broken("its PEM is damaged".to_owned()))?;
    if chain.is_empty() {
        let what = format!("must hold a certificate but {} holds: {held}", name.display());
        let way_out = "name the file with the server's certificate, then the intermediate ones; `key` names the key's";
        return Err(fault(PairFile::Cert, &what, way_out));
    }
    for (index, certificate) in chain.iter().enumerate() {
        ParsedCertificate::try_from(certificate)
            .map_err(|error| broken(format!("certificate {}: {error}", index + 1)))?;
    }
    Ok(chain)
}

fn key(name: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, Fault> {
    let held = sections(PairFile::Key, name, pem)?;
    let name = name.display();
    if let Ok(key) = PrivateKeyDer::from_pem_slice(pem) {
        return Ok(key);
    }
    let damaged = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).any(|section| section.is_err());
    // The word is in the label of PKCS #8, or in a header line of the older form.
    let (what, way_out) = if String::from_utf8_lossy(pem).contains("ENCRYPTED") {
        let way_out = format!("write it without one: openssl pkey -in {name} -out NEW, readable by the broker only");
        (format!("must hold a private key without a passphrase but that in {name} has one"), way_out)
    } else if damaged {
        (format!("must hold a private key but the PEM in {name} is damaged"), "copy the file once more".to_owned())
    } else {
        let way_out = "name the file with the private key; `cert` names the certificate's".to_owned();
        (format!("must hold a private key but {name} holds: {held}"), way_out)
    };
    Err(fault(PairFile::Key, &what, &way_out))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// 2026-11-01T00:00:00Z.
    const MADE: i64 = 1_793_491_200;

    /// A self-signed certificate, valid for two days from [`MADE`], and its key.
    fn pair() -> TlsFiles {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 11, 1);
        params.not_after = rcgen::date_time_ymd(2026, 11, 3);
        let cert = params.self_signed(&key).unwrap();
        TlsFiles { cert: cert.pem().into_bytes(), key: key.serialize_pem().into_bytes() }
    }

    fn names() -> Tls {
        Tls { cert: "tls.pem".into(), key: "tls.key".into() }
    }

    fn faults(cert: &[u8], key: &[u8]) -> Vec<String> {
        let files = TlsFiles { cert: cert.to_vec(), key: key.to_vec() };
        let told = |fault: Fault| format!("{} [{}]", fault.message, fault.way_out);
        Certificate::read(&names(), &files).err().unwrap_or_default().into_iter().map(told).collect()
    }

    #[track_caller]
    fn assert_faults(cert: &[u8], key: &[u8], expected: &[&str]) {
        let found = faults(cert, key);
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(expected.split(" ~ ").all(|part| found.contains(part)), "{found}\nis not\n{expected}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_pair_is_reported_for_the_file_at_fault() {
        let (one, other) = (pair(), pair());
        assert_faults(&one.cert, &one.key, &[]);
        assert_faults(&one.cert, &other.key, &["`key` must be the key of the certificate in tls.pem ~ tls.key"]);
        assert_faults(
            b"\x30\x82\x01\x00",
            b"",
            &["`cert` must be a PEM file but tls.pem is not [PEM ~ BEGIN CERT", "`key` must be a PEM ~ BEGIN PRIVATE"],
        );
        assert_faults(
            &one.key,
            &one.cert,
            &[
                "`cert` must hold a certificate but tls.pem holds: private key",
                "`key` must ~ holds: certificate ~ `cert`",
            ],
        );
        let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_faults(&one.cert, encrypted, &["`key` must hold a private key without a passphrase ~ openssl pkey"]);
        let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_faults(nonsense, &one.key, &["`cert` must hold certificates but tls.pem can't be read: certificate 1"]);
        let half = one.cert.split_at(one.cert.len() / 2).0;
        assert_faults(half, &one.key, &["`cert` must hold certificates ~ damaged"]);
        let half = one.key.split_at(one.key.len() / 2).0;
        assert_faults(&one.cert, half, &["`key` must hold a private key but the PEM in tls.key is damaged"]);
        let odd = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_faults(&one.cert, odd, &["`key` must hold a key that can be used ~ RSA"]);
    }

    #[test]
    fn one_file_may_hold_both() {
        let pair = pair();
        let both = [pair.key.as_slice(), pair.cert.as_slice()].concat();
        assert_faults(&both, &both, &[]);
    }

    #[test]
    fn its_time_is_compared_with_the_clock_that_is_handed_in() {
        const DAY: i64 = 86_400;
        let mut files = pair();
        let certificate = Certificate::read(&names(), &files).unwrap();
        assert_eq!(certificate.untimely(MADE + 60), None);
        let expired = certificate.untimely(MADE + 3 * DAY).unwrap();
        assert!(expired.starts_with("the certificate expired on 2026-11-03"), "{expired}");
        let early = certificate.untimely(MADE - DAY).unwrap();
        assert!(early.starts_with("the certificate is not valid before 2026-11-01"), "{early}");
        // Every certificate of a chain is checked.
        files.cert = [files.cert.as_slice(), &pair().cert].concat();
        assert!(Certificate::read(&names(), &files).unwrap().untimely(MADE + 3 * DAY).is_some());
    }

    #[test]
    fn a_key_is_in_no_debug_output() {
        let files = pair();
        let shown = format!("{:?} {files:?}", Certificate::read(&names(), &files).unwrap());
        assert_eq!(shown, "Certificate { chain: 1, .. } TlsFiles { .. }");
    }
}
