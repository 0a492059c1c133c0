//! Pages of the broker's own, for people who are signed in: who the visitor is, and the sign-in where nobody is.
//!
//! Owns which session serves such a page, and how an action proves that it was meant: by a token that belongs to the session
//! and to the action, and by a recent sign-in. What a page shows and what an action does are its own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::language::provider::Reauth;
use crate::op::RequestContext;
use crate::op::authorize;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::session;
use crate::op::authorize::stage::{Admitted, Flow, Stage};
use crate::op::decide;
use crate::op::error::PageError;
use crate::op::outcome::{Browser, Outcome, Stop};
use crate::store::ids::SessionId;
use crate::store::model::Session;

/// How long after a sign-in an action that takes access away needs no other one, in seconds.
const RECENT: i64 = 600;

/// What the tag of a form is for.
const FORM: &str = "form of an own page";
/// What the tag of a notice is for.
const NOTICE: &str = "notice of an own page";

/// What an own page finds in the browser.
pub enum Arrival {
    /// Somebody is signed in, and the policy still admits them: the page serves.
    Visitor(Box<Admitted>),
    /// A sign-in is due first.
    Due(Box<Due>),
}

/// A sign-in that is due before a page serves.
pub struct Due {
    request: AuthorizeRequest,
    stage: Stage,
}

/// Who is at a page of the broker's own, by its path and query. A session that serves counts as active.
///
/// # Errors
/// When the store is not available.
pub async fn arrive(context: &RequestContext<'_>, browser: &Browser, path: &str) -> Result<Arrival, PageError> {
    let flow = Flow { context, client: &context.snapshot.own, browser };
    let request = AuthorizeRequest::own(path.to_owned());
    let mut stage = session::find(&flow, &request, None).await.map_err(page)?;
    if let Stage::SignedIn(signed_in) = stage {
        stage = session::decide(&flow, &request, *signed_in).map_err(page)?;
    }
    Ok(match stage {
        Stage::Admitted(visitor) => {
            touch(context, &visitor.session).await?;
            Arrival::Visitor(visitor)
        }
        stage => Arrival::Due(Box::new(Due { request, stage })),
    })
}

async fn touch(context: &RequestContext<'_>, session: &Session) -> Result<(), PageError> {
    if context.now > session.last_active {
        context.store().touch_session(&session.id, context.now).await?;
    }
    Ok(())
}

/// An error of a step, as a page: no app asked.
fn page(stop: Stop) -> PageError {
    match stop {
        Stop::Page(error) => error,
        Stop::App(error) => PageError::without_app(error),
    }
}

/// Begins the sign-in that is due. It comes back to the page.
pub async fn sign_in(context: &RequestContext<'_>, browser: &Browser, due: Due) -> Outcome {
    let flow = Flow { context, client: &context.snapshot.own, browser };
    authorize::resume(&flow, due.request, due.stage).await
}

/// Sends the visitor to their provider to sign in again, as the same person, and back to the page at this path.
pub async fn sign_in_again(context: &RequestContext<'_>, browser: &Browser, visitor: &Admitted, path: &str) -> Outcome {
    let flow = Flow { context, client: &context.snapshot.own, browser };
    let mut request = AuthorizeRequest::own(path.to_owned());
    request.prompt.login = true;
    request.hinted_sub = Some(decide::subject(flow.client, &visitor.user));
    let stage = Stage::ProviderChosen(visitor.session.link.provider.clone());
    authorize::resume(&flow, request, stage).await
}

/// Whether the visitor has proven recently enough who they are for an action that takes access away. Where there is nobody to
/// prove it to once more, as with `reauth = "unsupported"`, the first sign-in counts, so nobody is kept from ending a session.
#[must_use]
pub fn is_recent(context: &RequestContext<'_>, session: &Session) -> bool {
    let provider = context.snapshot.provider(&session.link.provider);
    let can_be_asked = provider.is_some_and(|provider| provider.reauth != Reauth::Unsupported);
    !can_be_asked || session.auth_time.is_some_and(|time| context.now - time < RECENT)
}

/// The visitor who sent an action's form. `path` is the path and query of the action, where the page that asks first is.
///
/// # Errors
/// A page: nobody is signed in any more, or the form is that of another session or another action; when the store is not
/// available.
pub async fn act(
    context: &RequestContext<'_>,
    browser: &Browser,
    path: &str,
    token: Option<&str>,
) -> Result<Arrival, PageError> {
    match arrive(context, browser, path).await? {
        Arrival::Due(due) if matches!(due.stage, Stage::SignInDue) => {
            Err(PageError::new(403, "session_expired", "the session ended while the page was open"))
        }
        Arrival::Visitor(visitor)
            if !token.is_some_and(|token| is_tagged(context, FORM, &visitor.session.id, path, token)) =>
        {
            Err(PageError::new(403, "csrf_failed", "the form is that of another session or another action"))
        }
        arrival => Ok(arrival),
    }
}

/// The token of a form: only this session can send it, and only to this path and query.
///
/// # Errors
/// When there is no signing key.
pub fn form_token(context: &RequestContext<'_>, session: &SessionId, path: &str) -> Result<String, PageError> {
    tag(context, FORM, session, path)
}

/// The proof that the broker itself gave a session this notice, so that no link from elsewhere can.
///
/// # Errors
/// When there is no signing key.
pub fn notice_proof(context: &RequestContext<'_>, session: &SessionId, notice: &str) -> Result<String, PageError> {
    tag(context, NOTICE, session, notice)
}

/// Whether a notice has its proof.
#[must_use]
pub fn notice_is_ours(context: &RequestContext<'_>, session: &SessionId, notice: &str, proof: &str) -> bool {
    is_tagged(context, NOTICE, session, notice, proof)
}

fn message(session: &SessionId, text: &str) -> Vec<u8> {
    format!("{session}\n{text}").into_bytes()
}

fn tag(context: &RequestContext<'_>, purpose: &str, session: &SessionId, text: &str) -> Result<String, PageError> {
    let tag = context.services.keys.set().tag(purpose, &message(session, text));
    let tag = tag.ok_or_else(|| PageError::new(500, "internal_error", "there is no signing key to make a tag with"))?;
    Ok(URL_SAFE_NO_PAD.encode(tag))
}

fn is_tagged(context: &RequestContext<'_>, purpose: &str, session: &SessionId, text: &str, tag: &str) -> bool {
    let tag = URL_SAFE_NO_PAD.decode(tag).unwrap_or_default();
    context.services.keys.set().tagged(purpose, &message(session, text), &tag)
}
