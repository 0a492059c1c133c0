//! Client certificates (X.509, RFC 5280): read from the header of a proxy, and verified.
//!
//! Owns how a header holds a certificate, what is read of one, and whether one is valid. It does not own whose header is read,
//! which is `web`'s, nor what a certificate permits, which `op` and [`decision`](crate::decision) decide. The time is a
//! parameter.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`header`] | the forms in which proxies forward a certificate |
//! | [`certificate`] | what is read of a certificate: names, times, keys |
//! | [`authorities`] | the chain to a certificate authority |
//! | [`revocations`] | certificate revocation lists |
//! | [`flaw`] | what can be wrong |
//!
//! Certificates are parsed by x509-parser, and chains are verified by rustls-webpki. That ignores key usages and the time of a
//! root, so both are checked here.

pub mod authorities;
pub mod certificate;
pub mod flaw;
pub mod header;
pub mod revocations;
mod verified;

pub use authorities::Authorities;
pub use certificate::Certificate;
pub use flaw::Flaw;
pub use header::Reading;
pub use revocations::Revocations;
