//! Steps: whether the browser's session serves a request, on facts that are recent enough, and what the current policy decides
//! for its user.
//!
//! Owns when a person with a live session is sent to the provider all the same: for facts that are too old, for an `acr` that
//! the session lacks, and once before the policy refuses by what was known earlier. [`validity`](crate::op::validity) defines
//! what makes a session valid, [`upstream_claims`] how old facts may be.

use crate::analysis::explain::refusing;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::stage::{Admitted, Flow, Refused, SignedIn, Stage};
use crate::op::decide;
use crate::op::error::{OAuthError, PageError};
use crate::op::outcome::{AccountChoice, Stop};
use crate::op::session;
use crate::op::upstream_claims;
use crate::protocol::{BREAK_GLASS, CERTIFICATE, ErrorCode};
use crate::store::ids::SessionId;
use crate::store::model::User;

/// The browser's session where it serves the request, otherwise a sign-in. Where the app asks which account to use
/// (`prompt=select_account`, OIDC Core §3.1.2.1), the session serves once the user has `chosen` it on the sign-in page.
///
/// # Errors
/// `login_required` where no page may be shown; when the store can't be read or written.
pub(super) async fn find(
    flow: &Flow<'_>,
    request: &AuthorizeRequest,
    chosen: Option<&SessionId>,
) -> Result<Stage, Stop> {
    let view = session::live(flow.context, flow.browser).await?;
    let signed_in = view.and_then(|view| SignedIn::new(view, false));
    let Some(signed_in) = signed_in.filter(|signed_in| serves(flow, request, signed_in)) else {
        return unless_silent(
            request,
            "You need to sign in, and this request does not let us ask you to.",
            Stage::SignInDue,
        );
    };
    if request.prompt.select_account && chosen != Some(&signed_in.session.id) {
        return Ok(Stage::ProviderDue { unknown_address: false, account: Some(choice(&signed_in)) });
    }
    let provider = signed_in.link.key.provider.clone();
    let acr = signed_in.session.acr.as_deref();
    // Nobody can be asked for a stronger sign-in by the break-glass account; an essential `acr` needs a provider.
    if provider == BREAK_GLASS {
        let text = "The app asks for a stronger sign-in than the break-glass account has.";
        let met = request.meets_acr(acr);
        return if met {
            Ok(Stage::SignedIn(Box::new(signed_in)))
        } else {
            unless_silent(request, text, Stage::SignInDue)
        };
    }
    let again = || again_at(provider.clone());
    if !request.has_asked_acr(acr) || !request.meets_acr(acr) {
        // What comes back counts, unless it was essential (OIDC Core §5.5.1.1).
        let text = "The app asks for a stronger sign-in, and this request does not let us ask you for it.";
        return unless_silent(request, text, again());
    }
    let again = again();
    let SignedIn { user, session, link, agreed } = signed_in;
    match upstream_claims::for_authorization(flow.context, link).await? {
        Some(link) => Ok(Stage::SignedIn(Box::new(SignedIn { user, session, link, agreed }))),
        None => {
            let text = "Your account must be looked up again at your sign-in provider, and this request does not let us send you there.";
            unless_silent(request, text, again)
        }
    }
}

/// The stage of a user who is to sign in once more, at the same provider. A certificate is presented anew where the browser
/// offers it, and says nothing new.
fn again_at(provider: String) -> Stage {
    if provider == CERTIFICATE { Stage::SignInDue } else { Stage::ProviderChosen(provider) }
}

/// The stage, which shows the user something; `login_required` where nothing may be shown (OIDC Core §3.1.2.6).
fn unless_silent(request: &AuthorizeRequest, text: &str, stage: Stage) -> Result<Stage, Stop> {
    if request.prompt.none { Err(OAuthError::new(ErrorCode::LoginRequired, text).into()) } else { Ok(stage) }
}

/// Whether a valid session answers this request without a new sign-in (OIDC Core §3.1.2.1, §3.1.2.3), but for its `acr`.
fn serves(flow: &Flow<'_>, request: &AuthorizeRequest, signed_in: &SignedIn) -> bool {
    let Flow { context, client, .. } = flow;
    let SignedIn { user, session, .. } = signed_in;
    let within = |age: i64| session.auth_time.is_some_and(|time| age > 0 && context.now - time <= age);
    let recent = request.max_age.is_none_or(within) && (!client.require_auth_time || session.auth_time.is_some());
    let same_user = request.hinted_sub.as_ref().is_none_or(|sub| *sub == decide::subject(client, user));
    let accepted = context.snapshot.accepts(client, &session.link.provider);
    let wanted = request.provider_hint.as_ref().is_none_or(|hint| *hint == session.link.provider);
    recent && same_user && accepted && wanted && !request.prompt.login
}

/// The account of a session, as the sign-in page offers it.
fn choice(signed_in: &SignedIn) -> AccountChoice {
    let SignedIn { user, session, .. } = signed_in;
    let name = session::shown_name(&user.profile, &user.username).to_owned();
    AccountChoice { user: name, provider: session.link.provider.clone(), session: session.id.clone() }
}

/// Whether the user who has just signed in and the `acr` are what the app asked for (OIDC Core §3.1.2.1, §5.5.1, §5.5.1.1).
///
/// # Errors
/// `login_required` where they are not.
pub fn as_asked(flow: &Flow<'_>, request: &AuthorizeRequest, user: &User, acr: Option<&str>) -> Result<(), OAuthError> {
    let login_required = |text: &str| Err(OAuthError::new(ErrorCode::LoginRequired, text));
    if request.hinted_sub.as_ref().is_some_and(|sub| *sub != decide::subject(flow.client, user)) {
        return login_required("You signed in with another account than the one that the app asked for.");
    }
    if !request.meets_acr(acr) {
        return login_required("The identity provider did not confirm the kind of sign-in that the app asks for.");
    }
    Ok(())
}

/// The session whose user agreed on the consent page, while it is still the browser's.
///
/// # Errors
/// A page when it has ended meanwhile; when the store can't be read.
pub(super) async fn agreed(flow: &Flow<'_>, id: &SessionId) -> Result<Stage, Stop> {
    let view = session::live(flow.context, flow.browser).await?.filter(|view| view.session.id == *id);
    let ended = || PageError::new(403, "session_expired", "the session ended while the page was open");
    let signed_in = view.and_then(|view| SignedIn::new(view, true)).ok_or_else(ended)?;
    Ok(Stage::SignedIn(Box::new(signed_in)))
}

/// Decides for a user who is signed in. A refusal by what was known before this request sends the user to the provider first,
/// once: the decision on what the provider then says is final.
///
/// # Errors
/// `login_required` where the user may not be sent there.
pub(super) fn decide(flow: &Flow<'_>, request: &AuthorizeRequest, signed_in: SignedIn) -> Result<Stage, Stop> {
    let SignedIn { user, session, link, agreed } = signed_in;
    let app = request.app_request(session.acr.as_deref(), &session.amr);
    let refusal = match decide::standing(flow.context, &user, &link, app.as_ref()) {
        Ok(decision) => return Ok(Stage::Admitted(Box::new(Admitted { user, session, decision, agreed }))),
        Err(refusal) => refusal,
    };
    let (policy, known) = (&flow.context.snapshot.policy, decide::linked(&user, &link));
    let refused_by = refusing(policy, &decide::evidence(&link), known, app.as_ref(), &refusal);
    let provider = link.key.provider;
    // A user who has just agreed was admitted a moment ago, so that the file must have changed.
    let own_way_in = provider == CERTIFICATE || provider == BREAK_GLASS;
    if refusal.reason.rests_on_claims() && !agreed && !own_way_in {
        let (reason, client, trace_id) = (refusal.reason.code(), request.to.client(), &*flow.context.trace_id);
        tracing::info!(
            event = "sign_in_again",
            reason,
            provider,
            client,
            trace_id,
            "asked at the provider before a refusal"
        );
        let text = "You have no access to this app as far as we know, and this request does not let us ask your sign-in provider again.";
        return unless_silent(request, text, Stage::ProviderChosen(provider));
    }
    let name = Some(session::shown_name(&user.profile, &user.username).to_owned());
    let (user, names) = (Some(Box::new(user)), Vec::new());
    Ok(Stage::Refused(Box::new(Refused { refusal, provider, user, refused_by, names, name })))
}
