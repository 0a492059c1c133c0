//! What is read of a client certificate: its names, its times, its key.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::CertificateDer;
use serde_json::{Map, Value, json};
use x509_parser::asn1_rs::ToDer as _;
use x509_parser::extensions::{GeneralName, KeyUsage};
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::{SubjectPublicKeyInfo, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;

use crate::digest::{hex, sha256};
use crate::protocol::distinguished_name::{AttributeValue, Name, keyword};
use crate::x509::flaw::Flaw;

/// A client certificate, with the certificates that came with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// The client's own, then the others, in any order.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    hash: [u8; 32],
    subject: Name,
    alternatives: Alternatives,
    facts: Map<String, Value>,
    not_before: i64,
    not_after: i64,
    may_sign: bool,
    public_key: Option<Value>,
}

/// Subject alternative names (RFC 5280 §4.2.1.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Alternatives {
    dns: Vec<String>,
    email: Vec<String>,
    uri: Vec<String>,
    ip: Vec<IpAddr>,
}

impl Certificate {
    /// Parses the first certificate of a chain.
    ///
    /// # Errors
    /// When it is not exactly one certificate, or has an extension or a name that can't be read.
    pub fn read(chain: Vec<CertificateDer<'static>>) -> Result<Self, Flaw> {
        let der = chain.first().ok_or(Flaw::Unreadable)?;
        let hash = sha256(der);
        let (rest, parsed) = parse_x509_certificate(der).map_err(|_| Flaw::Unreadable)?;
        if !rest.is_empty() {
            return Err(Flaw::Unreadable);
        }
        let subject = name(parsed.subject())?;
        let alternatives = alternatives(&parsed)?;
        let (not_before, not_after) = times(&parsed);
        let may_sign = key_usage(&parsed)?.is_none_or(|usage| usage.digital_signature());
        let public_key = public_key(parsed.public_key());
        let facts = json!({
            "subject": members(&subject),
            "issuer": members(&name(parsed.issuer())?),
            "san": {
                "dns": alternatives.dns, "email": alternatives.email, "uri": alternatives.uri,
                "ip": alternatives.ip.iter().map(IpAddr::to_string).collect::<Vec<_>>(),
            },
            "serial": hex(parsed.raw_serial()),
            "fingerprint": fingerprint(&hash),
            "not_before": not_before,
            "not_after": not_after,
        });
        let Value::Object(facts) = facts else { return Err(Flaw::Unreadable) };
        Ok(Self { chain, hash, subject, alternatives, facts, not_before, not_after, may_sign, public_key })
    }

    /// `sha256:` and the SHA-256 of the certificate, in lower-case hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.hash)
    }

    /// The SHA-256 of the certificate.
    pub(crate) fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The confirmation `x5t#S256` (RFC 8705 §3.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.hash)
    }

    /// What expressions read as `cert`.
    #[must_use]
    pub fn facts(&self) -> &Map<String, Value> {
        &self.facts
    }

    /// The subject.
    #[must_use]
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// Whether this is one of its subject alternative names: a DNS name, whose case has no meaning.
    #[must_use]
    pub fn has_dns(&self, name: &str) -> bool {
        self.alternatives.dns.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// The same for an email address.
    #[must_use]
    pub fn has_email(&self, address: &str) -> bool {
        self.alternatives.email.iter().any(|own| own == address)
    }

    /// The same for a URI.
    #[must_use]
    pub fn has_uri(&self, uri: &str) -> bool {
        self.alternatives.uri.iter().any(|own| own == uri)
    }

    /// The same for an IP address.
    #[must_use]
    pub fn has_ip(&self, address: IpAddr) -> bool {
        self.alternatives.ip.contains(&address)
    }

    /// When it expires, in seconds since the Unix epoch.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// Its public key as a JWK (RFC 7517); `None` for a kind of key that the broker knows no algorithm for.
    #[must_use]
    pub fn public_key(&self) -> Option<&Value> {
        self.public_key.as_ref()
    }

    /// Whether it is valid at this time, by itself, and its key may sign (RFC 5280 §4.1.2.5, §4.2.1.3).
    ///
    /// # Errors
    /// The check that it fails.
    pub fn check(&self, now: i64) -> Result<(), Flaw> {
        if now > self.not_after {
            return Err(Flaw::Expired);
        }
        if now < self.not_before {
            return Err(Flaw::NotYet);
        }
        if self.may_sign { Ok(()) } else { Err(Flaw::KeyUsage) }
    }
}

/// `notBefore` and `notAfter`, in seconds since the Unix epoch.
pub(super) fn times(certificate: &X509Certificate<'_>) -> (i64, i64) {
    let validity = certificate.validity();
    (validity.not_before.timestamp(), validity.not_after.timestamp())
}

/// The key usage extension.
pub(super) fn key_usage(certificate: &X509Certificate<'_>) -> Result<Option<KeyUsage>, Flaw> {
    let found = certificate.key_usage().map_err(|_| Flaw::Unreadable)?;
    Ok(found.map(|extension| *extension.value))
}

/// A name, the most specific part first (RFC 4514 §2.1).
fn name(found: &X509Name<'_>) -> Result<Name, Flaw> {
    let mut relative = Vec::new();
    for set in found.iter_rdn() {
        let mut attributes = Vec::new();
        for attribute in set.iter() {
            let value = attribute.attr_value();
            let whole = value.to_der_vec().map_err(|_| Flaw::Unreadable)?;
            let value = AttributeValue::of(value.tag().0, value.data, &whole).ok_or(Flaw::Unreadable)?;
            attributes.push((keyword(&attribute.attr_type().to_id_string()).to_owned(), value));
        }
        attributes.sort();
        relative.push(attributes);
    }
    relative.reverse();
    Ok(Name(relative))
}

/// Members of `cert.subject` and `cert.issuer`: member, attribute type.
const MEMBERS: &[(&str, &str)] = &[
    ("cn", "CN"),
    ("o", "O"),
    ("ou", "OU"),
    ("c", "C"),
    ("l", "L"),
    ("st", "ST"),
    ("dc", "DC"),
    ("uid", "UID"),
    ("email", "emailAddress"),
    ("serial_number", "serialNumber"),
    ("given_name", "GN"),
    ("surname", "SN"),
];

/// A name as expressions read it: each attribute by itself, a list where it occurs more than once, and `dn`, the whole.
fn members(name: &Name) -> Value {
    let mut members = Map::new();
    for (member, kind) in MEMBERS {
        let mut values = name.0.iter().flatten().filter(|(own, _)| own == kind).map(|(_, value)| value.plain());
        match (values.next(), values.next()) {
            (None, _) => {}
            (Some(one), None) => drop(members.insert((*member).to_owned(), one.into_owned().into())),
            (Some(first), Some(second)) => {
                let all = [first, second].into_iter().chain(values);
                let all: Vec<Value> = all.map(|value| value.into_owned().into()).collect();
                members.insert((*member).to_owned(), all.into());
            }
        }
    }
    members.insert("dn".to_owned(), name.to_string().into());
    Value::Object(members)
}

fn alternatives(certificate: &X509Certificate<'_>) -> Result<Alternatives, Flaw> {
    let mut found = Alternatives::default();
    let extension = certificate.subject_alternative_name().map_err(|_| Flaw::Unreadable)?;
    for general in extension.iter().flat_map(|extension| &extension.value.general_names) {
        match general {
            GeneralName::DNSName(text) => found.dns.push((*text).to_owned()),
            GeneralName::RFC822Name(text) => found.email.push((*text).to_owned()),
            GeneralName::URI(text) => found.uri.push((*text).to_owned()),
            GeneralName::IPAddress(bytes) => found.ip.push(ip(bytes)?),
            GeneralName::Invalid(..) => return Err(Flaw::Unreadable),
            _ => {}
        }
    }
    Ok(found)
}

fn ip(bytes: &[u8]) -> Result<IpAddr, Flaw> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).map_err(|_| Flaw::Unreadable)
}

fn fingerprint(hash: &[u8; 32]) -> String {
    format!("sha256:{}", hex(hash))
}

/// Object identifiers of curves (RFC 5480 §2.1.1.1) and of Ed25519 (RFC 8410 §3).
const CURVES: &[(&str, &str)] =
    &[("1.2.840.10045.3.1.7", "P-256"), ("1.3.132.0.34", "P-384"), ("1.3.132.0.35", "P-521")];
const ED25519: &str = "1.3.101.112";

/// A public key as a JWK (RFC 7518 §6, RFC 8037 §2).
fn public_key(key: &SubjectPublicKeyInfo<'_>) -> Option<Value> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    if key.algorithm.algorithm.to_id_string() == ED25519 {
        return Some(json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(&key.subject_public_key.data) }));
    }
    match key.parsed().ok()? {
        PublicKey::RSA(rsa) => {
            let number = |bytes: &[u8]| {
                encode(bytes.iter().position(|byte| *byte != 0).and_then(|at| bytes.get(at..)).unwrap_or_default())
            };
            Some(json!({ "kty": "RSA", "n": number(rsa.modulus), "e": number(rsa.exponent) }))
        }
        PublicKey::EC(point) => {
            let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
            let (_, curve) = CURVES.iter().find(|(oid, _)| *oid == curve)?;
            let coordinates = point.data().strip_prefix(&[4])?;
            let (x, y) = coordinates.split_at(coordinates.len() / 2);
            Some(json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::CERTIFICATE_NAMES;
    use crate::x509::certificate::MEMBERS;

    #[test]
    fn every_member_of_a_name_can_be_read_by_an_expression() {
        let names: Vec<&str> = MEMBERS.iter().map(|(member, _)| *member).chain(["dn"]).collect();
        assert_eq!(names, CERTIFICATE_NAMES);
    }
}
