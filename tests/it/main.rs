//! The broker as its users, apps and attackers see it: through the real router, with the real configuration loader and
//! the real store. Time and the providers are simulated: tests do not sleep, and only those of the listeners and of apps that
//! are notified of a sign-out use sockets.
//!
//! Files are named after routes. Tests named `d01_...` are cases of the attack catalogue.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what they expect by failing"
)]

mod account;
mod account_certificates;
mod accounts;
mod administration;
mod assertions;
mod audit;
mod authorize;
mod break_glass;
mod callback;
mod certificate_header;
mod certificate_sign_in;
mod certificates;
mod clock;
#[path = "../store/cluster.rs"]
#[expect(dead_code, reason = "the tests of the store use more of it")]
mod cluster;
mod consent;
mod console;
mod corpus;
mod discovery;
mod dpop;
mod drafts;
mod edge;
mod entitlement;
mod entra;
mod files;
mod framed_logout;
mod fresh_facts;
mod github;
mod group_services;
mod group_sources;
mod harness;
mod hidden;
mod hybrid;
mod interactions;
mod introspect;
mod limits;
mod listener;
mod listener_floods;
mod logout;
mod logout_channels;
mod logout_notices;
mod looks;
mod metrics;
mod moved_store;
mod mutual_tls;
mod oauth2;
mod odd_browsers;
mod odd_providers;
mod paths;
mod policy;
mod presets;
mod provider_down;
mod recent_sign_in;
mod redirect_uri;
mod refresh;
mod reload;
mod request_objects;
mod revocation;
mod rust_client;
mod secrets;
mod several_providers;
mod sign_in;
mod signals;
mod status;
mod store_faults;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the unit tests use the rest")]
mod support;
mod telemetry;
mod token;
mod upstream;
mod upstream_credentials;
mod upstream_dpop;
mod upstream_logout;
mod upstream_pushed;
mod userinfo;
mod validity;
