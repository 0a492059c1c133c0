//! Reading the audit trail by the names that people know.

use serde::Serialize;

use crate::audit::Kind;
use crate::audit::chain::{Place, Recorded};
use crate::env::read_trace_id;
use crate::op::administration::Failure;
use crate::op::administration::people::find_in;
use crate::store::model::StoredTrace;
use crate::store::{EventPage, EventQuery, Store, StoreError};

/// Which events to read, in the words of a command or a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this user: a username, a `sub`, or a verified address.
    pub user: Option<String>,
    /// Of this client, by its key in the file.
    pub client: Option<String>,
    /// Of this provider.
    pub provider: Option<String>,
    /// Of this kind, by its name.
    pub event: Option<String>,
    /// With this reason code.
    pub reason: Option<String>,
    /// From this address.
    pub address: Option<String>,
    /// Not before this time, in seconds since the Unix epoch.
    pub from: Option<i64>,
    /// Not after this time.
    pub to: Option<i64>,
    /// Only events before this one.
    pub before: Option<u64>,
    /// How many at most.
    pub limit: u32,
}

/// Part of a replica's chain, for verifying it.
#[derive(Clone, Debug, Serialize)]
pub struct Stretch {
    /// Id of the replica.
    pub replica: String,
    /// The event that retention removed last, as `[seq, hash]`: the oldest one left follows it.
    pub anchor: Option<(u64, String)>,
    /// The last event, as `[seq, hash]`.
    pub last: Option<(u64, String)>,
    /// The lines, the oldest first.
    pub lines: Vec<String>,
}

/// Reads a page of events, the newest first.
///
/// # Errors
/// When there is no such user or kind; when the store is not available.
pub async fn query(store: &dyn Store, filter: &Filter) -> Result<EventPage, Failure> {
    let kind = filter.event.as_deref().map(|name| {
        let known = || Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
        Kind::from_name(name)
            .ok_or_else(|| Failure::NotFound(format!("there are no events `{name}`; there are {}", known())))
    });
    let account = match &filter.user {
        Some(name) => Some(find_in(store, name).await?.user.id),
        None => None,
    };
    let query = EventQuery {
        account,
        client: filter.client.clone(),
        provider: filter.provider.clone(),
        kinds: kind.transpose()?.into_iter().collect(),
        reason: filter.reason.clone(),
        address: filter.address.clone(),
        from: filter.from,
        to: filter.to,
        before: filter.before,
        limit: filter.limit,
    };
    Ok(store.events(query).await?)
}

/// The last sign-ins, refusals and failures of providers, the newest first, or only those that let nobody in.
///
/// # Errors
/// When the store is not available.
pub async fn attempts(store: &dyn Store, among: EventQuery, refused_only: bool) -> Result<Vec<Recorded>, Failure> {
    let mut kinds = vec![Kind::Refusal, Kind::UpstreamFailure];
    if !refused_only {
        kinds.push(Kind::SignIn);
    }
    Ok(store.events(EventQuery { kinds, ..among }).await?.events)
}

/// A decision by its trace id, however that was typed.
///
/// # Errors
/// When the store is not available.
pub async fn trace(store: &dyn Store, id: &str, now: i64) -> Result<Option<StoredTrace>, StoreError> {
    match (store.trace(id, now).await?, read_trace_id(id)) {
        (None, Some(read)) => store.trace(&read, now).await,
        (found, _) => Ok(found),
    }
}

/// The events after `seq`, with the ends of the chain. 0 is before the first one that is left.
///
/// # Errors
/// When the store is not available.
pub async fn stretch(store: &dyn Store, after: u64, limit: u32) -> Result<Stretch, Failure> {
    let ends = store.chain_ends().await?;
    let place = |place: Place| (place.seq, place.hash.to_string());
    Ok(Stretch {
        replica: ends.replica,
        anchor: ends.anchor.map(place),
        last: ends.last.map(place),
        lines: store.events_after(after, limit).await?,
    })
}
