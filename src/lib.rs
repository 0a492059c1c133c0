//! Countersign: a declarative OpenID Connect federation broker. What an identity provider signed, it checks, normalises by
//! the declared rules, and countersigns.
//!
//! A request is read by [`web`], validated by [`op`] (towards apps) and [`upstream`] (towards identity providers), decided by
//! [`decision`], which is pure, persisted by [`store`], and answered by [`web`] again. What the file says is read and checked
//! by [`config`] and compiled into a [`snapshot`], of which each request sees exactly one.
//!
//! | module | owns | a change that begins here |
//! | --- | --- | --- |
//! | [`protocol`] | the vocabulary of OAuth 2.0 and OpenID Connect, and the table of all paths | a new grant type, claim or path |
//! | [`config`] | the language of `broker.toml`: types, layers, positions, every problem at once | a new key |
//! | [`expression`] | CEL: our functions, checks at load, bounded evaluation | a new function |
//! | [`decision`] | the pipeline: claims, account, roles, what an app gets, and the trace of why | a new rule or reason |
//! | [`analysis`] | what studies a file: mapping tests, plan, reach, explain, capture | a new question of operators |
//! | [`snapshot`] | one compiled generation: how it is made from files, and how a reload swaps it | |
//! | [`jose`] | JSON Web Signatures and Keys, the broker's own and others' | a new algorithm |
//! | [`keys`] | the life of the broker's signing keys | |
//! | [`outbound`] | calls to other hosts, guarded | |
//! | [`upstream`] | the relying-party leg: discovery, key sets, sign-ins at providers | a new preset |
//! | [`op`] | the provider leg, a folder an endpoint | a new endpoint or grant |
//! | [`store`] | what is persisted, in a trait for each concern | a new backend |
//! | [`pages`] | what people see: typed views in, HTML out | a new page |
//! | [`web`] | HTTP towards apps and browsers: listeners, router, handlers, cookies | |
//! | [`admin`] | HTTP towards operators: health, status, metrics | |
//! | [`app`] | the composition root | |
//! | [`cli`], [`import`], [`dev`] | the commands; Dex and Keycloak compiled to `broker.toml`; a world to try it in | a new command |
//! | [`throttle`] | how often strangers may do something | a new limit |
//! | [`env`], [`excerpt`] | time and randomness, injected; what strangers send, cut for log and store | |
//!
//! Modules name only those below them, and files do not import each other in circles: `tests/layering` reads the imports and
//! fails otherwise, without exceptions. From `decision` down nothing does I/O or reads a clock, but for `config::load`, which
//! reads files.

pub mod admin;
pub mod analysis;
pub mod app;
pub mod cli;
pub mod config;
pub mod decision;
pub mod dev;
pub mod env;
pub mod excerpt;
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
pub mod throttle;
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
