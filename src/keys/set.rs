//! An immutable set of signing keys that signs, verifies, and holds its rendered JWKS document.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::jose::{self, Check, Jws, PrivateKey, PublicKey};
use crate::keys::KeysError;
use crate::keys::tag::TagKey;
use crate::protocol::SigningAlgorithm;
use crate::store::model::{KeyState, SigningKey};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// No key signs with this algorithm; it is not in `keys.algorithms`.
    #[error("there is no {} key: add the algorithm to keys.algorithms", .0.name())]
    NoKey(SigningAlgorithm),
    /// Signing failed.
    #[error(transparent)]
    Failed(#[from] jose::SignError),
}

/// A set of signing keys.
pub struct SigningKeys {
    keys: Vec<HeldKey>,
    jwks: Arc<[u8]>,
}

/// A key of the store, parsed.
struct HeldKey {
    kid: String,
    algorithm: SigningAlgorithm,
    state: KeyState,
    activated_at: Option<i64>,
    published: bool,
    private: PrivateKey,
    public: PublicKey,
    tags: TagKey,
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

impl SigningKeys {
    /// Parses the keys and renders the JWKS document of those for which `published` is true.
    ///
    /// # Errors
    /// If one of them can't be parsed, is for an unknown algorithm, or does not have its own thumbprint as its id.
    pub fn new(keys: &[SigningKey], published: impl Fn(&SigningKey) -> bool) -> Result<Self, KeysError> {
        let unusable = |kid: &str, reason| KeysError::Unusable { kid: kid.to_owned(), reason };
        let mut held = keys
            .iter()
            .map(|key| HeldKey::parse(key, published(key)).map_err(|reason| unusable(&key.kid, reason)))
            .collect::<Result<Vec<_>, _>>()?;
        held.sort_by_key(|key| match key.state {
            KeyState::Current => 0,
            KeyState::Next => 1,
            KeyState::Retired => 2,
        });
        let public = held.iter().filter(|key| key.published);
        let public = public.map(|key| (&key.public, key.kid.as_str(), key.algorithm.algorithm()));
        let jwks = jose::key_set_document(public).ok_or_else(|| unusable("all", "they can't be published"))?;
        Ok(Self { keys: held, jwks: jwks.into() })
    }

    /// The JWKS document (RFC 7517 §5): current, next and retired keys, in this order.
    #[must_use]
    pub fn jwks(&self) -> Arc<[u8]> {
        Arc::clone(&self.jwks)
    }

    /// The algorithms that it signs with.
    pub fn algorithms(&self) -> impl Iterator<Item = SigningAlgorithm> + '_ {
        self.current().map(|key| key.algorithm)
    }

    /// Key id, algorithm and state of each key, for `/status`.
    pub fn list(&self) -> impl Iterator<Item = (&str, SigningAlgorithm, KeyState)> {
        self.keys.iter().map(|key| (key.kid.as_str(), key.algorithm, key.state))
    }

    /// The keys that sign, each as its algorithm and id, in an order that does not depend on where they were read.
    #[must_use]
    pub fn signing(&self) -> Vec<String> {
        let of = |algorithm: SigningAlgorithm| self.current().find(|key| key.algorithm == algorithm);
        let keys = SigningAlgorithm::ALL.into_iter().filter_map(of);
        keys.map(|key| format!("{} {}", key.algorithm.name(), key.kid)).collect()
    }

    /// When the current key of each algorithm began to sign.
    pub fn activated(&self) -> impl Iterator<Item = (SigningAlgorithm, i64)> + '_ {
        self.current().filter_map(|key| Some((key.algorithm, key.activated_at?)))
    }

    /// The algorithms among these that no key signs with.
    #[must_use]
    pub fn missing(&self, wanted: &[SigningAlgorithm]) -> Vec<SigningAlgorithm> {
        wanted.iter().copied().filter(|algorithm| !self.algorithms().any(|signed| signed == *algorithm)).collect()
    }

    /// Whether it consists of exactly these keys, and publishes the same ones of them.
    pub(crate) fn holds(&self, keys: &[SigningKey], published: impl Fn(&SigningKey) -> bool) -> bool {
        let same = |held: &HeldKey, key: &SigningKey| {
            held.kid == key.kid && held.state == key.state && held.published == published(key)
        };
        let has = |key: &SigningKey| self.keys.iter().any(|held| same(held, key));
        self.keys.len() == keys.len() && keys.iter().all(has)
    }

    fn current(&self) -> impl Iterator<Item = &HeldKey> {
        self.keys.iter().filter(|key| key.state == KeyState::Current)
    }

    /// Signs claims as a compact JWS (RFC 7515 §7.1) with the algorithm's current key; `typ` goes into the header
    /// (`JWT`, `at+jwt`, `logout+jwt`). RSA takes 0.3 to 1 ms of CPU.
    ///
    /// # Errors
    /// If there is no such key, or the claims can't be written as JSON.
    pub fn sign(&self, algorithm: SigningAlgorithm, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
        let key = self.current().find(|key| key.algorithm == algorithm).ok_or(SignError::NoKey(algorithm))?;
        Ok(key.private.sign(algorithm.algorithm(), typ, Some(&key.kid), claims)?)
    }

    /// The claims of a token that one of these keys signed, with `typ` in its header (compared without case, RFC 8725 §3.11).
    /// Times are not checked: the caller checks `exp` and similar claims.
    ///
    /// # Errors
    /// The check that failed, for logs: callers respond in the same way to all of them.
    pub fn verify(&self, token: &str, typ: &str) -> Result<Map<String, Value>, Check> {
        let jws = Jws::parse(token)?;
        let kid = jws.kid.as_deref().ok_or(Check::Key)?;
        let key = self.keys.iter().find(|key| key.kid == kid).ok_or(Check::Key)?;
        if jws.algorithm != key.algorithm.algorithm() {
            return Err(Check::Key);
        }
        if !jws.typ.as_deref().is_some_and(|found| found.eq_ignore_ascii_case(typ)) {
            return Err(Check::Form("it is not a token of the expected type"));
        }
        jws.verify_by(&key.public)?;
        Ok(jws.claims)
    }

    /// A tag that authenticates a short message, for values that the broker issues and later accepts without storing them.
    /// Every process on the same store accepts the tag, also after a restart, until the key that is current now is removed.
    /// `purpose` separates messages of different kinds. `None` if there is no current key.
    #[must_use]
    pub fn tag(&self, purpose: &str, message: &[u8]) -> Option<[u8; 16]> {
        self.current().next().and_then(|key| key.tags.tag(purpose, message))
    }

    /// Whether this is a tag that [`Self::tag`] computed for the message, in this or another process.
    #[must_use]
    pub fn tagged(&self, purpose: &str, message: &[u8], tag: &[u8]) -> bool {
        self.keys.iter().any(|key| key.tags.made(purpose, message, tag))
    }
}

impl HeldKey {
    fn parse(key: &SigningKey, published: bool) -> Result<Self, &'static str> {
        let algorithm = SigningAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == key.algorithm);
        let algorithm = algorithm.ok_or("its algorithm is not supported")?;
        let private = PrivateKey::from_pkcs8(&key.private)
            .filter(|private| private.algorithms().contains(&algorithm.algorithm()))
            .ok_or("it is not a private key of its algorithm")?;
        let public = private.public();
        if public.thumbprint().as_ref() != Some(&key.kid) {
            return Err("its id is not its thumbprint");
        }
        let tags = TagKey::derive(&key.private).ok_or("no tag key can be derived from it")?;
        Ok(Self {
            kid: key.kid.clone(),
            algorithm,
            state: key.state,
            activated_at: key.activated_at,
            published,
            private,
            public,
            tags,
        })
    }
}

/// Generates a key; returns its id, which is its thumbprint (RFC 7638), and its PKCS #8 document.
pub(crate) fn generate(algorithm: SigningAlgorithm) -> Result<(String, Vec<u8>), &'static str> {
    let document = PrivateKey::generate(algorithm)?;
    let kid = PrivateKey::from_pkcs8(&document).and_then(|key| key.public().thumbprint());
    Ok((kid.ok_or("the new key can't be read")?, document))
}
