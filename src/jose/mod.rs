//! JSON Object Signing and Encryption: everything about JWS (RFC 7515), JWK (RFC 7517) and JWT (RFC 7519).
//!
//! Providers' tokens, apps' assertions, request objects and proofs, and the broker's own tokens are all parsed and
//! verified here, so that the same checks apply to all of them: only listed algorithms, only keys that the caller
//! passes, only claims of the specified types. There is no policy here: the caller chooses the keys, the issuer and the
//! time, and [`keys`](crate::keys) owns the life cycle of the broker's own keys.
//!
//! | module | what it owns |
//! | --- | --- |
//! | `jwk` | public keys, key sets, thumbprints |
//! | `jws` | parsing and verifying a signed JWT |
//! | `claims` | claims under the types that the specifications give them |
//! | `signing` | private keys, and signing with them |
//! | `half_hash` | `at_hash` and `c_hash` |
//!
//! `jsonwebtoken` produces the published JWK documents and their thumbprints. Four things are implemented here instead:
//!
//! * Signing and verifying, with aws-lc-rs, which `jsonwebtoken` calls too: its signers and verifiers hold bytes and
//!   parse the key at every call, which for an RSA key costs more than the signature.
//! * The algorithm ES512, and `alg` in others' key sets: `jsonwebtoken` has no ES512.
//! * The header: `jsonwebtoken` requires all members to have the right types, so it refuses a token because of an unused
//!   one, and it does not refuse `crit`.
//! * The claims: `jsonwebtoken` compares times with the system clock. Here the caller passes `now`.

mod claims;
mod half_hash;
mod jwk;
mod jws;
mod signing;

use std::fmt;

pub(crate) use claims::{Claims, SKEW};
pub(crate) use half_hash::half_hash;
pub use jwk::KeySet;
pub(crate) use jwk::{PublicKey, client_key_set, key_set_document};
pub(crate) use jws::{Jws, unsigned, unverified_issuer};
pub(crate) use signing::{Header, sign_symmetric};
pub use signing::{PrivateKey, SignError};

use crate::protocol::Algorithm;

/// A check that a token failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Check {
    /// It does not have the required form; the text says why.
    #[error("{0}")]
    Form(&'static str),
    /// Its `alg` is `none`, not a supported signature algorithm, or not one that its issuer may use.
    #[error("alg is not one that it may be signed with")]
    Algorithm,
    /// It is signed with a supported algorithm that its issuer may not use.
    #[error("it is signed with {}, which is not accepted", .0.name())]
    NotAccepted(Algorithm),
    /// No key fits its `kid` and `alg`.
    #[error("no key of the key set fits its kid and alg")]
    Key,
    /// No fitting key verifies it.
    #[error("the signature does not verify")]
    Signature,
    /// A claim is not valid.
    #[error("{0} {1}")]
    Claim(&'static str, Problem),
}

/// What is wrong with a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is missing.
    Missing,
    /// It is of the wrong JSON type, or empty, or out of bounds.
    Type,
    /// It does not have the expected value.
    Differs,
    /// The time that it states has passed, or is in the future.
    Time,
    /// It must not be present.
    Present,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Type => "is of the wrong type",
            Self::Differs => "is not the expected value",
            Self::Time => "has passed or is in the future",
            Self::Present => "must not be present",
        })
    }
}
