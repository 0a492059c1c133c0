//! The break-glass page: a local account, declared in the file, for when no provider can be used.
//!
//! Owns who may try it, from where and how often, and what follows a sign-in: the app whose request waits in this browser, or
//! the start page. Which rights the account has is [`decision::break_glass`](crate::decision::break_glass)'s, whether its
//! sessions still count [`validity`](crate::op::validity)'s.

pub mod attempts;
mod form;
mod sign_in;

use crate::audit::{Kind, Pattern};
use crate::config::resolved::BreakGlass;
use crate::op::RequestContext;
use crate::op::authorize::waiting;
use crate::op::error::PageError;
use crate::op::interaction;
use crate::op::outcome::{self, Browser};
use crate::op::params::{Form as _, Params};
use crate::throttle::Claimant;
use form::{BreakGlassForm, csrf, is_own};
use sign_in::Entered;

/// What wrong passwords are counted under, from wherever they come. No client has this key.
const GUESSED: &str = "break-glass account";

/// What comes next, with the cookies to set.
pub type Outcome = outcome::Outcome<Next>;

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Show the page.
    Page(Page),
    /// Signed in until this time: go on with the request that waited.
    Resumed {
        /// What comes next for the app.
        next: outcome::Next,
        /// When the session ends, in seconds since the Unix epoch.
        until: i64,
    },
    /// Signed in, and no request waited: go to the start page.
    Home,
    /// Show an error.
    Error(PageError),
}

/// The page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Key of the client whose request waits.
    pub client: Option<String>,
    /// Secret id of that request.
    pub waiting: Option<String>,
    /// The form's CSRF token.
    pub csrf: String,
    /// What was wrong with the attempt before.
    pub problem: Option<Problem>,
}

/// What was wrong with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The username or the password; nobody is told which.
    Wrong,
    /// There were too many: wait for this many seconds.
    TooMany(u64),
}

/// Serves the page.
pub async fn page(context: &RequestContext<'_>, query: &Params, browser: &Browser) -> Outcome {
    match opened(context, query).await {
        Ok(_) => show(context, browser, browser.waiting.as_deref(), None).await,
        Err(error) => Next::Error(error).into(),
    }
}

/// Serves the page's form.
pub async fn submit(context: &RequestContext<'_>, query: &Params, form: &Params, browser: &Browser) -> Outcome {
    match attempt(context, query, form, browser).await {
        Ok(outcome) => outcome,
        Err(error) => Next::Error(error).into(),
    }
}

/// The account, where the page is asked for as it must be and from where it may be used.
async fn opened<'c>(context: &'c RequestContext<'_>, query: &Params) -> Result<&'c BreakGlass, PageError> {
    let not_found = || PageError::new(404, "not_found", "no such path");
    let account = context.snapshot.resolved.break_glass.as_ref().ok_or_else(not_found)?;
    if query.text("backup") != Some("1") {
        return Err(not_found());
    }
    if account.usable_from(context.address) {
        return Ok(account);
    }
    context.services.break_glass.refused();
    context.record_of_stranger(context.event(Kind::BreakGlass).reason("break_glass_address")).await;
    Err(PageError::new(403, "break_glass_address", "the address is in none of the networks of break_glass.allow_from"))
}

async fn show(
    context: &RequestContext<'_>,
    browser: &Browser,
    waiting_id: Option<&str>,
    problem: Option<Problem>,
) -> Outcome {
    match drawn(context, browser, waiting_id, problem).await {
        Ok(outcome) => outcome,
        Err(error) => Next::Error(error).into(),
    }
}

async fn drawn(
    context: &RequestContext<'_>,
    browser: &Browser,
    waiting_id: Option<&str>,
    problem: Option<Problem>,
) -> Result<Outcome, PageError> {
    let (binding, cookies) = interaction::binding(context, browser)?;
    let request = match waiting_id {
        Some(id) => waiting::find(context, id, browser).await?,
        None => None,
    };
    let unavailable = || PageError::new(500, "internal_error", "there is no signing key to make a form with");
    let page = Page {
        waiting: waiting_id.filter(|_| request.is_some()).map(str::to_owned),
        client: request.and_then(|request| request.to.client().map(str::to_owned)),
        csrf: csrf(context, &binding).ok_or_else(unavailable)?,
        problem,
    };
    Ok(Outcome { next: Next::Page(page), cookies })
}

/// Looks at an attempt. Whatever the username, one password is hashed, and every attempt of one address counts alike.
async fn attempt(
    context: &RequestContext<'_>,
    query: &Params,
    params: &Params,
    browser: &Browser,
) -> Result<Outcome, PageError> {
    let account = opened(context, query).await?;
    let form = BreakGlassForm::parse(params)?;
    if !is_own(context, form.csrf, browser) {
        return Err(PageError::new(403, "csrf_failed", "the form is not one of this browser, or is too old"));
    }
    let services = context.services;
    if let Err(wait) = services.throttle.attempt(Claimant::BreakGlass, context.source) {
        services.break_glass.delayed();
        return Ok(show(context, browser, form.waiting, Some(Problem::TooMany(wait.0))).await);
    }
    let hashes = context.snapshot.break_glass.as_ref().filter(|hashes| !hashes.is_empty()).ok_or_else(no_hash)?;
    let verified = services.break_glass.verify(hashes, form.password.to_owned()).await;
    let proof = verified.map_err(|_| {
        services.break_glass.delayed();
        PageError::new(503, "rate_limited", "too many attempts wait for their password to be hashed")
    })?;
    match proof.filter(|_| form.names(account)) {
        Some(proof) => {
            let entered = sign_in::enter(context, browser, proof).await?;
            Ok(go_on(context, browser, form.waiting, entered).await)
        }
        None => {
            services.throttle.failed();
            services.break_glass.refused();
            context.record_of_stranger(context.event(Kind::BreakGlass).reason("wrong_credentials")).await;
            if services.throttle.guessed_often(GUESSED) {
                context.record(context.event(Kind::Suspicious).suspicious(Pattern::BreakGlassGuessing)).await;
            }
            Ok(show(context, browser, form.waiting, Some(Problem::Wrong)).await)
        }
    }
}

/// There is nothing to compare a password with, which `check` refuses. No attempt can help.
fn no_hash() -> PageError {
    let text = "break_glass.password_hash has no hash: nobody can sign in with the break-glass account";
    tracing::error!(event = "break_glass_unusable", "{text}");
    PageError::new(503, "sign_in_unavailable", text)
}

/// Goes on with the request that waits in this browser, or to the start page.
async fn go_on(context: &RequestContext<'_>, browser: &Browser, waiting_id: Option<&str>, entered: Entered) -> Outcome {
    let cookies = entered.cookies.clone();
    let request = match waiting_id {
        // The sign-in is written: where the store fails now, the app is entered by its own link.
        Some(id) => waiting::find(context, id, browser).await.ok().flatten(),
        None => None,
    };
    let Some(request) = request else { return Outcome { next: Next::Home, cookies } };
    let until = entered.signed_in.session.expires_at;
    let resumed = sign_in::resume(context, browser, request, entered.signed_in).await;
    let cookies = cookies.into_iter().chain(resumed.cookies).collect();
    Outcome { next: Next::Resumed { next: resumed.next, until }, cookies }
}
