//! What the unit tests of the library and `tests/it` share: one scripted identity provider and one signer.
//!
//! Each includes this folder as a module of its own; `countersign` names the library in both.

pub(crate) mod keys;
pub(crate) mod provider;
pub(crate) mod signer;
