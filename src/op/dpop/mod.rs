//! DPoP (RFC 9449): proofs that a caller holds a private key, and tokens bound to that key.
//!
//! It owns what makes a proof valid (§4.3), its single use, the nonces that are handed out for it (§8, §9), and how a token
//! says that it is bound (§6.1). The endpoints decide which requests need a proof, and by which key.

mod binding;
mod nonce;
mod proof;

pub use binding::{bound_claims, bound_to, token_type};
pub use nonce::nonce;
pub use proof::{ALGORITHMS, Call, Proof};

use crate::jose::{Check, Problem};
use crate::op::RequestContext;
use crate::op::error::OAuthError;
use crate::protocol::ErrorCode;

/// The `DPoP` header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofHeader<'h> {
    /// It has none.
    Nothing,
    /// It has one.
    One(&'h str),
    /// It has several, or one that is not text (§4.3 check 1).
    Unreadable,
}

/// Reads the proof of a request, with the nonce in it (§4.3 check 10). It may name the endpoint's alias where the request came
/// through the proxy that forwards certificates. [`use_once`] uses it up, once everything else about
/// the request is right: a stranger's proofs leave nothing in the store.
///
/// # Errors
/// `invalid_dpop_proof`, `use_dpop_nonce`.
pub fn read(context: &RequestContext<'_>, sent: ProofHeader<'_>, call: &Call<'_>) -> Result<Option<Proof>, OAuthError> {
    let text = match sent {
        ProofHeader::Nothing => return Ok(None),
        ProofHeader::One(text) => text,
        ProofHeader::Unreadable => return Err(invalid("send one DPoP header, with one proof")),
    };
    let alias = context.alias_of(call.url);
    let mut verified = proof::verify(text, call, context.now);
    if let (Err(Check::Claim("htu", Problem::Differs)), Some(alias)) = (&verified, &alias) {
        verified = proof::verify(text, &Call { url: alias, ..*call }, context.now);
    }
    let proof = verified.map_err(|check| match check {
        Check::Claim("htu", Problem::Differs) => {
            invalid(&format!("{check}; send {}", alias.as_deref().unwrap_or(call.url)))
        }
        Check::Claim("iat", Problem::Time) => invalid(&format!("{check}; is the clock of the app right?")),
        _ => invalid(&check.to_string()),
    })?;
    if proof.nonce.as_ref().is_some_and(|nonce| !nonce::is_valid(context, nonce)) {
        let text = "the nonce in the DPoP proof is not valid any more; use the one in the DPoP-Nonce header";
        return Err(OAuthError::new(ErrorCode::UseDpopNonce, text));
    }
    Ok(Some(proof))
}

/// Uses a proof up (§11.1). It is remembered for as long as it would be valid, across restarts, under its key: nobody can
/// use up another's `jti`.
///
/// # Errors
/// `invalid_dpop_proof` when it was used before; when the store can't be written.
pub async fn use_once(context: &RequestContext<'_>, proof: Option<&Proof>) -> Result<(), OAuthError> {
    let Some(Proof { jkt, jti, ends_at, .. }) = proof else { return Ok(()) };
    if context.store().use_once("dpop", &format!("{jkt}.{jti}"), *ends_at, context.now).await? {
        Ok(())
    } else {
        Err(invalid("it was used before; make a new one for each request"))
    }
}

fn invalid(text: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidDpopProof, format!("the DPoP proof is not valid: {text}"))
}
