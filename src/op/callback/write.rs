//! Writes a finished sign-in in one transaction: account, link, roles, session, and the code for the app where no consent
//! is due.

use std::time::Duration;

use crate::audit::{Event, Kind};
use crate::decision::pipeline::Decision;
use crate::op::RequestContext;
use crate::op::authorize::prepare;
use crate::op::authorize::prepared::Prepared;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::session::as_asked;
use crate::op::authorize::stage::{Admitted, Flow};
use crate::op::callback::rows;
use crate::op::certificate;
use crate::op::decide;
use crate::op::logout::backchannel;
use crate::op::outcome::{SetCookie, Stop};
use crate::protocol::CERTIFICATE;
use crate::store::StoreError;
use crate::store::model::{Code, Link, LinkKey, TokenHash};
use crate::store::{AccountView, SessionView, SignIn, SignInWritten};
use crate::upstream::UpstreamIdentity;

/// What a sign-in rests on.
pub(super) struct Facts<'f> {
    /// The app's request.
    pub(super) request: &'f AuthorizeRequest,
    /// Whom the provider vouches for.
    pub(super) identity: &'f UpstreamIdentity,
    /// The upstream account.
    pub(super) key: LinkKey,
    /// The session that the browser had before.
    pub(super) previous: Option<SessionView>,
}

/// A sign-in that is written.
pub(super) struct Written {
    /// The user, the session and the decision.
    pub(super) admitted: Admitted,
    /// What answers the app; `None` when consent is due first.
    pub(super) prepared: Option<Prepared>,
    /// Cookies to set.
    pub(super) cookies: Vec<SetCookie>,
}

/// Writes the sign-in. `None` when another sign-in changed the accounts in `view` meanwhile: decide anew.
///
/// # Errors
/// An error for the app when the user or the `acr` is not what it asked for; when the store or the generator is not
/// available.
pub(super) async fn write(
    flow: &Flow<'_>,
    facts: &Facts<'_>,
    view: &AccountView,
    decision: Decision,
) -> Result<Option<Written>, Stop> {
    let (context, key) = (flow.context, &facts.key);
    let user = rows::account(context, rows::existing(view, &decision), &decision);
    as_asked(flow, facts.request, &user, facts.identity.acr.as_deref())?;
    let session = rows::session(context, facts.identity, key, &user)?;
    let secret = context.random().secret()?;
    let admitted = Admitted { user, session, decision, agreed: false };
    let mut prepared = prepare::prepare(flow, facts.request, &admitted).await?;
    let code = prepared.as_mut().and_then(Prepared::take_code);
    let mut sign_in = sign_in(flow, facts, view, &admitted, TokenHash::of(&secret), code);
    sign_in.system_roles = new_roles(context, &admitted.decision).await?;
    let events = events(flow, facts, view, &admitted, &sign_in.system_roles);
    sign_in.events = events.clone();
    match (context.store().finish_sign_in(sign_in, context.now).await?, &facts.previous) {
        (SignInWritten::Conflict, _) => return Ok(None),
        (SignInWritten::Replaced(apps), Some(previous)) => {
            backchannel::session_ended(context, &previous.user, &apps, Duration::ZERO);
        }
        (SignInWritten::Done | SignInWritten::Replaced(_), _) => {}
    }
    context.announce(&events);
    let mut cookies = vec![SetCookie::Session(secret)];
    // What the sign-in page remembers is an identity provider.
    if key.provider != CERTIFICATE {
        let used = flow.browser.last_providers.after(&key.provider, facts.request.to.client());
        cookies.push(SetCookie::LastProviders(used));
    }
    Ok(Some(Written { admitted, prepared, cookies }))
}

/// Roles that the provider asserted and that no sign-in before has made System roles.
async fn new_roles(context: &RequestContext<'_>, decision: &Decision) -> Result<Vec<String>, StoreError> {
    let mut roles = decision.granted.system.clone();
    if !roles.is_empty() {
        let known = context.store().system_roles().await?;
        roles.retain(|role| known.binary_search(role).is_err());
    }
    Ok(roles)
}

/// What is recorded of a sign-in.
fn events(
    flow: &Flow<'_>,
    facts: &Facts<'_>,
    view: &AccountView,
    admitted: &Admitted,
    new_roles: &[String],
) -> Vec<Event> {
    let Admitted { user, session, decision, .. } = admitted;
    let event = flow.context.event_about(Kind::SignIn, user).sid(Some(session.id.as_str()));
    let event = event.provider(&session.link.provider);
    let event = facts.request.to.client().iter().fold(event, |event, client| event.client(client));
    let mut events = rows::events(event.clone(), view, decision);
    events.extend(new_roles.iter().map(|role| event.and(Kind::RoleCreated).role(role)));
    events
}

/// All that is written.
fn sign_in(
    flow: &Flow<'_>,
    facts: &Facts<'_>,
    view: &AccountView,
    admitted: &Admitted,
    session_secret: TokenHash,
    code: Option<Code>,
) -> SignIn {
    let (context, key) = (flow.context, &facts.key);
    let Admitted { user, session, decision, .. } = admitted;
    SignIn {
        account: rows::write(view, decision, user),
        only_here: decision.account.by_address,
        link: link(flow, facts, view, admitted),
        system_roles: Vec::new(),
        session: session.clone(),
        session_secret,
        replaces: facts.previous.as_ref().map(|view| view.session.id.clone()),
        code,
        trace: decide::stored_trace(
            context,
            Some(user.id.clone()),
            facts.request.to.client(),
            &key.provider,
            &decision.trace,
        ),
        events: Vec::new(),
        tell: facts.previous.as_ref().map(|_| backchannel::tell(context)).unwrap_or_default(),
    }
}

/// The link with the claims of this sign-in. A refresh token that the provider gave before is kept where it gave none now.
fn link(flow: &Flow<'_>, facts: &Facts<'_>, view: &AccountView, admitted: &Admitted) -> Link {
    let known = view.linked.as_ref().map(|(_, link)| link);
    let given = facts.identity.refresh_token.as_ref().map(|token| token.expose().to_owned());
    let claims = if facts.key.provider == CERTIFICATE {
        let attached = certificate::attached_by(known, admitted.decision.account.linked_by);
        certificate::kept(&facts.identity.claims, attached)
    } else {
        facts.identity.claims.clone()
    };
    Link {
        key: facts.key.clone(),
        user_id: admitted.user.id.clone(),
        claims,
        claims_at: flow.context.now,
        verified_email: admitted.decision.verified_email.clone(),
        refresh_token: given.or_else(|| known.and_then(|link| link.refresh_token.clone())),
        created_at: known.map_or(flow.context.now, |link| link.created_at),
    }
}
