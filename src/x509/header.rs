//! How proxies forward a client certificate: URL-encoded PEM (nginx), RFC 9440 (Caddy and others), Envoy's
//! `x-forwarded-client-cert`, and Traefik's `x-forwarded-tls-client-cert`.
//!
//! Everything here is what a proxy wrote, of bytes that a stranger chose. What does not have the form exactly is refused.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::config::resolved::certificates::{Certificates, HeaderForm};
use crate::x509::certificate::Certificate;
use crate::x509::flaw::Flaw;

/// Longest value of the header, in bytes: a chain of the most certificates, each with a large key.
const LONGEST: usize = 32 * 1024;
/// Most certificates of a chain, the client's own among them. A verified chain has six intermediate ones at most.
const MOST: usize = 8;
/// The rest of the chain (RFC 9440 §2.3).
const CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
/// What PEM begins with.
const PEM: &str = "-----BEGIN CERTIFICATE-----";
/// What it ends with.
const PEM_END: &str = "-----END CERTIFICATE-----";
/// Byte sequences may come without padding (RFC 9651 §4.2.7).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a request says of the client's certificate.
#[derive(Clone, Debug, Default)]
pub enum Reading {
    /// No header was read: the request came by another listener, or not from a trusted proxy.
    #[default]
    NotRead,
    /// The client presented none.
    Absent,
    /// What was forwarded can't be read.
    Flawed(Flaw),
    /// The client's certificate. Nothing of it is verified but that it can be parsed.
    Presented(Box<Certificate>),
}

impl Reading {
    /// Reads the header that `section` names.
    #[must_use]
    pub fn of(section: &Certificates, headers: &HeaderMap) -> Self {
        match chain(section, headers) {
            Err(flaw) => Self::Flawed(flaw),
            Ok(chain) if chain.is_empty() => Self::Absent,
            Ok(chain) if chain.len() > MOST => Self::Flawed(Flaw::LongChain),
            Ok(chain) => match Certificate::read(chain) {
                Ok(certificate) => Self::Presented(Box::new(certificate)),
                Err(flaw) => Self::Flawed(flaw),
            },
        }
    }

    /// The certificate, verified or not.
    #[must_use]
    pub fn presented(&self) -> Option<&Certificate> {
        match self {
            Self::Presented(certificate) => Some(certificate),
            Self::NotRead | Self::Absent | Self::Flawed(_) => None,
        }
    }
}

/// Whether a request has the header that `section` names, in any form.
#[must_use]
pub fn is_there(section: &Certificates, headers: &HeaderMap) -> bool {
    let chain = section.form == HeaderForm::ClientCert && headers.contains_key(CHAIN);
    headers.contains_key(section.header.as_str()) || chain
}

/// The certificates, the client's own first; none where the header is absent or empty.
fn chain(section: &Certificates, headers: &HeaderMap) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    let name = section.header.as_str();
    disguised(headers, name)?;
    let text = text(headers, name)?;
    match section.form {
        HeaderForm::EscapedPem => escaped_pem(text),
        HeaderForm::Forwarded => forwarded(text),
        HeaderForm::Base64 if text.is_empty() => Ok(Vec::new()),
        HeaderForm::Base64 => text.split(',').map(base64_der).collect(),
        HeaderForm::ClientCert => {
            disguised(headers, CHAIN.as_str())?;
            let chain = self::text(headers, CHAIN.as_str())?;
            match (text.is_empty(), chain.is_empty()) {
                (true, true) => Ok(Vec::new()),
                (true, false) => Err(Flaw::Form("Client-Cert-Chain came without Client-Cert")),
                (false, true) => Ok(vec![byte_sequence(text)?]),
                (false, false) => std::iter::once(text).chain(chain.split(',')).map(byte_sequence).collect(),
            }
        }
    }
}

/// Some servers take `_` for `-`: a header that only differs so was meant to be taken for the proxy's.
fn disguised(headers: &HeaderMap, name: &str) -> Result<(), Flaw> {
    let like = |key: &HeaderName| key.as_str() != name && key.as_str().replace('_', "-") == name;
    if headers.keys().any(like) { Err(Flaw::Disguised) } else { Ok(()) }
}

/// The value of a header that occurs once; empty where it is absent.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Flaw> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok("") };
    if values.next().is_some() {
        return Err(Flaw::Repeated);
    }
    if value.len() > LONGEST {
        return Err(Flaw::TooLong);
    }
    value.to_str().map(str::trim).map_err(|_| Flaw::Form("it is not ASCII text"))
}

/// PEM certificates, URL-encoded, one after the other.
fn escaped_pem(text: &str) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let pem: Cow<'_, [u8]> = percent_decode_str(text).into();
    let malformed = Flaw::Form("it is not a URL-encoded PEM certificate");
    let mut blocks = str::from_utf8(&pem).map_err(|_| malformed)?.rsplit(PEM_END);
    // The PEM reader skips text outside of blocks. A proxy joins repeated headers with commas there, and then the first
    // certificate may be one that the client sent.
    let end = blocks.next().unwrap_or_default();
    if !end.trim_ascii().is_empty() || blocks.any(|block| !block.trim_ascii_start().starts_with(PEM)) {
        return Err(malformed);
    }
    // One more than may be, so that a longer chain is seen as such.
    let certificates = CertificateDer::pem_slice_iter(&pem).take(MOST + 1);
    certificates.collect::<Result<_, _>>().map_err(|_| Flaw::Form("its PEM is damaged"))
}

/// `:BASE64:` (RFC 9651 §3.3.5).
fn byte_sequence(item: &str) -> Result<CertificateDer<'static>, Flaw> {
    let form = Flaw::Form("it is not a byte sequence (RFC 9440 2.1)");
    let inner = item.trim().strip_prefix(':').and_then(|rest| rest.strip_suffix(':')).ok_or(form)?;
    BASE64.decode(inner).map(CertificateDer::from).map_err(|_| form)
}

/// One certificate of Traefik's header: PEM without its first line, its last line and its line ends.
fn base64_der(item: &str) -> Result<CertificateDer<'static>, Flaw> {
    let form = Flaw::Form("it is not a list of certificates in base64");
    BASE64.decode(item).map(CertificateDer::from).map_err(|_| form)
}

/// Envoy's header: elements of `Key=Value` pairs, one element for each proxy on the way. The last was appended by the nearest
/// proxy and says who its client was; those before it came from further away, from anybody.
fn forwarded(text: &str) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    let Some(element) = unquoted(text, ',')?.pop().filter(|element| !element.trim().is_empty()) else {
        return if text.is_empty() { Ok(Vec::new()) } else { Err(Flaw::Form("its last element is empty")) };
    };
    let (mut own, mut whole) = (None, None);
    for pair in unquoted(element, ';')? {
        let (key, value) = pair.split_once('=').ok_or(Flaw::Form("a pair has no value"))?;
        let place = match key.trim() {
            key if key.eq_ignore_ascii_case("cert") => &mut own,
            key if key.eq_ignore_ascii_case("chain") => &mut whole,
            _ => continue,
        };
        let certificates = escaped_pem(&value_of(value))?;
        if certificates.is_empty() {
            return Err(Flaw::Form("its Cert or Chain is empty"));
        }
        if place.replace(certificates).is_some() {
            return Err(Flaw::Form("it has Cert or Chain twice"));
        }
    }
    match (own, whole) {
        (None, None) => Err(Flaw::Form("its last element has neither Cert nor Chain; set cert and chain in Envoy")),
        (Some(own), None) | (None, Some(own)) => Ok(own),
        (Some(own), Some(whole)) if own.len() == 1 && own.first() == whole.first() => Ok(whole),
        (Some(_), Some(_)) => Err(Flaw::Form("its Cert is not the first of its Chain")),
    }
}

/// A value without the quotes that it may have.
fn value_of(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\\\"", "\""),
        None => text.to_owned(),
    }
}

/// The parts between separators outside of quotes. A quote begins right after `=` and ends right before a separator, as Envoy
/// writes it. Anywhere else it is refused: an unclosed quote of an earlier element would turn the nearest proxy's quotes inside
/// out, and hide where its element begins.
fn unquoted(text: &str, separator: char) -> Result<Vec<&str>, Flaw> {
    const MISPLACED: Flaw = Flaw::Form("a quote begins or ends in the middle of a value");
    let (mut parts, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        let (before, behind) = (text.get(..at).unwrap_or_default(), text.get(at + c.len_utf8()..).unwrap_or_default());
        match c {
            _ if escaped => {}
            '"' if quoted && !(behind.is_empty() || behind.starts_with([',', ';'])) => return Err(MISPLACED),
            '"' if !quoted && !before.ends_with('=') => return Err(MISPLACED),
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                parts.push(before.get(from..).unwrap_or_default());
                from = at + c.len_utf8();
            }
            _ => {}
        }
        escaped = quoted && !escaped && c == '\\';
    }
    if quoted {
        return Err(Flaw::Form("a quote is not closed"));
    }
    parts.push(text.get(from..).unwrap_or_default());
    Ok(parts)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    /// RFC 9440, appendix A, figure 4.
    const EXAMPLE: &str = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgN\
        VBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0\
        CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6N\
        yMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQU\
        HAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCO\
        OB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";

    #[test]
    fn the_example_of_rfc_9440() {
        let read = Certificate::read(vec![byte_sequence(EXAMPLE).unwrap()]).unwrap();
        let facts = read.facts();
        assert_eq!((&facts["subject"]["cn"], &facts["subject"]["dn"]), (&"BC".into(), &"CN=BC".into()));
        assert_eq!(facts["issuer"]["dn"], "CN=LA Intermediate CA,O=Let's Authenticate");
        assert_eq!(facts["san"]["email"], serde_json::json!(["bdc@example.com"]));
        assert_eq!((&facts["serial"], &facts["not_before"]), (&"07".into(), &1_579_042_533.into()));
        assert!(read.has_email("bdc@example.com") && !read.has_dns("bdc@example.com"));
        assert_eq!(read.check(1_579_042_533), Ok(()));
        assert_eq!(read.check(1_611_442_534), Err(Flaw::Expired));
    }

    /// The last element counts, and neither a separator nor a key inside of quotes does.
    #[test]
    fn elements_of_envoys_header() {
        let pem = "-----BEGIN%20CERTIFICATE-----%0AAAA%3D%0A-----END%20CERTIFICATE-----%0A";
        let other = "-----BEGIN%20CERTIFICATE-----%0ABBBB%0A-----END%20CERTIFICATE-----%0A";
        let first =
            "By=http://frontend.example;Hash=468e;Subject=\"/O=a, b;Cert=x\\\"/CN=c\";URI=http://client.example";
        for text in [
            format!("{first};Cert=\"{pem}\""),
            format!("{first};cert={pem};DNS=a.example;DNS=b.example"),
            format!("By=x;Cert=\"{other}\",{first};Cert=\"{pem}\""),
            format!("{first};Chain=\"{pem}{other}\";Cert=\"{pem}\""),
        ] {
            let found = forwarded(&text).unwrap();
            assert_eq!(found[0].as_ref(), [0, 0], "{text}");
        }
        for text in [
            first.to_owned(),
            format!("Cert=\"{pem}\",{first}"),
            format!("{first};Cert=\"{pem}\","),
            format!("{first};Cert=\"{pem}"),
            format!("{first};Cert=\"{pem}\";Cert=\"{other}\""),
            format!("{first};Cert=\"{pem}\";Chain=\"{other}{pem}\""),
            format!("{first};Cert=\"\""),
            "Cert".to_owned(),
        ] {
            assert!(forwarded(&text).is_err_and(|flaw| matches!(flaw, Flaw::Form(_))), "{text}");
        }
        assert_eq!(forwarded(""), Ok(Vec::new()));
    }
}
