//! A `broker.toml` from the configuration of Dex or the export of a Keycloak realm.
//!
//! [`dex`] and [`keycloak`] are functions from text to a document; [`document`] writes it. What Countersign does not support
//! becomes a comment that says what was left out, why, and what to do instead: nothing is dropped silently, and nothing
//! grants more than before. Secrets and passwords are never written, only where they are to be put. What comes out is checked as
//! `countersign check --without-secrets` would.

pub(crate) mod dex;
pub(crate) mod document;
pub(crate) mod keycloak;
mod read;
mod words;
