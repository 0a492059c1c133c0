//! JWS algorithms (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2), with their key types and hash functions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A JWS algorithm that the broker knows. `none` is not one of them.
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
    Ed25519,
}

/// The kind of key that an algorithm takes (RFC 7518 §6, RFC 8037 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// A shared secret, `oct`.
    Secret,
    /// RSA.
    Rsa,
    /// The elliptic curve P-256.
    P256,
    /// The elliptic curve P-384.
    P384,
    /// The elliptic curve P-521.
    P521,
    /// The Edwards curve Ed25519.
    Ed25519,
}

/// The hash function that an algorithm uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 12] = [
        Self::HS256,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
        Self::Ed25519,
    ];

    /// The name in the JOSE registry.
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
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The algorithm with that registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The algorithm with that registered name, if it verifies with a public key; metadata may select only these. HS256 must be
    /// configured, because everyone who has the client secret can sign with it.
    #[must_use]
    pub fn asymmetric(name: &str) -> Option<Self> {
        Self::from_name(name).filter(|algorithm| !algorithm.is_symmetric())
    }

    /// The names of all algorithms.
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(Self::name)
    }

    /// The kind of key that it takes.
    #[must_use]
    pub const fn key_type(self) -> KeyType {
        match self {
            Self::HS256 => KeyType::Secret,
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => KeyType::Rsa,
            Self::ES256 => KeyType::P256,
            Self::ES384 => KeyType::P384,
            Self::ES512 => KeyType::P521,
            Self::EdDSA | Self::Ed25519 => KeyType::Ed25519,
        }
    }

    /// The hash function that it uses. Ed25519 uses SHA-512 (RFC 8032 §5.1).
    #[must_use]
    pub const fn hash(self) -> Hash {
        match self {
            Self::HS256 | Self::RS256 | Self::PS256 | Self::ES256 => Hash::Sha256,
            Self::RS384 | Self::PS384 | Self::ES384 => Hash::Sha384,
            Self::RS512 | Self::PS512 | Self::ES512 | Self::EdDSA | Self::Ed25519 => Hash::Sha512,
        }
    }

    /// Whether the same key signs and verifies.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self.key_type(), KeyType::Secret)
    }
}

// The following doc comments are published in the schema of the configuration.
/// A JWS algorithm (RFC 7518 §3.1) that the broker signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519 (RFC 8037).
    EdDSA,
}

impl SigningAlgorithm {
    /// Every algorithm that the configuration may name.
    pub const ALL: [Self; 5] = [Self::RS256, Self::PS256, Self::ES256, Self::ES384, Self::EdDSA];

    /// The same algorithm as an [`Algorithm`], of which these are a subset.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::RS256 => Algorithm::RS256,
            Self::PS256 => Algorithm::PS256,
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }

    /// The name in the JOSE registry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.algorithm().name()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn every_name_is_the_name_of_one_algorithm() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        }
        for unknown in ["none", "rs256", "HS512", "RSA-OAEP", ""] {
            assert_eq!(Algorithm::from_name(unknown), None, "{unknown}");
        }
        assert_eq!(Algorithm::asymmetric("HS256"), None);
    }

    #[test]
    fn a_name_in_the_configuration_is_the_registered_one() {
        for algorithm in SigningAlgorithm::ALL {
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.name());
        }
    }
}
