//! Steps: whether the browser's session serves a request, and what the policy of the moment decides for its user.
//!
//! What makes a session valid is [`validity`](crate::op::validity)'s.

use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::stage::{Admitted, Flow, Refused, SignedIn, Stage};
use crate::op::decide;
use crate::op::error::{OAuthError, PageError};
use crate::op::outcome::Stop;
use crate::op::session;
use crate::protocol::ErrorCode;

/// The browser's session where it serves the request, otherwise a sign-in.
///
/// # Errors
/// `login_required` where no page may be shown; when the store can't be read.
pub(super) async fn find(flow: &Flow<'_>, request: &AuthorizeRequest) -> Result<Stage, Stop> {
    let view = session::live(flow.context, flow.browser).await?;
    let signed_in = view.and_then(|view| SignedIn::new(view, false));
    match signed_in.filter(|signed_in| serves(flow, request, signed_in)) {
        Some(signed_in) => Ok(Stage::SignedIn(Box::new(signed_in))),
        None if request.prompt.none => {
            let text = "You need to sign in, and this request does not let us ask you to.";
            Err(OAuthError::new(ErrorCode::LoginRequired, text).into())
        }
        None => Ok(Stage::SignInDue),
    }
}

/// Whether a valid session answers this request without a new sign-in (OIDC Core §3.1.2.1, §3.1.2.3).
fn serves(flow: &Flow<'_>, request: &AuthorizeRequest, signed_in: &SignedIn) -> bool {
    let Flow { context, client, .. } = flow;
    let SignedIn { user, session, .. } = signed_in;
    let within = |age: i64| session.auth_time.is_some_and(|time| age > 0 && context.now - time <= age);
    let recent = request.max_age.is_none_or(within) && (!client.require_auth_time || session.auth_time.is_some());
    let same_user = request.hinted_sub.as_ref().is_none_or(|sub| *sub == decide::subject(client, user));
    let accepted = context
        .snapshot
        .policy
        .clients
        .get(&client.key)
        .and_then(|policy| policy.providers.as_ref())
        .is_none_or(|(providers, _)| providers.contains(&session.link.provider));
    let wanted = request.provider_hint.as_ref().is_none_or(|hint| *hint == session.link.provider);
    let again = request.prompt.login || request.prompt.select_account;
    recent && same_user && accepted && wanted && request.meets_acr(session.acr.as_deref()) && !again
}

/// The session whose user agreed on the consent page, while it is still the browser's.
///
/// # Errors
/// A page when it has ended meanwhile; when the store can't be read.
pub(super) async fn agreed(flow: &Flow<'_>, id: &str) -> Result<Stage, Stop> {
    let view = session::live(flow.context, flow.browser).await?.filter(|view| view.session.id == id);
    let ended = || PageError::new(403, "session_expired", "the session ended while the page was open");
    let signed_in = view.and_then(|view| SignedIn::new(view, true)).ok_or_else(ended)?;
    Ok(Stage::SignedIn(Box::new(signed_in)))
}

/// Decides again for a user who is signed in, with the stored claims.
pub(super) fn decide(flow: &Flow<'_>, request: &AuthorizeRequest, signed_in: SignedIn) -> Stage {
    let SignedIn { user, session, link, agreed } = signed_in;
    let app = request.app_request(session.acr.as_deref(), &session.amr);
    match decide::again(flow.context, &user, &link, &app) {
        Ok(decision) => Stage::Admitted(Box::new(Admitted { user, session, decision, agreed })),
        Err(refusal) => {
            Stage::Refused(Box::new(Refused { refusal, provider: link.key.provider, user_id: Some(user.id) }))
        }
    }
}
