//! The web edge: the only place where outcomes and errors become HTTP.
//!
//! A connection is served by a [`listener`]. The [`router`] loads one configuration generation, reads the request
//! ([`request`]), looks its path up in the paths of that generation, and calls the handler of the route ([`handlers`]). A
//! handler calls `op` with plain data and writes what comes back ([`respond`], [`error`]), or shows a page
//! of [`crate::pages`] ([`page`], with what it shows filled in by [`views`]).
//!
//! - A new endpoint: an entry of [`Endpoint`](crate::protocol::paths::Endpoint), an arm in [`router`], a function in the file
//!   of [`handlers`] that serves its kind.
//! - A new page: an entry of [`Page`](crate::protocol::paths::Page), a view and a template in [`crate::pages`], a function in
//!   [`views`] that fills the view, an arm in [`router`] for its form.
//!
//! Limits, time-outs, header policies and CORS are not those of `tower-http`, since each needs the generation or the
//! connection: `limits.body` may change with a reload (`RequestBodyLimit` has one limit for the life of the router); a body
//! must be complete in time (`RequestBodyTimeout` bounds the time between two pieces of it, which a slow sender keeps to for
//! ever); which headers a response has depends on its kind, so [`respond`] sets them where the kind is known, and the
//! Content-Security-Policy follows from the page; CORS is described in [`cors`].

pub mod cookies;
mod cors;
pub mod error;
mod exchange;
mod handlers;
pub mod listener;
mod page;
pub mod request;
pub mod respond;
mod router;
mod views;

pub use router::{Edge, serve};
