//! Countersign: a declarative OpenID Connect federation broker.

pub mod config;
pub mod env;
pub mod keys;
pub mod store;
