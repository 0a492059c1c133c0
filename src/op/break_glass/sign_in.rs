//! Writes a sign-in by the break-glass account, and resumes the request that waited.

use std::time::Duration;

use serde_json::Map;

use crate::audit::{Event, Kind};
use crate::decision::account::AccountFacts;
use crate::decision::break_glass::account_key;
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::env::RandomUnavailable;
use crate::op::RequestContext;
use crate::op::authorize;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::session::as_asked;
use crate::op::authorize::stage::{Flow, SignedIn, Stage};
use crate::op::callback::rows;
use crate::op::decide;
use crate::op::error::PageError;
use crate::op::logout::backchannel;
use crate::op::outcome::{self, Browser, SetCookie};
use crate::op::session;
use crate::protocol::BREAK_GLASS;
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{Link, LinkKey, Session, TokenHash, User};
use crate::store::{AccountQuery, AccountWrite, SignIn, SignInWritten};

/// How often a sign-in is written anew when another one made the account in between.
const ATTEMPTS: usize = 4;

/// A sign-in that is written.
pub(super) struct Entered {
    /// Who is signed in.
    pub(super) signed_in: SignedIn,
    /// Cookies to set.
    pub(super) cookies: Vec<SetCookie>,
}

/// Signs in the browser whose password has this proof.
///
/// # Errors
/// A page: the account is disabled at run time, or the store or the generator is not available.
pub(super) async fn enter(
    context: &RequestContext<'_>,
    browser: &Browser,
    proof: String,
) -> Result<Entered, PageError> {
    let name = context.snapshot.policy.break_glass.as_ref().map(|account| account.username.clone());
    let removed = || PageError::new(404, "not_found", "the break-glass account is not declared any more");
    let username = name.ok_or_else(removed)?;
    let key = LinkKey { provider: BREAK_GLASS.to_owned(), issuer: proof, subject: username };
    for _ in 0..ATTEMPTS {
        if let Some(entered) = write(context, browser, &key).await? {
            return Ok(entered);
        }
    }
    Err(PageError::new(503, "store_unavailable", "too many sign-ins to the break-glass account at once"))
}

async fn write(context: &RequestContext<'_>, browser: &Browser, key: &LinkKey) -> Result<Option<Entered>, PageError> {
    let declared = Some(account_key(&key.subject));
    let query = AccountQuery { key: Some(key.clone()), declared, ..AccountQuery::default() };
    let view = context.store().accounts(query).await?;
    let stored = view.linked.map(|(user, _)| user).or(view.declared);
    let decision = decided(context, key, stored.as_ref()).await?;
    let user = user(context, key, stored.as_ref())?;
    let previous = session::live(context, browser).await?;
    let session = new_session(context, key, &user)?;
    let secret = context.random().secret()?;
    let link = link(context, key, &user);
    let event = context.event_about(Kind::BreakGlass, &user).provider(BREAK_GLASS).detail("signed in");
    let event = event.sid(Some(session.id.as_str()));
    let created = stored.is_none().then(|| Event { detail: None, ..event.and(Kind::AccountCreated) });
    let events: Vec<Event> = [event].into_iter().chain(created).collect();
    let sign_in = SignIn {
        events: events.clone(),
        account: match &stored {
            Some(user) => AccountWrite::Update { user_id: user.id.clone(), profile: None },
            None => AccountWrite::Create(user.clone()),
        },
        only_here: false,
        link: link.clone(),
        system_roles: Vec::new(),
        session: session.clone(),
        session_secret: TokenHash::of(&secret),
        replaces: previous.as_ref().map(|view| view.session.id.clone()),
        code: None,
        trace: decide::stored_trace(context, Some(user.id.clone()), None, BREAK_GLASS, &decision.trace),
        tell: previous.as_ref().map(|_| backchannel::tell(context)).unwrap_or_default(),
    };
    match (context.store().finish_sign_in(sign_in, context.now).await?, &previous) {
        (SignInWritten::Conflict, _) => return Ok(None),
        (SignInWritten::Replaced(apps), Some(previous)) => {
            backchannel::session_ended(context, &previous.user, &apps, Duration::ZERO);
        }
        (SignInWritten::Done | SignInWritten::Replaced(_), _) => {}
    }
    context.services.break_glass.signed_in();
    context.announce(&events);
    let cookies = vec![SetCookie::Session(secret), SetCookie::BreakGlass(session.expires_at - context.now)];
    Ok(Some(Entered { signed_in: SignedIn { user, session, link, agreed: false }, cookies }))
}

/// What the policy says of the account, before any app asks.
///
/// # Errors
/// A page: it refuses, which is recorded.
async fn decided(context: &RequestContext<'_>, key: &LinkKey, stored: Option<&User>) -> Result<Decision, PageError> {
    let claims = Map::new();
    let evidence =
        Evidence { provider: BREAK_GLASS, issuer: Some(&key.issuer), subject: &key.subject, claims: &claims };
    let facts = AccountFacts { linked: stored.map(decide::account), ..AccountFacts::default() };
    match begin(&context.snapshot.policy, &evidence).and_then(|mapped| mapped.decide(facts, None)) {
        Ok(decision) => Ok(decision),
        Err(refusal) => {
            context.services.break_glass.refused();
            let event = context.event(Kind::BreakGlass).provider(BREAK_GLASS).reason(refusal.reason.code());
            context.record(event).await;
            Err(PageError::refused(refusal.reason, BREAK_GLASS, None))
        }
    }
}

/// The account; one that has never been used gets its ids here.
fn user(context: &RequestContext<'_>, key: &LinkKey, stored: Option<&User>) -> Result<User, RandomUnavailable> {
    if let Some(user) = stored {
        return Ok(user.clone());
    }
    Ok(User {
        id: UserId::random(context.random())?,
        username: key.subject.clone(),
        username_key: account_key(&key.subject),
        sub: context.random().id()?,
        profile: Map::new(),
        disabled: false,
        created_at: context.now,
    })
}

/// What stands in for an upstream account: nothing is claimed of the account but what the file says.
fn link(context: &RequestContext<'_>, key: &LinkKey, user: &User) -> Link {
    Link {
        key: key.clone(),
        user_id: user.id.clone(),
        claims: Map::new(),
        claims_at: context.now,
        verified_email: None,
        refresh_token: None,
        created_at: context.now,
    }
}

/// The new session. Nothing that is done in it makes it longer.
fn new_session(context: &RequestContext<'_>, key: &LinkKey, user: &User) -> Result<Session, RandomUnavailable> {
    let account = context.snapshot.resolved.break_glass.as_ref();
    let bounds = account.map(|account| (account.max_inactive.seconds(), account.max_lifetime.seconds()));
    let (max_inactive, max_lifetime) = bounds.unwrap_or_default();
    Ok(Session {
        id: SessionId::random(context.random())?,
        user_id: user.id.clone(),
        link: key.clone(),
        auth_time: Some(context.now),
        acr: None,
        // RFC 8176 §2.
        amr: vec!["pwd".to_owned()],
        upstream_id_token: None,
        upstream_sid: None,
        device: rows::device(context),
        created_at: context.now,
        last_active: context.now,
        max_inactive,
        expires_at: context.now + max_lifetime,
    })
}

/// Goes on with the request that waited, for the user who has just signed in.
pub(super) async fn resume(
    context: &RequestContext<'_>,
    browser: &Browser,
    request: AuthorizeRequest,
    signed_in: SignedIn,
) -> outcome::Outcome {
    let flow = match Flow::resumed(context, browser, &request.to) {
        Ok(flow) => flow,
        Err(error) => return authorize::stopped(context, &request.to, error.into()),
    };
    match as_asked(&flow, &request, &signed_in.user, signed_in.session.acr.as_deref()) {
        Ok(()) => authorize::resume(&flow, request, Stage::SignedIn(Box::new(signed_in))).await,
        Err(error) => authorize::stopped(context, &request.to, error.into()),
    }
}
