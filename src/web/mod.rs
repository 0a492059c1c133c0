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
//! `tower-http` (0.7) was read for body limits, body deadlines, response headers, CORS and CSRF. Its layers get their values
//! when the router is made. Here they belong to the generation (`limits.body`, the origins of clients), to the listener (its
//! time-outs) or to the route (who may read an answer, which forms only our own pages post), and the generation must be the one
//! that the rest of the request sees. So a body is read in one place, with the limit of `http-body-util` and the time-out of
//! `tokio` ([`request`]); the headers that a response must have are set where each kind is made ([`respond`]); [`cors`] says
//! why it does not use the library's.

mod account_views;
mod client_certificate;
mod console;
pub mod cookies;
mod cors;
pub mod error;
mod exchange;
mod finish;
mod handlers;
pub mod listener;
mod methods;
mod own;
mod page;
pub mod request;
pub mod respond;
mod router;
mod spans;
mod views;

pub use client_certificate::Entrance;
pub use finish::Unattended;
pub use router::{Edge, serve};
