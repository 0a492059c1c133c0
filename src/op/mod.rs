//! The provider leg: what the broker is to apps, an OpenID Provider.
//!
//! A folder or a file for each endpoint: [`authorize`] with pushed requests, [`callback`] for the way back from a provider,
//! [`break_glass`] for the local account,
//! [`token`], [`userinfo`], [`introspect`], [`revoke`], [`logout`], [`discovery`]. They share [`client`] (authentication and
//! keys of apps), [`decide`] (the decision pipeline put together with what is stored), [`validity`] (whether what is stored is
//! still valid), [`entitlement`] (the part of a grant that its client may still have), [`session`] (a browser's session),
//! [`interaction`] (what waits for a user), [`mark`] (which app it is for), [`doubles`] (duplicate requests), [`params`]
//! (reading forms), [`issue`], [`dpop`] and [`certificate_binding`] (tokens), [`certificate`] (client certificates of users),
//! [`events`] (the audit trail) and [`activity`] (its counts). [`administration`] is what an administrator can look up and
//! revoke, [`console`] what the operators' pages show of it. Steps validate, decide and persist, and return data: an
//! [`outcome`] for a browser, or an [`error`]. `web` turns it into HTTP.

pub mod account;
pub mod activity;
pub mod administration;
pub mod authorize;
pub mod break_glass;
pub mod callback;
pub mod certificate;
pub mod certificate_binding;
mod certificate_withdrawn;
pub mod client;
pub mod console;
mod context;
pub mod decide;
pub mod discovery;
pub mod doubles;
pub mod dpop;
pub mod draft;
pub mod entitlement;
pub mod error;
pub mod error_text;
pub mod events;
pub mod export;
pub mod hint;
pub mod interaction;
pub mod introspect;
pub mod issue;
pub mod last_provider;
pub mod logout;
pub mod mark;
pub mod outcome;
pub mod params;
pub mod presented_token;
mod refreshes;
pub mod revoke;
pub mod session;
pub mod signals;
pub mod sources;
pub mod token;
mod trace_id;
pub mod upstream_claims;
mod upstream_lease;
pub mod userinfo;
pub mod validity;

pub use context::{RequestContext, Services};
pub use trace_id::TraceId;
