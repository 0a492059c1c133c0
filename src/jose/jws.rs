//! Parses and verifies signed JWTs: the compact serialization (RFC 7515 §7.1) with claims as its payload (RFC 7519).
//!
//! Claims are read as raw JSON: a typed struct would reject the whole token for one optional claim of another type, for
//! example a string `email_verified`.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::config::language::scalar::SecretValue;
use crate::jose::{Check, KeySet, PublicKey};
use crate::protocol::Algorithm;

/// The header parameters that are read (RFC 7515 §4.1). `jku`, `x5u` and `x5c` are not: keys come only from the caller.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    jwk: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    cty: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    enc: Option<IgnoredAny>,
}

/// A member that is present, even if null: a null member does not count as absent here.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Header {
    fn parse(part: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        // serde would also read a struct from an array.
        let object = bytes.trim_ascii_start().starts_with(b"{");
        serde_json::from_slice(&bytes).ok().filter(|_| object)
    }
}

/// A signed JWT, parsed and not yet verified.
pub(crate) struct Jws<'a> {
    /// Its algorithm, which is supported.
    pub(crate) algorithm: Algorithm,
    /// The id of the key that it claims to be signed with.
    pub(crate) kid: Option<String>,
    /// Its media type, lower case, without `application/` (RFC 7515 §4.1.9).
    pub(crate) typ: Option<String>,
    /// The public key in its header (RFC 7515 §4.1.3). It proves only that its holder signed: only a DPoP proof, which
    /// requires no more, may be verified with it.
    pub(crate) jwk: Option<Value>,
    /// Its claims. They must not be relied on before [`Jws::verify`].
    pub(crate) claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Parses a JWT.
    ///
    /// # Errors
    /// If it is encrypted, unsigned, not a JWT, or requires something unsupported (`crit`, `cty`).
    pub(crate) fn parse(token: &'a str) -> Result<Self, Check> {
        const NOT_A_JWT: Check = Check::Form("it is not a signed JWT");
        let mut parts = token.splitn(6, '.');
        let (header, payload, signature) = match [(); 6].map(|()| parts.next()) {
            [Some(header), Some(payload), Some(signature), None, ..] => (header, payload, signature),
            [Some(_), Some(_), Some(_), Some(_), Some(_), None] => {
                return Err(Check::Form("it is encrypted, which is not supported: its issuer must only sign it"));
            }
            _ => return Err(NOT_A_JWT),
        };
        let header = Header::parse(header).ok_or(NOT_A_JWT)?;
        let algorithm = Algorithm::from_name(&header.alg).ok_or(Check::Algorithm)?;
        if header.crit.is_some() || header.cty.is_some() || header.enc.is_some() {
            return Err(Check::Form("its header demands what is not supported (crit, cty or enc)"));
        }
        let typ = header.typ.map(|typ| {
            let typ = typ.to_ascii_lowercase();
            typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
        });
        let claims = object(payload).ok_or(Check::Form("its payload is not a JSON object"))?;
        let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| NOT_A_JWT)?;
        Ok(Self { algorithm, kid: header.kid, typ, jwk: header.jwk, claims, signed, signature })
    }

    /// Whether its `typ` is absent or that of a JWT for any purpose. A token of another declared kind (`at+jwt`,
    /// `logout+jwt`) must not pass as an ID token or userinfo (RFC 8725 §3.11).
    pub(crate) fn is_plain_jwt(&self) -> bool {
        matches!(self.typ.as_deref(), None | Some("jwt" | "jose"))
    }

    /// Verifies the signature with the keys that fit its `kid` and `alg`; without a `kid`, with all that fit.
    ///
    /// # Errors
    /// [`Check::Key`] if no key fits, [`Check::Signature`] if no fitting key verifies it.
    pub(crate) fn verify(&self, keys: &KeySet) -> Result<(), Check> {
        self.verify_where(keys, |_| true)
    }

    /// The same, with those keys only whose `issuer` in the key set is accepted.
    ///
    /// # Errors
    /// As for [`Jws::verify`].
    pub(crate) fn verify_where(&self, keys: &KeySet, accepted: impl Fn(Option<&str>) -> bool) -> Result<(), Check> {
        let mut verdict = Check::Key;
        let fitting = keys.fitting(self.kid.as_deref(), self.algorithm);
        for key in fitting.filter(|key| accepted(key.issuer())) {
            if key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature) {
                return Ok(());
            }
            verdict = Check::Signature;
        }
        Err(verdict)
    }

    /// Verifies the signature with this key only.
    ///
    /// # Errors
    /// [`Check::Key`] if it does not fit the `alg`, [`Check::Signature`] if it does not verify the signature.
    pub(crate) fn verify_by(&self, key: &PublicKey) -> Result<(), Check> {
        if !key.fits(self.algorithm) {
            return Err(Check::Key);
        }
        let verified = key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature);
        if verified { Ok(()) } else { Err(Check::Signature) }
    }

    /// Verifies an HS256 signature with the client secrets (OIDC Core §10.1).
    ///
    /// # Errors
    /// [`Check::Signature`] if it was made with none of them.
    pub(crate) fn verify_symmetric(&self, secrets: &[SecretValue]) -> Result<(), Check> {
        let made = |secret: &SecretValue| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
            hmac::verify(&key, self.signed.as_bytes(), &self.signature).is_ok()
        };
        if secrets.iter().any(made) { Ok(()) } else { Err(Check::Signature) }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The claims of an unsecured JWT (RFC 7519 §6); `None` if it is signed, or not a JWT. They are not authenticated.
pub(crate) fn unsigned(token: &str) -> Option<Map<String, Value>> {
    let (header, rest) = token.split_once('.')?;
    let payload = rest.strip_suffix('.').filter(|payload| !payload.contains('.'))?;
    let header = object(header)?;
    let plain = header.get("alg").and_then(Value::as_str) == Some("none") && !header.contains_key("crit");
    if plain { object(payload) } else { None }
}

/// The `iss` of a JWT whose signature is not verified. It may be used only to choose which issuer to ask about the token.
pub(crate) fn unverified_issuer(token: &str) -> Option<String> {
    let claims = object(token.split('.').nth(1)?)?;
    claims.get("iss").and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn jwt(header: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(header), encode(r#"{"sub":"a"}"#), encode("signature"))
    }

    #[test]
    fn a_header_is_an_object_with_each_member_once_and_of_its_type() {
        for good in [
            r#"{"alg":"RS256"}"#,
            " {\"alg\":\"RS256\",\r\n \"kid\":\"1\", \"x5c\": 7, \"jku\": null}",
            r#"{"typ":"application/at+JWT","alg":"RS256"}"#,
        ] {
            assert!(Jws::parse(&jwt(good)).is_ok(), "{good}");
        }
        for bad in [
            r#"["RS256"]"#,
            r#""RS256""#,
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":["RS256"]}"#,
            r#"{"alg":"RS256","alg":"RS256"}"#,
            r#"{"alg":"RS256","kid":1}"#,
            r#"{"alg":"RS256","kid":null}"#,
            r#"{"alg":"RS256","typ":null}"#,
            r#"{"alg":"RS256"}x"#,
        ] {
            assert_eq!(Jws::parse(&jwt(bad)).err(), Some(Check::Form("it is not a signed JWT")), "{bad}");
        }
        for demanding in ["crit", "cty", "enc"] {
            for value in ["null", "[]", r#""x""#] {
                let header = format!(r#"{{"alg":"RS256","{demanding}":{value}}}"#);
                assert!(matches!(Jws::parse(&jwt(&header)).err(), Some(Check::Form(_))), "{header}");
            }
        }
        for unknown in ["none", "rs256", "HS512", ""] {
            assert_eq!(Jws::parse(&jwt(&format!(r#"{{"alg":"{unknown}"}}"#))).err(), Some(Check::Algorithm));
        }
    }

    #[test]
    fn a_media_type_is_compared_in_lower_case_and_without_its_prefix() {
        let jws = jwt(r#"{"typ":"application/at+JWT","alg":"RS256"}"#);
        assert_eq!(Jws::parse(&jws).unwrap().typ.as_deref(), Some("at+jwt"));
    }
}
