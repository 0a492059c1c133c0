//! The web edge: the only place that knows HTTP. Listeners, routes, cookies; errors become responses in [`error`].
//!
//! A connection is served ([`listener`]), a request is read ([`request`]), handed to `op` as plain data, and what comes
//! back is written ([`respond`]), as a page of [`crate::pages`] where a person reads it. Paths come from the configuration
//! of the moment, so one handler looks them up in the snapshot instead of a fixed router.

pub mod cookies;
pub mod cors;
pub mod error;
pub mod listener;
pub mod request;
pub mod respond;
mod routes;

pub use routes::{Edge, serve};
