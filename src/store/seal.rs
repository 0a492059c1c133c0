//! Sealing: data that has to be read again (claims, upstream tokens, private keys) is encrypted before a backend writes it.
//!
//! This module owns the key derivation and the format of a sealed value. The backends decide which columns are sealed, by the
//! fields that [`crate::store::model`] marks; [`crate::store::key_file`] decides where keys are kept.
//!
//! The cipher is XAES-256-GCM (C2SP), which is AES-256-GCM under a key derived for each message (NIST SP 800-108r1): its
//! 192-bit random nonces have no practical limit on the number of messages, whereas plain AES-256-GCM would reach its limit of
//! 2³² within months on a large broker. A sealed value is `format (1 byte) ‖ key id (8 bytes) ‖ nonce (24 bytes) ‖ ciphertext ‖
//! tag (16 bytes)`; the associated data is the column's name and the row's id, so a value that was moved to another row or
//! column can't be opened.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{cmac, hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use foldhash::fast::RandomState;

use crate::digest::sha256;
use crate::env::Random;
use crate::store::{Result, StoreError};

const FORMAT: u8 = 1;
const KEY_ID: usize = 8;
const NONCE: usize = 24;
const HEAD: usize = 1 + KEY_ID + NONCE;
const SHORTEST_SECRET: usize = 16;
/// The most recurring index keys of one field that are kept.
const MOST_RECURRING: usize = 2048;

/// The keys that seal and open columns. The first one seals, all of them open.
pub struct Sealer {
    keys: Vec<Key>,
    random: Arc<dyn Random>,
    /// Index keys that are asked for again and again, by field and value.
    recurring: RwLock<HashMap<&'static str, Recurring>>,
}

/// The index keys of one field.
type Recurring = HashMap<Box<str>, IndexKey, RandomState>;

/// Identifies the key that sealed a value: the first bytes of the SHA-256 of the derived key, shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; KEY_ID]);

struct Key {
    id: KeyId,
    derive: cmac::Key,
    index: hmac::Key,
}

/// What a sealed row is found by: a keyed hash of a field's value.
pub type IndexKey = [u8; 8];

/// Why no [`Sealer`] could be created.
#[derive(Debug, thiserror::Error)]
pub enum SealerError {
    /// The list is empty.
    #[error("store.encryption_keys names no key: give one, or leave it out to use a key file beside the store")]
    NoKey,
    /// A key is too short to resist guessing.
    #[error(
        "key {0} of store.encryption_keys has fewer than {SHORTEST_SECRET} bytes: use a random one, for example from \
         `openssl rand -base64 32`"
    )]
    TooShort(usize),
    /// The cryptographic library refused a key.
    #[error("the cryptographic library refused key {0} of store.encryption_keys")]
    Refused(usize),
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("keys", &self.ids().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl Sealer {
    /// Derives a 256-bit key from each secret (HKDF-SHA256, RFC 5869). The first one seals, all of them open. A secret that is
    /// the text of a key file also opens what that key file has sealed.
    ///
    /// # Errors
    /// If there is no secret, or one is shorter than 16 bytes.
    pub fn new(secrets: &[Vec<u8>], random: Arc<dyn Random>) -> std::result::Result<Self, SealerError> {
        if secrets.is_empty() {
            return Err(SealerError::NoKey);
        }
        let key = |(at, secret): (usize, &[u8])| {
            if secret.len() < SHORTEST_SECRET {
                return Err(SealerError::TooShort(at + 1));
            }
            derive(secret, b"store sealing")
                .zip(derive(secret, b"store index"))
                .and_then(|(key, index)| Key::new(&key, &index))
                .ok_or(SealerError::Refused(at + 1))
        };
        let numbered = || secrets.iter().enumerate();
        let named = numbered().map(|(at, secret)| key((at, secret)));
        let of_key_files = numbered().filter_map(|(at, secret)| Some(key((at, &of_key_file(secret)?))));
        let keys = named.chain(of_key_files).collect::<std::result::Result<_, _>>()?;
        Ok(Self { keys, random, recurring: RwLock::default() })
    }

    /// Seals `plain` for one column (`table.column`) of one row.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if no randomness is available.
    pub fn seal(&self, column: &str, row: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0_u8; NONCE];
        self.random.fill(&mut nonce).map_err(|e| StoreError::Unavailable(e.to_string()))?;
        let key = self.keys.first().ok_or_else(refused)?;
        let mut sealed = Vec::with_capacity(HEAD + plain.len() + AES_256_GCM.tag_len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&key.id.0);
        sealed.extend_from_slice(&nonce);
        let (message_key, inner) = key.for_message(&nonce).ok_or_else(refused)?;
        let mut body = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(plain);
        message_key
            .seal_in_place_append_tag(inner, Aad::from(associated(column, row)), &mut body)
            .map_err(|_| refused())?;
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens a value that [`Self::seal`] returned for the same column and row.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if none of the keys sealed it, or if it was altered or belongs to another column or row.
    pub fn open(&self, column: &str, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let broken = || StoreError::Corrupt(format!("{column} was altered, or belongs to another row"));
        let (head, body) = sealed.split_at_checked(HEAD).ok_or_else(broken)?;
        let (format, head) = head.split_first().ok_or_else(broken)?;
        if *format != FORMAT {
            return Err(StoreError::Corrupt(format!(
                "{column} is sealed in format {format}, which this version does not know"
            )));
        }
        let (id, nonce) = head.split_first_chunk::<KEY_ID>().ok_or_else(broken)?;
        let nonce = nonce.first_chunk::<NONCE>().ok_or_else(broken)?;
        let Some(key) = self.keys.iter().find(|key| key.id.0 == *id) else {
            return Err(StoreError::Corrupt(format!(
                "{column} was sealed with key {}, which is not in store.encryption_keys: add it at the end of the list",
                KeyId(*id)
            )));
        };
        let (message_key, inner) = key.for_message(nonce).ok_or_else(refused)?;
        let mut body = body.to_vec();
        let plain = message_key
            .open_in_place(inner, Aad::from(associated(column, row)), &mut body)
            .map_err(|_| broken())?
            .len();
        body.truncate(plain);
        Ok(body)
    }

    /// The key by which a row is found that has this value in this field, for a row that is written now.
    #[must_use]
    pub fn index_key(&self, field: &str, value: &str) -> Option<IndexKey> {
        self.index_keys(field, value).next()
    }

    /// As [`Self::index_key`], for a field with few values: their keys are kept, since computing one takes several times as
    /// long as finding it.
    #[must_use]
    pub fn recurring_index_key(&self, field: &'static str, value: &str) -> Option<IndexKey> {
        let kept = self.recurring.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = kept.get(field).and_then(|keys| keys.get(value)) {
            return Some(*key);
        }
        drop(kept);
        let key = self.index_key(field, value)?;
        let mut kept = self.recurring.write().unwrap_or_else(PoisonError::into_inner);
        let keys = kept.entry(field).or_default();
        if keys.len() >= MOST_RECURRING {
            keys.clear();
        }
        keys.insert(value.into(), key);
        Some(key)
    }

    /// The keys that a row may have, by whichever key was the first when it was written.
    pub fn index_keys<'s>(&'s self, field: &'s str, value: &'s str) -> impl Iterator<Item = IndexKey> + 's {
        self.keys.iter().filter_map(move |key| {
            let mut context = hmac::Context::with_key(&key.index);
            context.update(field.as_bytes());
            context.update(b"\0");
            context.update(value.as_bytes());
            context.sign().as_ref().first_chunk().copied()
        })
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn current(&self) -> Option<KeyId> {
        self.ids().next()
    }

    /// The ids of all keys, starting with the one that seals.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.keys.iter().map(|key| key.id)
    }
}

impl Key {
    fn new(key: &[u8; 32], index: &[u8; 32]) -> Option<Self> {
        let id = KeyId(*sha256(key).first_chunk()?);
        Some(Self {
            id,
            derive: cmac::Key::new(cmac::AES_256, key).ok()?,
            index: hmac::Key::new(hmac::HMAC_SHA256, index),
        })
    }

    /// The message's own AES-256-GCM key, and the part of the nonce that goes into it (C2SP XAES-256-GCM).
    fn for_message(&self, nonce: &[u8; NONCE]) -> Option<(LessSafeKey, Nonce)> {
        let (outer, inner) = nonce.split_first_chunk::<12>()?;
        let mut key = [0_u8; 32];
        for (counter, half) in (1_u8..).zip(key.chunks_exact_mut(16)) {
            let mut block = [0, counter, b'X', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            block.last_chunk_mut::<12>()?.copy_from_slice(outer);
            half.copy_from_slice(cmac::sign(&self.derive, &block).ok()?.as_ref());
        }
        let unbound = UnboundKey::new(&AES_256_GCM, &key).ok()?;
        Some((LessSafeKey::new(unbound), Nonce::try_assume_unique_for_key(inner).ok()?))
    }
}

/// The key of a key file beside a store, if this secret is the text of one, which `store.encryption_keys` may name: the file
/// has 32 bytes in base64url.
fn of_key_file(secret: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(secret).ok().filter(|key| key.len() == 32)
}

/// A 256-bit key for one purpose.
fn derive(secret: &[u8], purpose: &[u8]) -> Option<[u8; 32]> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"countersign");
    let mut key = [0_u8; 32];
    salt.extract(secret).expand(&[purpose], hkdf::HKDF_SHA256).ok()?.fill(&mut key).ok()?;
    Some(key)
}

fn associated(column: &str, row: &[u8]) -> Vec<u8> {
    [column.as_bytes(), b"\0", row].concat()
}

fn refused() -> StoreError {
    StoreError::Unavailable("the cryptographic library refused to seal or open".to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::env::SystemRandomness;

    fn sealer(secrets: &[&[u8]]) -> Sealer {
        let secrets: Vec<Vec<u8>> = secrets.iter().map(|secret| secret.to_vec()).collect();
        Sealer::new(&secrets, Arc::new(SystemRandomness::default())).unwrap()
    }

    const A: &[u8] = b"the first secret of this test";
    const B: &[u8] = b"the second secret of this test";

    /// C2SP XAES-256-GCM, test vector 1.
    #[test]
    fn the_cipher_is_xaes_256_gcm() {
        let key = Key::new(&[1; 32], &[2; 32]).unwrap();
        let (message_key, nonce) = key.for_message(b"ABCDEFGHIJKLMNOPQRSTUVWX").unwrap();
        let mut text = b"XAES-256-GCM".to_vec();
        message_key.seal_in_place_append_tag(nonce, Aad::empty(), &mut text).unwrap();
        let hex = crate::digest::hex(&text);
        assert_eq!(hex, "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
    }

    #[test]
    fn opens_only_in_its_place() {
        let sealer = sealer(&[A]);
        let sealed = sealer.seal("users.profile", b"u1", b"plain").unwrap();
        assert_eq!(sealer.open("users.profile", b"u1", &sealed).unwrap(), b"plain");
        assert!(sealer.open("users.profile", b"u2", &sealed).is_err());
        assert!(sealer.open("links.claims", b"u1", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            *altered.get_mut(at).unwrap() ^= 1;
            assert!(matches!(sealer.open("users.profile", b"u1", &altered), Err(StoreError::Corrupt(_))));
            let cut = sealed.get(..at).unwrap();
            assert!(matches!(sealer.open("users.profile", b"u1", cut), Err(StoreError::Corrupt(_))));
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let old = sealer(&[A]).seal("c", b"1", b"plain").unwrap();
        let both = sealer(&[B, A]);
        assert_eq!(both.open("c", b"1", &old).unwrap(), b"plain");
        let new = both.seal("c", b"1", b"plain").unwrap();
        assert_eq!(sealer(&[B]).open("c", b"1", &new).unwrap(), b"plain");
        let Err(StoreError::Corrupt(message)) = sealer(&[B]).open("c", b"1", &old) else { unreachable!() };
        assert!(message.contains("store.encryption_keys"), "{message}");
    }

    #[test]
    fn the_text_of_a_key_file_opens_what_the_file_has_sealed() {
        let key = [7; 32];
        let text = URL_SAFE_NO_PAD.encode(key);
        let old = sealer(&[&key]).seal("c", b"1", b"plain").unwrap();
        let named = sealer(&[B, text.as_bytes()]);
        assert_eq!(named.open("c", b"1", &old).unwrap(), b"plain");
        assert!(sealer(&[B]).open("c", b"1", &old).is_err());
        let found = sealer(&[&key]).index_key("kind", "sign_in").unwrap();
        assert!(named.index_keys("kind", "sign_in").any(|key| key == found));
        // What is sealed from here on is sealed with the text, as ever.
        let new = sealer(&[text.as_bytes()]).seal("c", b"1", b"plain").unwrap();
        assert!(sealer(&[&key]).open("c", b"1", &new).is_err());
    }

    #[test]
    fn a_key_that_is_kept_is_the_key_that_is_computed() {
        let sealer = sealer(&[B, A]);
        for n in 0..=MOST_RECURRING {
            let client = format!("app-{n}");
            assert_eq!(sealer.recurring_index_key("client", &client), sealer.index_key("client", &client));
        }
        for (field, value) in [("client", "app-7"), ("client", "app-7"), ("provider", "app-7"), ("client", "app-9")] {
            assert_eq!(sealer.recurring_index_key(field, value), sealer.index_key(field, value), "{field} {value}");
        }
        let kept = sealer.recurring.read().unwrap();
        assert!(kept.values().all(|keys| keys.len() <= MOST_RECURRING));
    }

    #[test]
    fn equal_values_are_sealed_differently() {
        let sealer = sealer(&[A]);
        assert_ne!(sealer.seal("c", b"1", b"plain").unwrap(), sealer.seal("c", b"1", b"plain").unwrap());
    }

    #[test]
    fn short_or_missing_secrets_are_refused() {
        let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
        assert!(matches!(Sealer::new(&[], random.clone()), Err(SealerError::NoKey)));
        let secrets = [A.to_vec(), b"short".to_vec()];
        assert!(matches!(Sealer::new(&secrets, random), Err(SealerError::TooShort(2))));
    }
}
