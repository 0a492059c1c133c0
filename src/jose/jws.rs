//! Signed JWTs, taken apart and verified.
//!
//! It owns the compact serialization (RFC 7515 §7.1) and the algorithms that are verified here. It does not own what a
//! token's claims must be: they are read raw, because typed ones, such as openidconnect's, reject a whole token for an
//! odd optional claim, a string `email_verified` for one.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::config::language::scalar::SecretValue;
use crate::jose::Check;
use crate::jose::{KeySet, PublicKey};

/// A signature algorithm that is verified here (RFC 7518 §3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the registered names say it")]
pub enum Algorithm {
    HS256,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

/// All algorithms with a public key.
const ASYMMETRIC: [Algorithm; 10] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::ES512,
    Algorithm::EdDSA,
];

impl Algorithm {
    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm of that registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == Self::HS256.name() { Some(Self::HS256) } else { Self::asymmetric(name) }
    }

    /// The algorithm of that registered name, when it verifies with a public key: all that metadata may ask for. HS256,
    /// whose key anyone with the client secret has, must be configured.
    #[must_use]
    pub fn asymmetric(name: &str) -> Option<Self> {
        ASYMMETRIC.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The names of all algorithms.
    pub(crate) fn all_names() -> impl Iterator<Item = &'static str> {
        std::iter::once(Self::HS256).chain(ASYMMETRIC).map(Self::name)
    }

    /// The names of the algorithms with a public key, for messages.
    #[must_use]
    pub fn names() -> String {
        ASYMMETRIC.map(Self::name).join(", ")
    }

    /// `at_hash` of an access token under this algorithm: the left half of its hash, base64url (OIDC Core §3.1.3.6).
    pub(crate) fn half_hash(self, text: &str) -> String {
        let hash = match self {
            Self::HS256 | Self::RS256 | Self::PS256 | Self::ES256 => &digest::SHA256,
            Self::RS384 | Self::PS384 | Self::ES384 => &digest::SHA384,
            // Ed25519 hashes with SHA-512 (RFC 8032 §5.1).
            Self::RS512 | Self::PS512 | Self::ES512 | Self::EdDSA => &digest::SHA512,
        };
        let hash = digest::digest(hash, text.as_bytes());
        let half = hash.as_ref().split_at(hash.as_ref().len() / 2).0;
        URL_SAFE_NO_PAD.encode(half)
    }
}

/// A signed JWT, taken apart and not yet verified.
pub(crate) struct Jws<'a> {
    /// Its algorithm, one that is verified here.
    pub(crate) algorithm: Algorithm,
    /// The key that it says it was signed with.
    pub(crate) kid: Option<String>,
    /// Its media type, lower case, without `application/` (RFC 7515 §4.1.9).
    pub(crate) typ: Option<String>,
    /// The public key in its header (RFC 7515 §4.1.3). It proves nothing but that its holder signed: only a DPoP proof,
    /// which asks for no more, may be verified with it.
    pub(crate) jwk: Option<Value>,
    /// Its claims. Nothing may be concluded from them before [`Jws::verify`].
    pub(crate) claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a JWT apart. `jku`, `x5u` and `x5c` are not looked at: keys come from the caller only.
    ///
    /// # Errors
    /// When it is encrypted, unsigned, not a JWT, or demands what is not understood here (`crit`, `cty`).
    pub(crate) fn parse(token: &'a str) -> Result<Self, Check> {
        const NOT_A_JWT: Check = Check::Form("it is not a signed JWT");
        let parts: Vec<&str> = token.splitn(6, '.').collect();
        let (header, payload, signature) = match parts.as_slice() {
            [header, payload, signature] => (header, payload, signature),
            [_, _, _, _, _] => return Err(Check::Form("it is encrypted, which is not supported")),
            _ => return Err(NOT_A_JWT),
        };
        let object = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
        };
        let header = object(header).ok_or(NOT_A_JWT)?;
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(NOT_A_JWT)?;
        let algorithm = Algorithm::from_name(algorithm).ok_or(Check::Algorithm)?;
        if header.contains_key("crit") || header.contains_key("cty") || header.contains_key("enc") {
            return Err(Check::Form("its header demands what is not supported (crit, cty or enc)"));
        }
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(NOT_A_JWT),
        };
        let typ = text("typ")?.map(|typ| {
            let typ = typ.to_ascii_lowercase();
            typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
        });
        let claims = object(payload).ok_or(Check::Form("its payload is not a JSON object"))?;
        let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| NOT_A_JWT)?;
        Ok(Self { algorithm, kid: text("kid")?, typ, jwk: header.get("jwk").cloned(), claims, signed, signature })
    }

    /// Whether its `typ` is absent or that of a JWT for any purpose. A token of another declared kind (`at+jwt`,
    /// `logout+jwt`) must not pass as an ID token or userinfo (RFC 8725 §3.11).
    pub(crate) fn is_plain_jwt(&self) -> bool {
        matches!(self.typ.as_deref(), None | Some("jwt" | "jose"))
    }

    /// Verifies the signature with the keys that fit its `kid` and `alg`; without a `kid`, with all that fit.
    ///
    /// # Errors
    /// [`Check::Key`] when none fits, [`Check::Signature`] when none that fits verifies it.
    pub(crate) fn verify(&self, keys: &KeySet) -> Result<(), Check> {
        let mut verdict = Check::Key;
        for key in keys.fitting(self.kid.as_deref(), self.algorithm) {
            if key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature) {
                return Ok(());
            }
            verdict = Check::Signature;
        }
        Err(verdict)
    }

    /// Verifies the signature with this one key.
    ///
    /// # Errors
    /// [`Check::Key`] when it does not fit the `alg`, [`Check::Signature`] when it does not verify.
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
    /// [`Check::Signature`] when none of them made it.
    pub(crate) fn verify_symmetric(&self, secrets: &[SecretValue]) -> Result<(), Check> {
        let made = |secret: &SecretValue| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
            hmac::verify(&key, self.signed.as_bytes(), &self.signature).is_ok()
        };
        if secrets.iter().any(made) { Ok(()) } else { Err(Check::Signature) }
    }
}

/// The claims of an unsecured JWT (RFC 7519 §6): `None` when it is signed, or no JWT. Nothing proves them.
pub(crate) fn unsigned(token: &str) -> Option<Map<String, Value>> {
    let (header, rest) = token.split_once('.')?;
    let payload = rest.strip_suffix('.').filter(|payload| !payload.contains('.'))?;
    let object = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    };
    let header = object(header)?;
    let plain = header.get("alg").and_then(Value::as_str) == Some("none") && !header.contains_key("crit");
    if plain { object(payload) } else { None }
}

/// The `iss` that a JWT claims, whatever it is signed with. Nothing may be concluded from it but whom to ask.
pub(crate) fn unverified_issuer(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let claims: Map<String, Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.get("iss").and_then(Value::as_str).map(str::to_owned)
}
