//! Countersign: a declarative OpenID Connect federation broker. It checks what an identity provider signed, normalises it
//! by the declared rules, and countersigns it.
//!
//! A request is read by [`web`], validated by [`op`] (towards apps) and [`upstream`] (towards identity providers), decided by
//! [`decision`], which is pure, persisted by [`store`], and answered by [`web`]. The file is read and checked by [`config`]
//! and compiled into a [`snapshot`]; each request sees exactly one.
//!
//! | module | owns | a change that begins here |
//! | --- | --- | --- |
//! | [`protocol`] | the vocabulary of OAuth 2.0 and OpenID Connect, all paths | a new grant type, claim or path |
//! | [`config`] | the language of `broker.toml`: types, layers, positions, every problem at once | a new key |
//! | [`expression`] | CEL: our functions, load-time checks, bounded evaluation | a new function |
//! | [`decision`] | the pipeline: claims, account, roles, what an app gets, and the trace of why | a new rule or reason |
//! | [`analysis`] | the analysis of a configuration: mapping tests, plan, reach, explain, capture | a new analysis |
//! | [`snapshot`] | one compiled generation: how it is made from files, and how a reload replaces it | |
//! | [`jose`] | JSON Web Signatures and Keys, the broker's own and others' | a new algorithm |
//! | [`keys`] | the life cycle of the broker's signing keys | |
//! | [`outbound`] | guarded calls to other hosts | |
//! | [`upstream`] | the relying party: discovery, key sets, sign-ins at providers | a new preset |
//! | [`op`] | the OpenID Provider, with a file or folder for each endpoint | a new endpoint or grant |
//! | [`store`] | persistence, with a trait for each concern | a new backend |
//! | [`pages`] | the HTML pages, rendered from typed views | a new page |
//! | [`web`] | HTTP towards apps and browsers: listeners, router, handlers, cookies | |
//! | [`admin`] | HTTP towards operators: health, status, metrics | |
//! | [`app`] | the composition root | |
//! | [`cli`], [`import`], [`dev`] | the commands; importing from Dex and Keycloak; a demo environment | a new command |
//! | [`audit`] | the events of the audit trail: their log lines, and the hash chain of their rows | a new kind of event |
//! | [`metrics`] | what is measured: the catalogue of metrics, what is recorded, and one scrape | a new metric |
//! | [`telemetry`] | traces for OpenTelemetry: spans, sampling, the export | another span |
//! | [`x509`] | client certificates: reading and verifying them | a header form |
//! | [`throttle`] | how often strangers may do something | a new limit |
//! | [`digest`] | SHA-256 in the forms in which it is written | |
//! | [`env`], [`excerpt`] | time and randomness, injected; what strangers send, cut for log and store | |
//!
//! Modules import only from lower layers, and files do not import each other in circles: `tests/layering` has the layers,
//! reads the imports and fails otherwise, without exceptions. `decision`, `expression` and `config` do no I/O and read no
//! clock, except `config::load`, which reads files.

pub mod admin;
pub mod analysis;
pub mod app;
pub mod audit;
pub mod cli;
pub mod config;
pub mod decision;
pub mod dev;
pub mod digest;
pub mod env;
pub mod excerpt;
pub mod expression;
pub mod import;
pub mod jose;
pub mod keys;
pub mod metrics;
pub mod op;
pub mod outbound;
pub mod pages;
pub mod protocol;
pub mod snapshot;
pub mod store;
pub mod telemetry;
pub mod throttle;
pub mod upstream;
pub mod web;
pub mod x509;

// The code that unit tests share with `tests/it` names the library `countersign`.
#[cfg(test)]
extern crate self as countersign;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; the unit tests use only a part of what they share with `tests/it`"
)]
mod support;

/// The broker allocates many small strings and frees them on other threads, which is slow with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
