//! The clients that had a part in a session.

use crate::op::RequestContext;
use crate::op::validity;
use crate::snapshot::client::Client;
use crate::store::AppSession;
use crate::store::ids::SessionId;

/// The clients to notify, each with a `sid` that it knows. Clients that were removed or disabled are left out.
pub(super) fn participants<'a>(
    context: &'a RequestContext<'_>,
    apps: &'a [AppSession],
) -> impl Iterator<Item = (&'a Client, &'a SessionId)> {
    apps.iter().filter_map(|app| Some((validity::client(context, &app.client).ok()?, &app.sid)))
}
