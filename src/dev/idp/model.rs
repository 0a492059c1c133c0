//! What the simulated providers are made of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::dev::idp::fault::Faults;
use crate::dev::idp::shape::Shape;
use crate::dev::setting::Setting;
use crate::env::{Clock, Random};
use crate::keys::Keys;
use crate::pages::Pages;
use crate::snapshot::Snapshot;
use crate::web::respond;

/// What the simulated providers are made of.
pub struct Idp {
    /// The addresses.
    pub setting: Arc<Setting>,
    /// The configuration, with the people in its tests.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Which of them are broken.
    pub faults: Arc<Faults>,
    /// Their signing keys.
    pub keys: Keys,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Pages.
    pub pages: Pages,
    /// Issued codes and tokens.
    pub issued: Mutex<HashMap<String, Issued>>,
}

/// Whom a code or a token is for.
#[derive(Clone, Debug)]
pub struct Issued {
    pub(super) provider: String,
    pub(super) persona: String,
    pub(super) nonce: Option<String>,
    /// Whether a refresh token was asked for.
    pub(super) offline: bool,
}

/// What the handlers share.
pub(super) type Shared = State<Arc<Idp>>;

impl Idp {
    /// How a provider names itself.
    pub(super) fn issuer(&self, provider: &str, shape: &Shape) -> String {
        format!("{}{}", self.setting.provider(provider), if shape.slash { "/" } else { "" })
    }

    pub(super) fn issued(&self) -> MutexGuard<'_, HashMap<String, Issued>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn remember(&self, secret: &str, issued: Issued) {
        self.issued().insert(secret.to_owned(), issued);
    }
}

/// The answer of a provider that is down.
pub(super) fn unavailable() -> Response {
    respond::json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": "temporarily_unavailable" }))
}
