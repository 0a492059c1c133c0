//! The state of the admin listener.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::op::Services;
use crate::snapshot::Snapshot;
use crate::snapshot::reload::ReloadStatus;
use crate::web::listener::Connections;

/// What the admin listener reports on.
pub struct Admin {
    /// The store, the keys, the upstream providers.
    pub services: Services,
    /// The configuration generation in force. Its tokens open everything but health.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// The outcome of the last reload.
    pub reload_status: Arc<ReloadStatus>,
    /// The connections of the public listeners.
    pub connections: Arc<Connections>,
}
