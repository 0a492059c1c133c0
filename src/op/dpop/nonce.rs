//! The nonces that are handed out for proofs (RFC 9449 §8, §9).
//!
//! A proof need not have one, but one that it has must be from this broker and fresh. They are stateless: the time of issue,
//! with a tag whose key is derived from the signing keys, which every process on the store has and which survive restarts. So a
//! nonce from one replica is accepted by the others, and nothing is stored for a stranger who asks for one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::op::RequestContext;
use crate::op::dpop::proof::BACK;

/// Seconds for which a nonce is valid.
const LIFETIME: i64 = 300;
/// What the tags of nonces are made for.
const PURPOSE: &str = "dpop nonce";

/// A nonce for the next proof (§8): when it was made, and a tag. `None` while there is no key to tag it with.
#[must_use]
pub fn nonce(context: &RequestContext<'_>) -> Option<String> {
    let made = context.now.to_be_bytes();
    let tag = context.services.keys.set().tag(PURPOSE, &made)?;
    Some(URL_SAFE_NO_PAD.encode([made.as_slice(), &tag].concat()))
}

/// Whether a nonce was made by this broker, and is fresh.
pub(super) fn is_valid(context: &RequestContext<'_>, nonce: &str) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else { return false };
    let Some((made, tag)) = bytes.split_first_chunk::<8>() else { return false };
    let time = i64::from_be_bytes(*made);
    // Another replica's clock may be ahead of this one's.
    let fresh = time > context.now.saturating_sub(LIFETIME) && time <= context.now.saturating_add(BACK);
    fresh && context.services.keys.set().tagged(PURPOSE, made, tag)
}
