//! Countersign: a declarative OpenID Connect federation broker.

pub mod config;
