//! Countersign: a declarative OpenID Connect federation broker. What an identity provider signed, it checks, normalises by
//! the declared rules, and countersigns.
//!
//! A request's way: [`web`] reads it → [`op`] (towards apps) and [`upstream`] (towards providers) validate → [`decision`]
//! decides, pure → [`store`] persists, [`keys`] signs → [`web`] answers. What the file says is [`config`], checked and
//! compiled into a generation of [`snapshot`], and swapped there when the file changes.
//!
//! | module | owns |
//! | --- | --- |
//! | [`protocol`] | the vocabulary of OAuth 2.0 and OpenID Connect, and every path |
//! | [`config`] | the typed file: layers, places, every problem at once |
//! | [`expression`] | CEL: names and types checked at load, evaluation bounded |
//! | [`decision`] | claims, accounts, roles, what an app is told, and the trace of why |
//! | [`analysis`] | what studies a file: mapping tests, plan, reach, explain, capture |
//! | [`snapshot`] | a compiled generation: what a request sees; how it is made and swapped |
//! | [`op`] | the provider leg: authorize, token, userinfo, introspection, revocation, logout, discovery |
//! | [`upstream`] | the relying-party leg: discovery, key sets, sign-ins at providers |
//! | [`jose`] | signed JWTs and keys |
//! | [`outbound`] | calls to other hosts, guarded |
//! | [`keys`] | the life of signing keys: made, rotated, published |
//! | [`store`] | what is persisted, sealed |
//! | [`pages`] | what people see: typed views in, HTML out, in their language and the operator's looks |
//! | [`web`] | HTTP: listeners, routes, cookies; outcomes and errors become responses |
//! | [`admin`] | the admin listener: health, status, metrics |
//! | [`app`] | the composition root |
//! | [`env`] | time and randomness, injected |
//! | [`cli`], [`import`], [`dev`] | the commands; files of other brokers; the world to try it in |
//!
//! Direction: `web, admin → op, upstream → store, keys → analysis → decision → expression → config → protocol`. A test reads
//! the imports and fails when one points upwards.

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
pub mod snapshot;
pub mod store;
pub mod upstream;
pub mod web;

/// Small strings in large numbers, freed by another thread than made them: what the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
