//! Countersign: a declarative OpenID Connect federation broker. What an identity provider signed, it checks, normalises by
//! the declared rules, and countersigns.
//!
//! The way of a request: [`web`] reads it → [`op`] (towards apps) and [`rp`] (towards providers) validate → [`core`]
//! decides, pure → [`store`] persists, [`keys`] signs → [`web`] answers. What the file says is [`config`], checked and
//! compiled into a [`snapshot`] by [`generation`], swapped by [`reload`].
//!
//! | module | owns |
//! | --- | --- |
//! | [`config`] | the typed file: layers, places, every problem at once |
//! | [`core`] | the decision: expressions, claims, accounts, roles, what an app is told, and the trace of why |
//! | [`snapshot`] | one compiled generation: what a request sees |
//! | [`generation`] | from files to a snapshot: the one way for `check`, `serve` and reload |
//! | [`reload`] | watch, prepare, swap, all or nothing |
//! | [`op`] | the provider leg: authorize, token, userinfo, introspection, revocation, logout, discovery |
//! | [`rp`] | the relying-party leg: discovery, key sets, sign-ins at providers |
//! | [`jose`] | signed JWTs from others, verified |
//! | [`outbound`] | calls to other hosts, guarded |
//! | [`keys`] | signing keys: made, rotated, published, used |
//! | [`store`] | what is persisted, sealed |
//! | [`pages`] | what people see: typed views in, HTML out, in their language and the operator's looks |
//! | [`web`] | HTTP: listeners, routes, cookies; outcomes and errors become responses |
//! | [`app`] | the composition root |
//! | [`env`] | time and randomness, injected |
//! | [`cli`], [`dev`] | the commands; the world to try it in |
//!
//! Direction: `web → op, rp → store, keys → core → config`. A test reads the imports and fails when one points upwards.

pub mod admin;
pub mod analysis;
pub mod app;
pub mod cli;
pub mod config;
pub mod decision;
pub mod dev;
pub mod env;
pub mod expression;
pub mod import;
pub mod jose;
pub mod keys;
pub mod op;
pub mod outbound;
pub mod pages;
pub mod protocol;
pub mod reload;
pub mod snapshot;
pub mod store;
pub mod upstream;
pub mod web;

// So that what the tests share with `tests/it` has one name for the library.
#[cfg(test)]
extern crate self as countersign;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; each of the two that share it uses a part"
)]
mod support;

/// Small strings in large numbers, freed by another thread than made them: what the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
