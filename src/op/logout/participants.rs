//! The clients that had a part in a session.

use crate::op::RequestContext;
use crate::op::validity;
use crate::snapshot::client::Client;
use crate::store::AppSession;

/// The clients to notify, each with its part in the session. Clients that were removed or disabled are left out.
pub(super) fn participants<'a>(
    context: &'a RequestContext<'_>,
    apps: &'a [AppSession],
) -> impl Iterator<Item = (&'a Client, &'a AppSession)> {
    apps.iter().filter_map(|app| Some((validity::client(context, &app.client).ok()?, app)))
}
