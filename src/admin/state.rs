//! The state of the admin listener.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::language::scalar::SecretValue;
use crate::op::Services;
use crate::snapshot::Snapshot;
use crate::snapshot::reload::ReloadStatus;

/// What the admin listener reports on.
pub struct Admin {
    /// The store, the keys, the upstream providers.
    pub services: Services,
    /// The configuration generation in force.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// The outcome of the last reload.
    pub reload_status: Arc<ReloadStatus>,
    /// Tokens that give access to everything but health. Without any, which `check` accepts only on loopback, none is
    /// required.
    pub tokens: Vec<SecretValue>,
}
