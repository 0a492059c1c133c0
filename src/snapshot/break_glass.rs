//! `[break_glass]` as the running broker sees it: the hashes of its password, and what proves that a session was entered with
//! one that is still accepted.

use std::sync::Arc;

use crate::config::language::scalar::SecretValue;
use crate::digest::sha256_hex;
use crate::snapshot::password_hash::{OutOfMemory, PasswordHash};

/// The hashes of the account's password.
#[derive(Clone, Debug)]
pub struct BreakGlass {
    accepted: Arc<[(PasswordHash, String)]>,
}

impl BreakGlass {
    /// Reads the hashes of the account with this name.
    ///
    /// # Errors
    /// What is wrong with each that is not accepted; the number says which of several it is.
    pub fn read(username: &str, secrets: &[SecretValue]) -> Result<Self, Vec<(usize, String)>> {
        let (mut accepted, mut faults) = (Vec::new(), Vec::new());
        for (index, secret) in secrets.iter().enumerate() {
            match PasswordHash::parse(secret.expose()) {
                Ok(hash) => {
                    let proof = proof(username, hash.text());
                    accepted.push((hash, proof));
                }
                Err(fault) => faults.push((index, fault)),
            }
        }
        if faults.is_empty() { Ok(Self { accepted: accepted.into() }) } else { Err(faults) }
    }

    /// Whether there is no hash, as where secrets are left unread.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accepted.is_empty()
    }

    /// Compares a password with every hash, and returns the proof of the one that it belongs to. It takes equally long for
    /// every password.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn verify(&self, password: &str) -> Result<Option<String>, OutOfMemory> {
        let mut found = None;
        for (hash, proof) in self.accepted.iter() {
            if hash.matches(password)? {
                found = Some(proof.clone());
            }
        }
        Ok(found)
    }

    /// Whether what was entered with this proof still counts: neither the hash nor the username has changed since.
    #[must_use]
    pub fn accepts(&self, proof: &str) -> bool {
        self.accepted.iter().any(|(_, known)| known == proof)
    }
}

/// A short hash of the username and the password hash, by which a session says what it was entered with. Nothing can be guessed
/// from it that could not be guessed from the password hash itself, which is salted.
fn proof(username: &str, hash: &str) -> String {
    sha256_hex(format!("{username}\n{hash}").as_bytes()).chars().take(32).collect()
}
