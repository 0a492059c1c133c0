//! PKCE at the token endpoint (RFC 7636 §4.6). The only method is S256.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::digest::sha256_base64url;
use crate::op::error::OAuthError;
use crate::op::token::request::invalid_grant;

/// Characters of a verifier (RFC 7636 §4.1).
const VERIFIER_LENGTH: std::ops::RangeInclusive<usize> = 43..=128;

/// Whether the verifier of a token request belongs to the challenge of the authorization request. A challenge that was sent
/// must be met, and a verifier without a challenge is refused: it would be one of another sign-in (RFC 9700 §2.1.1).
///
/// # Errors
/// `invalid_grant`.
pub(super) fn check(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), OAuthError> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => {
            Err(invalid_grant("code_verifier was sent, but the authorization request had no code_challenge"))
        }
        (Some(_), None) => {
            Err(invalid_grant("code_verifier is missing: the authorization request had a code_challenge"))
        }
        (Some(challenge), Some(verifier)) => {
            let computed = sha256_base64url(verifier.as_bytes());
            let equal = verify_slices_are_equal(computed.as_bytes(), challenge.as_bytes()).is_ok();
            if equal && VERIFIER_LENGTH.contains(&verifier.len()) {
                Ok(())
            } else {
                Err(invalid_grant("code_verifier does not match code_challenge"))
            }
        }
    }
}
