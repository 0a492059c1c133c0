//! The typed file: the content of `broker.toml` after its layers are merged, one file for each section.
//!
//! Every key is documented at its type; the JSON Schema is generated from these types. [`check`](super::check) decides which
//! values are valid, each by itself and together.

pub mod account;
pub mod address;
pub mod audit;
pub mod break_glass;
pub(crate) mod cel_source;
pub mod certificates;
pub mod client;
pub mod connection_url;
pub mod console;
pub mod groups_from;
pub mod introspect;
pub mod issuer;
pub mod later;
pub mod lifetimes;
pub mod limits;
pub mod mapping_test;
pub(crate) mod names;
pub mod policy;
pub mod provider;
pub mod quirks;
pub(crate) mod redact;
pub mod refresh;
pub mod role_pattern;
pub mod scalar;
pub mod server;
pub mod signals;
pub mod telemetry;
pub mod toml_text;
pub mod ui;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use client::{Client, Resource};
use mapping_test::MappingTest;
use policy::{Policy, Role, RoleRule, Scope, Table, User};
use provider::Provider;

/// One `broker.toml`, which configures one issuer with one store.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Countersign configuration")]
pub struct Config {
    /// The issuer identifier: an https URL (http on loopback), which may have a path. Changing it needs a restart.
    pub issuer: String,
    /// Additional files, or glob patterns of them.
    #[serde(default)]
    pub include: Vec<Include>,
    /// The public listener.
    #[serde(default)]
    pub server: server::Server,
    /// Health, metrics, status and actions.
    #[serde(default)]
    pub admin: server::Admin,
    /// Where state is kept.
    #[serde(default)]
    pub store: server::Store,
    /// Paths of the endpoints.
    #[serde(default)]
    pub endpoints: server::Endpoints,
    /// Limits on what strangers can make the broker do.
    #[serde(default)]
    pub limits: limits::Limits,
    /// Signing keys.
    #[serde(default)]
    pub keys: lifetimes::Keys,
    /// Token lifetimes.
    #[serde(default)]
    pub tokens: lifetimes::Tokens,
    /// How `sub` is derived.
    #[serde(default)]
    pub subject: lifetimes::Subject,
    /// The single sign-on session.
    #[serde(default)]
    pub session: lifetimes::Session,
    /// Rules for the users of all providers.
    #[serde(default)]
    pub policy: Policy,
    /// Lookup tables.
    #[serde(default)]
    #[schemars(extend("propertyNames" = crate::config::language::names::id()))]
    pub tables: BTreeMap<String, Table>,
    /// Upstream identity providers.
    #[serde(default)]
    #[schemars(extend("propertyNames" = crate::config::language::names::provider_id()))]
    pub providers: BTreeMap<String, Provider>,
    /// Roles.
    #[serde(default)]
    #[schemars(extend("propertyNames" = crate::config::language::names::printable()))]
    pub roles: BTreeMap<String, Role>,
    /// Rules that assign roles, in order.
    #[serde(default)]
    pub role_rules: Vec<RoleRule>,
    /// Scopes, in addition to the built-in ones or replacing them.
    #[serde(default)]
    #[schemars(extend("propertyNames" = crate::config::language::names::scope_token()))]
    pub scopes: BTreeMap<String, Scope>,
    /// APIs that accept tokens.
    #[serde(default)]
    #[schemars(extend("propertyNames" = crate::config::language::names::id()))]
    pub resources: BTreeMap<String, Resource>,
    /// Downstream apps.
    #[serde(default)]
    #[schemars(extend("propertyNames" = crate::config::language::names::id()))]
    pub clients: BTreeMap<String, Client>,
    /// Users declared beforehand.
    #[serde(default)]
    #[schemars(extend("propertyNames" = crate::config::language::names::printable()))]
    pub users: BTreeMap<String, User>,
    /// Mapping tests, run by `check`, at every start and before every reload.
    #[serde(default)]
    pub tests: Vec<MappingTest>,
    /// Sign-in by client certificate.
    pub certificates: Option<certificates::Certificates>,
    /// A local account for when no provider can be used.
    pub break_glass: Option<break_glass::BreakGlass>,
    /// Dynamic client registration.
    pub registration: Option<later::Registration>,
    /// Token exchange.
    pub token_exchange: Option<later::TokenExchange>,
    /// The device flow.
    pub device: Option<later::Device>,
    /// The operators' console. Default: there is none.
    pub console: Option<console::Console>,
    /// The users' own pages.
    pub account: Option<account::Account>,
    /// The appearance of the pages.
    #[serde(default)]
    pub ui: ui::Ui,
    /// The audit trail.
    #[serde(default)]
    pub audit: audit::Audit,
    /// Traces for OpenTelemetry. Default: none are made.
    pub telemetry: Option<telemetry::Telemetry>,
    /// Who may change the file.
    pub config: Option<later::ConfigTrust>,
}

impl Config {
    /// The paths of settings that differ in `new` and that a reload can't change.
    #[must_use]
    pub fn restart_needed(&self, new: &Self) -> Vec<&'static str> {
        let listen = |config: &Self| config.certificates.as_ref().map(|certificates| certificates.listen.clone());
        [
            ("issuer", self.issuer != new.issuer),
            ("server.listen", self.server.listen != new.server.listen),
            ("server.tls (turned on or off)", self.server.tls.is_some() != new.server.tls.is_some()),
            ("admin.listen", self.admin.listen != new.admin.listen),
            ("certificates.listen", listen(self) != listen(new)),
            ("store.url", self.store.url != new.store.url),
            ("store.encryption_keys", self.store.encryption_keys != new.store.encryption_keys),
        ]
        .into_iter()
        .filter_map(|(key, changed)| changed.then_some(key))
        .collect()
    }
}

/// One entry of `include`: a glob, or a glob with the sections that its files may set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Include {
    /// Files that may set anything.
    Path(String),
    /// Files that may set only some sections.
    Limited(LimitedInclude),
}

/// `{ path = "teams/*.toml", only = ["clients", "tests"] }`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitedInclude {
    /// A glob, relative to the including file.
    pub path: PathBuf,
    /// Sections that the files may set.
    pub only: Vec<String>,
}
