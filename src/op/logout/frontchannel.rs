//! Notifying apps in frames of the page that the user sees after a sign-out (OIDC Front-Channel Logout 1.0).

use url::Url;

use crate::op::RequestContext;
use crate::op::logout::participants::participants;
use crate::snapshot::client::Client;
use crate::store::AppSession;

/// What the user's browser loads in frames: the `frontchannel_logout_uri` of each app of an ended session, with `iss` and
/// `sid` added to its query (§3), unless the app is registered without them (§2).
#[must_use]
pub(super) fn frames(context: &RequestContext<'_>, apps: &[AppSession]) -> Vec<Url> {
    let frame = |(client, app): (&Client, &AppSession)| {
        let mut url = client.frontchannel_logout_uri.clone()?;
        if client.frontchannel_logout_session {
            url.query_pairs_mut()
                .append_pair("iss", &context.snapshot.issuer.text)
                .append_pair("sid", app.sid.as_str());
        }
        Some(url)
    };
    participants(context, apps).filter_map(frame).collect()
}
