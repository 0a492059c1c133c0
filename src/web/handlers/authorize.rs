//! The authorization endpoint, and the forms of the sign-in and consent pages that it shows.

use axum::http::StatusCode;
use axum::response::Response;

use crate::op::authorize;
use crate::op::authorize::forms;
use crate::op::authorize::request::model::ResponseMode;
use crate::op::outcome::{Answer, Next, Outcome, SetCookie};
use crate::pages::{FormPost, WebUri};
use crate::web::exchange::Exchange;
use crate::web::{respond, views};

/// The authorization endpoint (RFC 6749 §3.1).
pub(crate) async fn authorize(exchange: &Exchange<'_>) -> Response {
    let outcome = authorize::authorize(&exchange.context, &exchange.params(), &exchange.browser).await;
    write(exchange, &outcome)
}

/// The form of the sign-in page.
pub(crate) async fn sign_in_form(exchange: &Exchange<'_>) -> Response {
    match exchange.own_form() {
        Ok(form) => write(exchange, &forms::sign_in(&exchange.context, &form, &exchange.browser).await),
        Err(refused) => exchange.error(&refused),
    }
}

/// The form of the consent page.
pub(crate) async fn consent_form(exchange: &Exchange<'_>) -> Response {
    match exchange.own_form() {
        Ok(form) => write(exchange, &forms::consent(&exchange.context, &form, &exchange.browser).await),
        Err(refused) => exchange.error(&refused),
    }
}

/// Writes what comes next for the browser. A session that begins here is not one of the break-glass account.
pub(crate) fn write(exchange: &Exchange<'_>, outcome: &Outcome) -> Response {
    if outcome.cookies.iter().any(|cookie| matches!(cookie, SetCookie::Session(_))) {
        exchange.set_break_glass(None);
    }
    write_as_it_is(exchange, outcome)
}

/// The same, whatever session begins.
pub(super) fn write_as_it_is(exchange: &Exchange<'_>, outcome: &Outcome) -> Response {
    let ok = StatusCode::OK;
    let response = match &outcome.next {
        Next::Provider(url) => exchange.leave(url),
        Next::App(answer) => to_app(exchange, answer),
        Next::Error(failure) => {
            let waits = outcome.cookies.iter().any(|cookie| matches!(cookie, SetCookie::Waiting(_)));
            exchange.error_with(failure, waits)
        }
        Next::Own(path) => respond::see_other(&exchange.context.snapshot.issuer.url_of(path)),
        Next::ForCertificate(url) => respond::see_other(url),
        Next::SignIn(page) => {
            let view = views::sign_in(exchange, page);
            let leads_to = page.client.as_deref().map(|client| exchange.own_schemes(client)).unwrap_or_default();
            exchange.page_with_form(ok, page.ui_locales.as_deref(), &view, &leads_to)
        }
        Next::Consent(page) => {
            let view = views::consent(exchange, page);
            exchange.page_with_form(ok, page.ui_locales.as_deref(), &view, &exchange.own_schemes(&page.client))
        }
    };
    exchange.with_cookies(response, &outcome.cookies)
}

/// The answer to an app, in the response mode that it asked for.
fn to_app(exchange: &Exchange<'_>, answer: &Answer) -> Response {
    let uri = &answer.to.redirect_uri;
    let posted = answer.to.mode == ResponseMode::FormPost;
    match posted.then(|| WebUri::parse(uri)).flatten() {
        Some(action) => exchange.page_with_form(StatusCode::OK, None, &FormPost::new(action, &answer.fields), &[uri]),
        None => exchange.leave(&answer.url()),
    }
}
