//! Notifying apps over the back channel that a session ended (OIDC Back-Channel Logout 1.0).
//!
//! Owns which apps are notified of what. The caller decides which sessions end; the store keeps a notice for each app, from the
//! transaction that ends the session until it is delivered; the [`Notifier`] delivers them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::op::logout::delivery::{HOLD, Notifier};
use crate::op::logout::logout_token::Notice;
use crate::op::logout::participants::participants;
use crate::op::logout::request::LogoutRequest;
use crate::op::{RequestContext, Services, decide};
use crate::snapshot::Snapshot;
use crate::snapshot::client::Client;
use crate::store::model::User;
use crate::store::notices::NOTICE_LIFETIME;
use crate::store::{AppSession, StoredNotice, Tell};

/// How many notices are taken from the store at once.
const BATCH: u32 = 256;

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

/// The apps that want to be told of the end of a session that this request ends. This process tells them, so it holds the
/// notices until it should have done so.
#[must_use]
pub fn tell(context: &RequestContext<'_>) -> Tell {
    let told = |client: &&Client| client.enabled && client.backchannel_logout_uri.is_some();
    Tell {
        clients: context.snapshot.clients.values().filter(told).map(|client| client.key.clone()).collect(),
        trace_id: context.trace_id.to_string(),
        held_until: context.now + HOLD,
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
    for (client, app) in participants(context, apps) {
        let Some(url) = client.backchannel_logout_uri.clone() else { continue };
        let Some(hold) = app.notice else {
            tracing::warn!(
                event = "backchannel_logout", outcome = "dropped", client = %client.key, trace_id = %context.trace_id,
                "too many logout tokens for an app wait to be sent"
            );
            continue;
        };
        notified.insert(client.key.clone());
        let notice = Notice {
            hold,
            held_until: context.now + HOLD,
            attempts: 0,
            client: client.key.clone(),
            url,
            audience: client.client_id.clone(),
            issuer: context.snapshot.issuer.text.clone(),
            subject: decide::subject(client, user),
            sid: client.backchannel_logout_session.then(|| app.sid.clone()),
            algorithm: client.id_token_alg,
            trace_id: context.trace_id.to_string(),
            after,
        };
        // Where there is no room for it, it is taken from the store later.
        context.services.notifier.send(notice);
    }
    notified
}

/// Delivers what nobody holds: notices of a process that ended, and those that there was no room for.
pub async fn deliver_left(services: &Services, snapshot: &Snapshot) {
    let notifier = &services.notifier;
    loop {
        let (limit, busy) = notifier.room();
        let (now, limit) = (services.clock.now(), limit.min(BATCH));
        if limit == 0 {
            return;
        }
        let left = match services.store.take_notices(now, now + HOLD, &busy, limit).await {
            Ok(left) => left,
            Err(error) => {
                tracing::warn!(%error, "logout tokens that wait can't be read; this will be tried again later");
                return;
            }
        };
        let all = u32::try_from(left.len()).is_ok_and(|taken| taken < limit);
        for stored in left {
            let hold = stored.hold;
            if let Err(why) = resume(notifier, snapshot, stored, now)
                && let Err(error) = services.store.forget_notice(hold).await
            {
                tracing::warn!(%error, why, "a logout token that is not sent can't be removed");
            }
        }
        if all {
            return;
        }
    }
}

/// Sends a notice that was taken from the store.
///
/// # Errors
/// Why it is not sent, which is logged.
fn resume(notifier: &Arc<Notifier>, snapshot: &Snapshot, stored: StoredNotice, now: i64) -> Result<(), &'static str> {
    let dropped = |why: &'static str| {
        tracing::warn!(
            event = "backchannel_logout", outcome = "dropped", client = %stored.client, attempts = stored.attempts,
            trace_id = %stored.trace_id, "{why}"
        );
        Err(why)
    };
    if now >= stored.created_at.saturating_add(NOTICE_LIFETIME) {
        return dropped("a logout token could not be sent for a day");
    }
    let client = snapshot.clients.get(&stored.client).filter(|client| client.enabled);
    let url = client.and_then(|client| Some((client, client.backchannel_logout_uri.clone()?)));
    let Some((client, url)) = url else {
        return dropped("the configuration no longer says where the logout tokens of an app are sent");
    };
    notifier.send(Notice {
        hold: stored.hold,
        held_until: now + HOLD,
        attempts: stored.attempts,
        client: client.key.clone(),
        url,
        audience: client.client_id.clone(),
        issuer: snapshot.issuer.text.clone(),
        subject: decide::subject_of(client, &stored.user_id, &stored.sub),
        sid: client.backchannel_logout_session.then_some(stored.sid),
        algorithm: client.id_token_alg,
        trace_id: stored.trace_id,
        after: Duration::ZERO,
    });
    Ok(())
}
