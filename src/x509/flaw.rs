//! What can be wrong with a client certificate.

/// What is wrong with a client certificate, or with the header that holds it. The texts are ASCII and contain nothing of
/// either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The header occurs more than once.
    #[error("the certificate header came more than once")]
    Repeated,
    /// There is a header whose name differs in underscores only.
    #[error("a header came whose name differs from the certificate header's by underscores only")]
    Disguised,
    /// The header is too long.
    #[error("the certificate header is too long")]
    TooLong,
    /// The header does not have the form that its name stands for.
    #[error("the certificate header can't be read: {0}")]
    Form(&'static str),
    /// There are too many certificates.
    #[error("the certificate chain is too long")]
    LongChain,
    /// The certificate can't be parsed.
    #[error("the certificate can't be read")]
    Unreadable,
    /// Its validity period has ended.
    #[error("the certificate has expired")]
    Expired,
    /// Its validity period has not begun.
    #[error("the certificate is not valid yet")]
    NotYet,
    /// Its key must not be used to sign.
    #[error("the certificate's key usage does not include digital signatures")]
    KeyUsage,
    /// It is not for clients.
    #[error("the certificate's extended key usage does not include client authentication")]
    Purpose,
    /// No chain leads to an authority.
    #[error("the certificate was not issued by an authority that certificates.ca names")]
    Authority,
    /// The chain leads to an authority that has expired or is not valid yet.
    #[error("the authority that issued the certificate has expired or is not valid yet")]
    AuthorityTime,
    /// Its authority has revoked it, or an intermediate certificate.
    #[error("the certificate has been revoked")]
    Revoked,
    /// The revocation list of an authority has expired (nextUpdate).
    #[error("the revocation list of the certificate's authority has expired")]
    ListExpired,
    /// There is no revocation list of an authority of the chain.
    #[error("certificates.crl has no revocation list of the certificate's authority")]
    NoList,
    /// The revocation list of an authority is not signed by it.
    #[error("the revocation list of the certificate's authority is not signed by a key of that authority")]
    ListSignature,
    /// Another check of the chain fails, for example the validity period of an intermediate certificate.
    #[error("the certificate's chain is not valid")]
    Chain,
}
