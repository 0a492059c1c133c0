//! What the unit tests of the library and `tests/it` share: a scripted identity provider and a signer.
//!
//! Both include this folder as a module; `countersign` names the library in both.

pub(crate) mod keys;
pub(crate) mod provider;
pub(crate) mod signer;
