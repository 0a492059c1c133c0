//! Password hashes: Argon2id (RFC 9106) in the PHC string format, as `break_glass.password_hash` holds them.
//!
//! Owns which hashes are accepted. One that is cheap to guess would make the account as weak as its password; one that needs
//! more memory than a broker has would lock its operator out just when the account is needed.

use std::fmt;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::env::{Random, RandomUnavailable};

/// What `countersign break-glass hash` uses, the second recommendation of RFC 9106 §4 with one lane: memory in KiB, passes.
const RECOMMENDED: (u32, u32) = (65_536, 3);
/// The least memory, in KiB, and the least product of memory and passes: the weakest settings that the OWASP Password Storage
/// Cheat Sheet names for Argon2id.
const LEAST: (u32, u64) = (7_168, 35_840);
/// The most memory, in KiB, the most passes and the most lanes.
const MOST: (u32, u32, u32) = (2_097_152, 64, 64);
/// The least length of the salt and of the hash, in bytes.
const SHORTEST: (usize, usize) = (8, 16);
/// Lengths of what is made here, in bytes.
const MADE: (usize, usize) = (16, 32);

/// A hash with everything that comparing a password with it needs.
#[derive(Clone)]
pub struct PasswordHash {
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
    text: String,
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// A password could not be hashed: there is not enough memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password could not be hashed: there is not enough memory")]
pub struct OutOfMemory;

impl PasswordHash {
    /// Reads a hash. The error says what is wrong with it, and never contains it.
    ///
    /// # Errors
    /// When it is no Argon2id hash, or too weak, or more expensive than a broker can afford.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with("$argon2id$") {
            return Err(foreign(text));
        }
        let phc = Phc::new(text)
            .map_err(|_| "it is not a whole PHC string, such as $argon2id$v=19$m=65536,t=3,p=1$SALT$HASH".to_owned())?;
        if phc.version != Some(Version::V0x13.into()) {
            return Err("its version must be 19 (`v=19`), that of RFC 9106".to_owned());
        }
        let params = Params::try_from(&phc.params).map_err(|_| "its parameters m, t and p are not valid".to_owned())?;
        if ["m", "t", "p"].iter().any(|name| phc.params.get_decimal(*name).is_none()) {
            return Err("it must name its parameters m, t and p".to_owned());
        }
        affordable_and_strong(&params)?;
        let (Some(salt), Some(output)) = (phc.salt, phc.hash) else {
            return Err("its salt or its hash is missing".to_owned());
        };
        if salt.len() < SHORTEST.0 || output.len() < SHORTEST.1 {
            return Err(format!("its salt must have at least {} bytes and its hash {}", SHORTEST.0, SHORTEST.1));
        }
        let (salt, output) = (salt.to_vec(), output.as_bytes().to_vec());
        Ok(Self { params, salt, output, text: text.to_owned() })
    }

    /// Hashes a new password with a new salt.
    ///
    /// # Errors
    /// When there is no randomness, or not enough memory.
    pub fn make(password: &str, random: &dyn Random) -> Result<String, MakeError> {
        let mut salt = [0; MADE.0];
        random.fill(&mut salt)?;
        let (memory, passes) = RECOMMENDED;
        let params = Params::new(memory, passes, 1, Some(MADE.1)).map_err(|_| MakeError::Invalid)?;
        let mut output = [0; MADE.1];
        fill(&params, password, &salt, &mut output)?;
        let phc = Phc {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(|_| MakeError::Invalid)?,
            salt: Some(Salt::new(&salt).map_err(|_| MakeError::Invalid)?),
            hash: Some(Output::new(&output).map_err(|_| MakeError::Invalid)?),
        };
        Ok(phc.to_string())
    }

    /// Whether this is the password. It takes equally long for every password.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn matches(&self, password: &str) -> Result<bool, OutOfMemory> {
        let mut output = vec![0; self.output.len()];
        fill(&self.params, password, &self.salt, &mut output)?;
        Ok(verify_slices_are_equal(&output, &self.output).is_ok())
    }

    /// The hash as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Why a hash can't be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
    /// There is not enough memory.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// The parameters do not fit each other, which the tests rule out.
    #[error("the parameters of the hash do not fit each other")]
    Invalid,
}

fn fill(params: &Params, password: &str, salt: &[u8], output: &mut [u8]) -> Result<(), OutOfMemory> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    // Salt, output and parameters were checked when the hash was read: only the memory can be missing.
    argon2.hash_password_into(password.as_bytes(), salt, output).map_err(|_| OutOfMemory)
}

fn affordable_and_strong(params: &Params) -> Result<(), String> {
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if memory < LEAST.0 || u64::from(memory) * u64::from(passes) < LEAST.1 {
        return Err(format!("m={memory},t={passes} is too weak; the least is m=19456,t=2 or m=7168,t=5"));
    }
    if memory > MOST.0 || passes > MOST.1 || lanes > MOST.2 {
        let (most_memory, most_passes, most_lanes) = MOST;
        return Err(format!(
            "m={memory},t={passes},p={lanes} is too expensive; the most is m={most_memory},t={most_passes},p={most_lanes}"
        ));
    }
    Ok(())
}

/// What a text is that is no Argon2id hash.
fn foreign(text: &str) -> String {
    let is = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
    let what = if is(&["$argon2i$", "$argon2d$"]) {
        "it is another variant of Argon2"
    } else if is(&["$2a$", "$2b$", "$2x$", "$2y$"]) {
        "it is a bcrypt hash"
    } else if is(&["$scrypt$", "$7$"]) {
        "it is an scrypt hash"
    } else if is(&["$pbkdf2", "$1$", "$5$", "$6$", "$y$"]) {
        "it is a hash of another kind"
    } else {
        "it is no password hash"
    };
    format!("{what}; it must be Argon2id ($argon2id$v=19$...), as `countersign break-glass hash` prints it")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::env::SystemRandomness;

    /// The hash of "open sesame", with the least parameters, made by Debian's libargon2.
    const SESAME: &str =
        "$argon2id$v=19$m=7168,t=5,p=1$c2FsdHNhbHRzYWx0c2FsdA$sfbllKb0/PvCHW5OLgyMVDs4DAWrHVn1jlnZATHp6rY";

    #[test]
    fn a_hash_that_another_program_made_is_understood() {
        let hash = PasswordHash::parse(SESAME).unwrap();
        assert_eq!(hash.matches("open sesame"), Ok(true));
        for wrong in ["", "open sesame ", "Open sesame", "open"] {
            assert_eq!(hash.matches(wrong), Ok(false), "{wrong:?}");
        }
    }

    #[test]
    fn a_hash_that_is_made_is_accepted_and_salted_anew() {
        let random = SystemRandomness::default();
        let made = PasswordHash::make("pässword", &random).unwrap();
        assert!(made.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{made}");
        assert_eq!(PasswordHash::parse(&made).unwrap().matches("pässword"), Ok(true));
        assert_ne!(PasswordHash::make("pässword", &random).unwrap(), made);
    }

    #[test]
    fn what_is_weak_foreign_or_broken_is_refused_with_its_reason() {
        let with = |params: &str| SESAME.replace("m=7168,t=5,p=1", params);
        for (text, part) in [
            (with("m=4096,t=3,p=1"), "m=4096,t=3 is too weak"),
            (with("m=7168,t=4,p=1"), "m=7168,t=4 is too weak"),
            (with("m=4194304,t=1,p=1"), "too expensive"),
            (with("m=7168,t=65,p=1"), "too expensive"),
            (with("m=x,t=5,p=1"), "not valid"),
            (with("t=5,p=1"), "parameters m, t and p"),
            (SESAME.replace("argon2id", "argon2i"), "another variant of Argon2"),
            (SESAME.replace("v=19", "v=16"), "version must be 19"),
            (SESAME.replace("$v=19", ""), "version must be 19"),
            (SESAME.rsplit_once('$').unwrap().0.to_owned(), "salt or its hash is missing"),
            (SESAME.get(..40).unwrap().to_owned(), ""),
            ("$2b$12$abcdefghijklmnopqrstuuAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(), "a bcrypt hash"),
            ("open sesame".to_owned(), "no password hash"),
            (String::new(), "no password hash"),
        ] {
            let reason = PasswordHash::parse(&text).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
            assert!(text.is_empty() || !reason.contains(&text), "{reason}");
        }
    }
}
