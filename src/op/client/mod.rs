//! The apps as peers: how they authenticate, what they sign, and the documents that they keep at URLs of their own.

pub mod authentication;
pub(crate) mod keys;
pub mod remote;
