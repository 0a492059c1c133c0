//! Client certificates of authorities made for the tests, in the forms in which proxies forward them.

use std::net::IpAddr;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};

/// Where clients reach the proxy before `certificates.listen`, as `origin` defaults to.
pub(crate) const ORIGIN: &str = "https://sso.example.com:8444";

/// A certificate authority.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
    der: Vec<u8>,
}

/// The authority in `clients-ca.pem`, which the broker's configuration may name.
pub(crate) fn ca() -> &'static Ca {
    static CA: OnceLock<Ca> = OnceLock::new();
    CA.get_or_init(|| Ca::root("Clients CA", |_| {}))
}

/// The broker's own certificate at a provider, in `broker-client.pem`, with its key in `broker-client.key`.
pub(crate) fn brokers_own() -> &'static Leaf {
    static OWN: OnceLock<Leaf> = OnceLock::new();
    OWN.get_or_init(|| Leaf::named("countersign"))
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 10, 1);
    params.not_after = date_time_ymd(2027, 10, 1);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Ca {
    /// A root, valid for a year from 2026-10-01 unless changed.
    pub(crate) fn root(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().to_vec(), issuer: Issuer::new(params, key) }
    }

    /// An authority below this one.
    pub(crate) fn intermediate(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().to_vec(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for a client: for signing and client authentication, valid for a year from 2026-10-01 unless changed.
    pub(crate) fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = params(name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Leaf { pem: certificate.pem(), der: certificate.der().to_vec(), key }
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its revocation list with these serial numbers, which is due to be replaced on this day, in PEM.
    pub(crate) fn revoking(&self, serials: &[u64], (year, month, day): (i32, u8, u8)) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 10, 15),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 10, 15),
            next_update: date_time_ymd(year, month, day),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// A client's certificate.
pub(crate) struct Leaf {
    pub(crate) pem: String,
    pub(crate) der: Vec<u8>,
    key: KeyPair,
}

impl Leaf {
    /// One of [`ca`] with this common name.
    pub(crate) fn named(name: &str) -> Self {
        ca().issue(name, |_| {})
    }

    /// One that signs itself.
    pub(crate) fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params(name).self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().to_vec(), key }
    }

    /// Another certificate that signs itself, with the same key.
    pub(crate) fn renewed(&self) -> Self {
        let key = KeyPair::from_pem(&self.key_pem()).unwrap();
        let mut params = params("renewed");
        params.serial_number = Some(SerialNumber::from(2_u64));
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().to_vec(), key }
    }

    /// Its private key, PEM.
    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// What the file and tokens call it.
    pub(crate) fn fingerprint(&self) -> String {
        let hex: String = digest(&SHA256, &self.der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }

    /// `x5t#S256`
    pub(crate) fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.der))
    }

    /// As nginx's `$ssl_client_escaped_cert` has it.
    pub(crate) fn escaped(&self) -> String {
        escaped(&self.pem)
    }

    /// As RFC 9440 has it.
    pub(crate) fn byte_sequence(&self) -> String {
        byte_sequence(&self.der)
    }

    /// The public key as a JWK: rcgen's keys are on P-256.
    pub(crate) fn jwk(&self) -> serde_json::Value {
        let (x, y) = self.key.public_key_raw()[1..].split_at(32);
        serde_json::json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }
}

/// PEM, URL-encoded.
pub(crate) fn escaped(pem: &str) -> String {
    pem.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// `:BASE64:`
pub(crate) fn byte_sequence(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

/// Subject alternative names.
pub(crate) fn alternatives(dns: &str, uri: &str, email: &str, ip: IpAddr) -> Vec<SanType> {
    vec![
        SanType::DnsName(dns.try_into().unwrap()),
        SanType::URI(uri.try_into().unwrap()),
        SanType::Rfc822Name(email.try_into().unwrap()),
        SanType::IpAddress(ip),
    ]
}
