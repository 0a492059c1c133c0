//! What an administrator can look up and revoke at run time: users, sessions, the grants of a client, consents.
//!
//! Only the configuration grants access; the operations here take it away. A disabled user can be enabled again, and a user can
//! be renamed, but never to a name that the configuration gives rights to. [`people`] finds and describes users, [`near`]
//! suggests names for a misspelt one, [`users`] changes users, [`revocations`] ends sessions and grants, [`keys`] rotates and
//! revokes signing keys. Each operation reports what it ended, notifies the apps of the sessions (OIDC Back-Channel Logout
//! 1.0), and leaves one line in the log.

pub mod audit;
pub mod keys;
pub mod near;
pub mod people;
pub mod people_read;
pub mod revocations;
pub mod users;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::audit::Event;
use crate::op::RequestContext;
use crate::op::logout::backchannel;
use crate::snapshot::client::Client;
use crate::store::model::User;
use crate::store::{Ended, StoreError};

/// Why an operation was not carried out; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// What it names does not exist.
    #[error("{0}")]
    NotFound(String),
    /// It names several users.
    #[error("{0}")]
    Ambiguous(String),
    /// It would give rights, or what it asks for is not possible.
    #[error("{0}")]
    Refused(String),
    /// The store is not available.
    #[error("the store is not available: {0}")]
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many sessions ended.
    pub sessions_ended: u64,
    /// How many grants were revoked, with their refresh tokens.
    pub grants_revoked: u64,
    /// Keys of the apps that are notified by back channel.
    pub apps_notified: BTreeSet<String>,
    /// When the last access token that was issued before expires, in seconds since the Unix epoch: until then it is
    /// accepted by those who verify it without asking the broker. `None` when nothing was revoked.
    pub offline_tokens_until: Option<i64>,
}

/// An event of what this administrator does, where one is known.
fn acted(event: Event, by: Option<&str>) -> Event {
    match by {
        Some(by) => event.by(by),
        None => event,
    }
}

/// Notifies the apps of what ended for a user, and reports it. `client` is the only client that is concerned, if there is
/// one.
fn report(context: &RequestContext<'_>, user: Option<&User>, ended: &Ended, client: Option<&Client>) -> Report {
    let apps_notified =
        user.map(|user| backchannel::session_ended(context, user, &ended.apps, Duration::ZERO)).unwrap_or_default();
    let revoked = ended.sessions + ended.grants > 0;
    Report {
        sessions_ended: ended.sessions,
        grants_revoked: ended.grants,
        apps_notified,
        offline_tokens_until: revoked.then(|| context.now + longest_access_token(context, client)),
    }
}

/// Seconds that an access token lives at most, under the configuration of the moment: of this client, or of any.
fn longest_access_token(context: &RequestContext<'_>, client: Option<&Client>) -> i64 {
    let snapshot = context.snapshot;
    let clients = match client {
        Some(client) => vec![client],
        None => snapshot.clients.values().collect(),
    };
    let own = clients.iter().map(|client| client.tokens.access_token.seconds());
    let resources = snapshot.resolved.resources.values().filter_map(|resource| resource.access_token);
    own.chain(resources.map(|lifetime| lifetime.seconds())).max().unwrap_or_default()
}
