//! The broker's own ways to sign in, which need no identity provider. Their ids are reserved as provider ids.

/// Sign-in by client certificate (`[certificates]`).
pub const CERTIFICATE: &str = "certificate";
/// The break-glass account (`[break_glass]`).
pub const BREAK_GLASS: &str = "break_glass";
/// All of them.
pub const OWN_WAYS_IN: &[&str] = &[CERTIFICATE, BREAK_GLASS];
/// The `amr` of a sign-in by client certificate: proof of possession of a key (RFC 8176 §2).
pub const CERTIFICATE_AMR: &str = "pop";
/// What `certificates.username` may read of a certificate, as members of `cert`.
pub const CERTIFICATE_FACTS: &[&str] =
    &["subject", "issuer", "san", "serial", "fingerprint", "not_before", "not_after"];
