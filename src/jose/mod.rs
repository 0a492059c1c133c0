//! JSON Object Signing and Encryption: all of JWS (RFC 7515), JWK (RFC 7517) and JWT (RFC 7519), ours and others'.
//!
//! Providers' tokens, apps' assertions, request objects and proofs, and the broker's own tokens all pass here, so that what
//! is refused of one is refused of all: no algorithm but those listed, no key but those handed in, no claim of another type.
//! There is no policy here: which keys, which issuer and which time count is the caller's, and the life of the broker's own
//! keys is [`keys`](crate::keys)'.
//!
//! | module | what it knows |
//! | --- | --- |
//! | `jwk` | public keys, key sets, thumbprints |
//! | `jws` | parsing and verifying a signed JWT |
//! | `claims` | claims under the types that the specifications give them |
//! | `signing` | private keys, and signing with them |
//! | `half_hash` | `at_hash` and `c_hash` |
//!
//! `jsonwebtoken` has the JWK documents that are published and their thumbprints. Four things are done here instead:
//!
//! * Signing and verifying, on aws-lc-rs, which `jsonwebtoken` calls too: its signers and verifiers hold bytes and parse the
//!   key at every call. For an RSA key that costs more than the signature.
//! * The algorithm ES512 and `alg` in others' key sets: `jsonwebtoken` has no ES512.
//! * The header: `jsonwebtoken` reads all members under their types, so that it refuses a token for an odd one that nobody looks
//!   at, and it does not refuse `crit`.
//! * The claims: it compares times with the system clock. Here the time is the caller's `now`.

mod claims;
mod half_hash;
mod jwk;
mod jws;
mod signing;

use std::fmt;

pub(crate) use claims::{Claims, SKEW};
pub(crate) use half_hash::half_hash;
pub use jwk::KeySet;
pub(crate) use jwk::{PublicKey, key_set_document};
pub(crate) use jws::{Jws, unsigned, unverified_issuer};
pub(crate) use signing::sign_symmetric;
pub use signing::{PrivateKey, SignError};

/// A check that a token failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Check {
    /// It does not read as what it should be.
    #[error("{0}")]
    Form(&'static str),
    /// Its `alg` is none, not a signature algorithm that is verified here, or not one that is used by whom it is from.
    #[error("alg is not one that it may be signed with")]
    Algorithm,
    /// No key fits its `kid` and `alg`.
    #[error("no key of the key set fits its kid and alg")]
    Key,
    /// No key that fits verifies it.
    #[error("the signature does not verify")]
    Signature,
    /// A claim.
    #[error("{0} {1}")]
    Claim(&'static str, Problem),
}

/// What is wrong with a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not there.
    Missing,
    /// It is of the wrong JSON type, or empty, or out of bounds.
    Type,
    /// It is not the expected value.
    Differs,
    /// The time that it names is over, or is still to come.
    Time,
    /// It may not be there.
    Present,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Type => "is of the wrong type",
            Self::Differs => "is not the expected value",
            Self::Time => "is not within its time",
            Self::Present => "must not be there",
        })
    }
}
