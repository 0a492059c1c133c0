//! The hash by which an ID token is bound to the access token and the code issued with it: `at_hash` and `c_hash` (OIDC
//! Core §3.1.3.6, §3.3.2.11).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::protocol::Algorithm;
use crate::protocol::algorithm::Hash;

/// The left half of the value's hash, base64url, with the hash function of the algorithm that signs the ID token.
pub(crate) fn half_hash(algorithm: Algorithm, value: &str) -> String {
    let hash = match algorithm.hash() {
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    };
    let hash = digest::digest(hash, value.as_bytes());
    let (half, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OIDC Core §A.3 and §A.4: the access token and the code of the examples, under RS256.
    #[test]
    fn the_hashes_of_the_specification() {
        let at_hash = half_hash(Algorithm::RS256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
        assert_eq!(at_hash, "77QmUPtjPfzWtF2AnpK9RQ");
        let c_hash = half_hash(Algorithm::RS256, "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk");
        assert_eq!(c_hash, "LDktKdoQak3Pk0cnXxCltA");
    }

    #[test]
    fn its_length_is_half_of_the_hash_function_of_the_algorithm() {
        for (algorithm, bytes) in [(Algorithm::PS256, 16), (Algorithm::ES384, 24), (Algorithm::EdDSA, 32)] {
            let encoded = half_hash(algorithm, "token");
            assert_eq!(URL_SAFE_NO_PAD.decode(encoded).map(|hash| hash.len()), Ok(bytes), "{algorithm:?}");
        }
    }
}
