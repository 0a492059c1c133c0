//! Countersign: a declarative OpenID Connect federation broker.

pub mod app;
pub mod cli;
pub mod config;
pub mod core;
pub mod dev;
pub mod env;
pub mod generation;
pub mod keys;
pub mod op;
pub mod outbound;
pub mod reload;
pub mod rp;
pub mod snapshot;
pub mod store;
pub mod web;
