//! Rotating the signing keys before they are due, and revoking one.
//!
//! Both work on a running broker and on a store that no broker uses: the caller records the event that each returns.

use serde::Serialize;

use crate::audit::{Action, Event};
use crate::keys::{Keys, KeysError};
use crate::op::administration::Failure;
use crate::snapshot::Snapshot;

/// What a change of the signing keys did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The keys that sign from now on, each as its algorithm and id.
    pub signing: Vec<String>,
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Store(error) => Self::Store(error),
            other => Self::Refused(other.to_string()),
        }
    }
}

/// Rotates all keys. `event` has the circumstances of what is recorded.
///
/// # Errors
/// When the store is not available, or no key can be made; the previous keys stay in use.
pub async fn rotate(keys: &Keys, snapshot: &Snapshot, now: i64, event: Event) -> Result<(Changed, Event), Failure> {
    keys.rotate_now(&snapshot.key_policy(), now).await?;
    Ok(changed(keys, event.action(Action::KeysRotated), ""))
}

/// Removes a key at once and replaces it. Nothing that it signed is accepted here any more.
///
/// # Errors
/// When there is no such key; otherwise as [`rotate`].
pub async fn revoke(
    keys: &Keys,
    snapshot: &Snapshot,
    now: i64,
    kid: &str,
    event: Event,
) -> Result<(Changed, Event), Failure> {
    if !keys.revoke(kid, &snapshot.key_policy(), now).await? {
        let text = format!("there is no signing key {kid}: `countersign keys list` shows the ids");
        return Err(Failure::NotFound(text));
    }
    Ok(changed(keys, event.action(Action::KeyRevoked), &format!("{kid} revoked; ")))
}

fn changed(keys: &Keys, event: Event, what: &str) -> (Changed, Event) {
    let signing = keys.set().signing();
    let detail = format!("{what}signing from now on: {}", signing.join(", "));
    (Changed { signing }, event.detail(detail))
}
