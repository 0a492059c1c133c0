//! The broker as its users, apps and attackers see it: through the real router, with the real configuration loader and
//! the real store. No sleeps, and no sockets but for the listeners' own tests and apps that are told of a sign-out: time and
//! the providers are scripted.
//!
//! Files are named after routes. Tests named `d01_...` are cases of the attack catalogue.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what they expect by failing"
)]

mod accounts;
mod assertions;
mod authorize;
mod callback;
mod clock;
mod consent;
mod discovery;
mod dpop;
mod edge;
mod files;
mod harness;
mod hybrid;
mod interactions;
mod introspect;
mod listener;
mod logout;
mod logout_channels;
mod looks;
mod paths;
mod policy;
mod redirect_uri;
mod refresh;
mod reload;
mod request_objects;
mod rust_client;
mod secrets;
mod sign_in;
mod store_faults;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the unit tests use the rest")]
mod support;
mod token;
mod upstream;
mod upstream_logout;
mod userinfo;
mod validity;
