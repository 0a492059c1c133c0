//! Notifying apps over the back channel that a session ended (OIDC Back-Channel Logout 1.0).
//!
//! Owns which apps are notified of what. Which sessions end is the caller's; the [`Notifier`](super::delivery::Notifier)
//! delivers.

use crate::op::logout::logout_token::Notice;
use crate::op::logout::participants::participants;
use crate::op::{RequestContext, decide};
use crate::store::AppSession;
use crate::store::model::User;

/// Notifies the apps of an ended session of this user. Returns at once: the request that ended it does not wait.
pub fn session_ended(context: &RequestContext<'_>, user: &User, apps: &[AppSession]) {
    for (client, sid) in participants(context, apps) {
        let Some(url) = client.backchannel_logout_uri.clone() else { continue };
        context.services.notifier.send(Notice {
            client: client.key.clone(),
            url,
            audience: client.client_id.clone(),
            issuer: context.snapshot.issuer.text.clone(),
            subject: decide::subject(client, user),
            sid: client.backchannel_logout_session.then(|| sid.to_owned()),
            algorithm: client.id_token_alg,
            trace_id: context.trace_id.clone(),
        });
    }
}
