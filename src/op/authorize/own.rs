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
use crate::op::authorize::waiting;
use crate::op::certificate;
use crate::op::certificate::Unusable;
use crate::op::decide;
use crate::op::error::PageError;
use crate::op::outcome::{Browser, Next, Outcome, Stop};
use crate::protocol::{BREAK_GLASS, CERTIFICATE};
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

/// Has the visitor prove once more who they are, as the same person, and come back to the page at this path: at their provider,
/// with the password of the break-glass account, or by presenting their certificate.
pub async fn sign_in_again(context: &RequestContext<'_>, browser: &Browser, visitor: &Admitted, path: &str) -> Outcome {
    let flow = Flow { context, client: &context.snapshot.own, browser };
    let mut request = AuthorizeRequest::own(path.to_owned());
    request.hinted_sub = Some(decide::subject(flow.client, &visitor.user));
    let provider = visitor.session.link.provider.clone();
    match provider.as_str() {
        BREAK_GLASS => by_password(&flow, request).await,
        CERTIFICATE => by_certificate(context, path),
        _ if !can_be_asked(context, &provider) => Next::Error(too_old()).into(),
        _ => {
            request.prompt.login = true;
            authorize::resume(&flow, request, Stage::ProviderChosen(provider)).await
        }
    }
}

/// To the break-glass page, where the request waits.
async fn by_password(flow: &Flow<'_>, request: AuthorizeRequest) -> Outcome {
    let Some(account) = &flow.context.snapshot.resolved.break_glass else { return Next::Error(too_old()).into() };
    let next = Next::Own(format!("{}?backup=1", account.path));
    Outcome { next, cookies: waiting::keep(flow, request).await }
}

/// To the same page where certificates are read. There, whoever presents the session's own certificate is asked for nothing
/// else.
fn by_certificate(context: &RequestContext<'_>, path: &str) -> Outcome {
    let snapshot = context.snapshot;
    let origin = snapshot.resolved.certificates.as_ref().and_then(|section| section.origin.as_deref());
    match origin {
        Some(origin) if matches!(certificate::presented(context), Err(Unusable::NotRead)) => {
            Next::ForCertificate(format!("{origin}{}", snapshot.issuer.path_of(path))).into()
        }
        _ => Next::Error(too_old()).into(),
    }
}

fn too_old() -> PageError {
    PageError::new(403, "sign_in_too_old", "the action needs a recent sign-in, which nobody can be asked for from here")
}

/// Whether the provider can be asked to have its user sign in again.
fn can_be_asked(context: &RequestContext<'_>, provider: &str) -> bool {
    context.snapshot.provider(provider).is_some_and(|provider| provider.reauth != Reauth::Unsupported)
}

/// Whether the visitor has proven recently enough who they are for an action that takes access away: by what the provider
/// attests, by the password of the break-glass account, or by a certificate, which proves it whenever it is presented. A
/// provider with `reauth = "unsupported"` attests nothing, so the sign-in here counts.
#[must_use]
pub fn is_recent(context: &RequestContext<'_>, session: &Session) -> bool {
    let provider = session.link.provider.as_str();
    let own_way_in = provider == BREAK_GLASS || provider == CERTIFICATE;
    let unattested = !own_way_in && !can_be_asked(context, provider);
    let at = if unattested { Some(session.created_at) } else { session.auth_time };
    let presented =
        || certificate::verified(context).is_ok_and(|own| certificate::link_key(&own.fingerprint()) == session.link);
    at.is_some_and(|time| context.now - time < RECENT) || (provider == CERTIFICATE && presented())
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
