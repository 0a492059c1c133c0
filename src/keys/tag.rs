//! Tags: short proofs that this broker issued a message, with keys that are derived from its signing keys.

use aws_lc_rs::{constant_time, hkdf, hmac};

/// The key for tags that is derived from one signing key.
pub(crate) struct TagKey(hmac::Key);

impl TagKey {
    /// HKDF-SHA256 (RFC 5869) of the private key's document, used only for tags.
    pub(crate) fn derive(private: &[u8]) -> Option<Self> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"countersign");
        let mut key = [0_u8; 32];
        salt.extract(private).expand(&[b"tags"], hkdf::HKDF_SHA256).ok()?.fill(&mut key).ok()?;
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// Half of an HMAC-SHA256 (RFC 2104 §5) over purpose and message.
    pub(crate) fn tag(&self, purpose: &str, message: &[u8]) -> Option<[u8; 16]> {
        let whole = hmac::sign(&self.0, &[purpose.as_bytes(), b"\0", message].concat());
        whole.as_ref().first_chunk().copied()
    }

    /// Whether this is the tag that [`Self::tag`] computes.
    pub(crate) fn made(&self, purpose: &str, message: &[u8], tag: &[u8]) -> bool {
        self.tag(purpose, message).is_some_and(|own| constant_time::verify_slices_are_equal(&own, tag).is_ok())
    }
}
