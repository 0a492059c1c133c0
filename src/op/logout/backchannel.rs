//! Notifying apps over the back channel that a session ended (OIDC Back-Channel Logout 1.0).
//!
//! Owns which apps are notified of what. The caller decides which sessions end; the [`Notifier`](super::delivery::Notifier)
//! delivers the notices.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::op::logout::logout_token::Notice;
use crate::op::logout::participants::participants;
use crate::op::logout::request::LogoutRequest;
use crate::op::{RequestContext, decide};
use crate::store::AppSession;
use crate::store::model::User;

/// How long the browser takes from our answer to the app that it returns to.
const BACK: Duration = Duration::from_secs(2);

/// The same, where the provider's logout comes in between.
const BACK_BY_WAY_OF_PROVIDER: Duration = Duration::from_secs(10);

/// When the app that asked for a sign-out is notified: once the browser is back there. An app that loses its own session before
/// does not know what the browser returns from, and shows an error (Keycloak as an app does).
pub(super) const fn until_back(request: &LogoutRequest, by_way_of_provider: bool) -> Duration {
    match (&request.back, by_way_of_provider) {
        (None, _) => Duration::ZERO,
        (Some(_), false) => BACK,
        (Some(_), true) => BACK_BY_WAY_OF_PROVIDER,
    }
}

/// Notifies the apps of an ended session of this user, after this time, and returns their keys. It returns at once: the request
/// that ended the session does not wait.
pub fn session_ended(
    context: &RequestContext<'_>,
    user: &User,
    apps: &[AppSession],
    after: Duration,
) -> BTreeSet<String> {
    let mut notified = BTreeSet::new();
    for (client, sid) in participants(context, apps) {
        let Some(url) = client.backchannel_logout_uri.clone() else { continue };
        notified.insert(client.key.clone());
        context.services.notifier.send(Notice {
            client: client.key.clone(),
            url,
            audience: client.client_id.clone(),
            issuer: context.snapshot.issuer.text.clone(),
            subject: decide::subject(client, user),
            sid: client.backchannel_logout_session.then(|| sid.clone()),
            algorithm: client.id_token_alg,
            trace_id: context.trace_id.to_string(),
            after,
        });
    }
    notified
}
