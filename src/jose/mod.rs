//! Signed JWTs from others, verified: compact JWS (RFC 7515), key sets (RFC 7517), strictly typed claims (RFC 7519).
//!
//! Providers' tokens, apps' assertions and request objects all pass here, so that what is refused of one is refused of all:
//! no algorithm but those listed, no key but those handed in, no claim of another type. It owns no policy: which keys, which
//! issuer and which time count is the caller's. Our own tokens are `keys`'; what the broker signs as a client of others is here.

mod claims;
mod jwks;
mod jws;
mod signing;

use std::fmt;

pub(crate) use claims::{Claims, SKEW};
pub use jwks::KeySet;
pub(crate) use jwks::PublicKey;
pub use jws::Algorithm;
pub(crate) use jws::{Jws, unsigned, unverified_issuer};
pub use signing::SigningKey;
pub(crate) use signing::sign_symmetric;

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
