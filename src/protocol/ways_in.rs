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
/// The members of `cert.subject` and `cert.issuer`, as far as the name has them.
pub const CERTIFICATE_NAMES: &[&str] =
    &["cn", "o", "ou", "c", "l", "st", "dc", "uid", "email", "serial_number", "given_name", "surname", "dn"];
/// The members of `cert.san`.
pub const CERTIFICATE_ALTERNATIVES: &[&str] = &["dns", "email", "uri", "ip"];
