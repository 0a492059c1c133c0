//! The vocabulary of OAuth 2.0 and OpenID Connect that the configuration, `op`, `upstream` and `web` share. It has no logic
//! beyond names and what counts as a value.

pub mod algorithm;
pub mod claim;
pub mod client_auth;
mod comparable;
pub mod console_paths;
pub mod distinguished_name;
pub mod error_code;
pub mod grant_type;
pub mod own_paths;
pub mod paths;
pub mod response_type;
pub mod scope;
pub mod signal;
pub mod subject_type;
pub mod ways_in;

pub use algorithm::{Algorithm, SigningAlgorithm};
pub use claim::{ClaimType, PROTOCOL_CLAIMS, STANDARD_CLAIMS, claim_type, default_attributes, is_absent};
pub use client_auth::ClientAuthMethod;
pub use error_code::ErrorCode;
pub use grant_type::GrantType;
pub use response_type::ResponseType;
pub use scope::{SCOPE_CLAIMS, built_in_scopes};
pub use signal::Signal;
pub use subject_type::SubjectType;
pub use ways_in::{
    BREAK_GLASS, CERTIFICATE, CERTIFICATE_ALTERNATIVES, CERTIFICATE_AMR, CERTIFICATE_FACTS, CERTIFICATE_NAMES,
    OWN_WAYS_IN,
};
