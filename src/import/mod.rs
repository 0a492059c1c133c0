//! Converts the configuration of Dex or the export of a Keycloak realm to a `broker.toml`.
//!
//! [`dex`] and [`keycloak`] are functions from text to a document; [`document`] writes it. Settings that Countersign does not
//! support become comments that state what was left out, why, and what to do instead: nothing is dropped silently, and nobody
//! gets more access than before. Secrets and passwords are never written, only the places where to put them. The result is
//! checked like `countersign check --without-secrets` does.

pub(crate) mod dex;
pub(crate) mod document;
pub(crate) mod keycloak;
mod read;
mod words;
