//! Countersign: a declarative OpenID Connect federation broker.

pub mod config;
pub mod core;
pub mod env;
pub mod outbound;
pub mod rp;
pub mod store;
