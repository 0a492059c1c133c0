//! What the admin listener's `/status` shows, as JSON and as a page.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::pages::views::View;

/// The broker's status. Its members are those of the JSON document.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The issuer.
    pub issuer: String,
    /// Number of the configuration generation in force.
    pub generation: u64,
    /// Its hash.
    pub hash: String,
    /// How many clients there are; as in `counts`.
    pub clients: usize,
    /// How many there are of each.
    pub counts: StatusCounts,
    /// The providers.
    pub providers: Vec<ProviderStatus>,
    /// The signing keys.
    pub keys: Vec<KeyStatus>,
    /// When the first of the revocation lists of client certificates expires.
    pub revocation_lists_due_at: Option<i64>,
    /// Whether the files have problems, and an older generation is in force.
    pub reload_failed: bool,
    /// The problems, in the form of `check --format json`.
    pub reload_problems: Vec<Value>,
}

/// How many there are.
#[derive(Clone, Debug, Serialize)]
pub struct StatusCounts {
    /// Clients.
    pub clients: usize,
    /// Providers.
    pub providers: usize,
    /// Declared roles.
    pub roles: usize,
    /// Sessions, as of the last housekeeping.
    pub sessions: i64,
}

/// The status of a provider.
#[derive(Clone, Debug, Serialize)]
pub struct ProviderStatus {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether the last call succeeded and it accepts the broker's credentials; none before the first call.
    pub healthy: Option<bool>,
    /// Endpoints of its discovery document that can't be used, and why.
    pub unusable_endpoints: Map<String, Value>,
    /// Whether its token endpoint refuses the broker's credentials.
    pub refuses_our_credentials: bool,
    /// When it last answered as it should.
    pub last_success_at: Option<i64>,
    /// When it last failed.
    pub last_error_at: Option<i64>,
    /// How it failed.
    pub last_error: Option<String>,
}

/// A signing key.
#[derive(Clone, Debug, Serialize)]
pub struct KeyStatus {
    /// Its id.
    pub kid: String,
    /// Its algorithm.
    pub alg: &'static str,
    /// `current`, `next` or `retired`.
    pub state: &'static str,
    /// When it is due to be replaced.
    pub rotation_due_at: Option<i64>,
}

/// The status as a page.
#[derive(Clone, Debug, Serialize)]
pub struct StatusPage {
    /// The status.
    pub status: Status,
    /// The problems, as `check` prints them.
    pub problems: Option<String>,
}

impl View for StatusPage {
    const TEMPLATE: &'static str = "status.html";
}
