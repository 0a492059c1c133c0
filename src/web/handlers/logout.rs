//! Sign-out: the end session endpoint and its form, the return from a provider's logout, and logout tokens of providers.

use axum::http::StatusCode;
use axum::response::Response;

use crate::op::logout;
use crate::op::logout::framed;
use crate::op::logout::framed::Framed;
use crate::op::logout::upstream;
use crate::op::outcome::SetCookie;
use crate::pages::{Destination, SigningOut, WebUri};
use crate::web::exchange::Exchange;
use crate::web::{error, respond, views};

/// The end session endpoint (OIDC RP-Initiated Logout §2).
pub(crate) async fn end_session(exchange: &Exchange<'_>) -> Response {
    let outcome = logout::end_session(&exchange.context, &exchange.params(), &exchange.browser).await;
    write(exchange, &outcome)
}

/// The form that confirms a sign-out.
pub(crate) async fn confirm_form(exchange: &Exchange<'_>) -> Response {
    match exchange.own_form() {
        Ok(form) => write(exchange, &logout::confirmed(&exchange.context, &form, &exchange.browser).await),
        Err(refused) => exchange.error(&refused),
    }
}

/// The return from a provider's logout (OIDC RP-Initiated Logout §3).
pub(crate) async fn returned(exchange: &Exchange<'_>, provider: &str) -> Response {
    let query = &exchange.incoming.query;
    write(exchange, &logout::returned(&exchange.context, provider, query, &exchange.browser).await)
}

/// The signed-out page.
pub(crate) async fn signed_out(exchange: &Exchange<'_>) -> Response {
    write(exchange, &logout::signed_out(&exchange.context, &exchange.browser, None).await)
}

/// Where a provider sends its logout tokens (OIDC Back-Channel Logout §2.5).
pub(crate) async fn logout_token(exchange: &Exchange<'_>, provider: &str) -> Response {
    match upstream::upstream_logout(&exchange.context, provider, &exchange.incoming.form()).await {
        Ok(()) => respond::empty(StatusCode::OK),
        Err(failure) => error::plain(&failure),
    }
}

/// What a provider loads in a frame when somebody signs out there (OIDC Front-Channel Logout §2): a page that only this
/// provider may frame, with the apps that sign out in frames of their own.
pub(crate) async fn framed(exchange: &Exchange<'_>, provider: &str) -> Response {
    match framed::framed(&exchange.context, provider, &exchange.params()).await {
        Ok(Framed { frames, parents }) => {
            let shown = frames.iter().filter_map(|url| WebUri::parse(url.as_str())).collect();
            exchange.framed_page(&frames, &parents, &views::signed_out(exchange, None, shown, true))
        }
        Err(failure) => exchange.error(&failure),
    }
}

fn write(exchange: &Exchange<'_>, outcome: &logout::Outcome) -> Response {
    if outcome.cookies.contains(&SetCookie::EndSession) {
        exchange.set_break_glass(None);
    }
    let framed = outcome.next.frames();
    let frames: Vec<WebUri> = framed.iter().filter_map(|url| WebUri::parse(url.as_str())).collect();
    let response = match &outcome.next {
        logout::Next::Redirect { to, .. } if frames.is_empty() => exchange.leave(to),
        logout::Next::Redirect { to, .. } => match Destination::parse(to) {
            Some(to) => exchange.page_with_frames(framed, &SigningOut { frames, to }),
            None => respond::see_other(to),
        },
        logout::Next::Error(failure) => exchange.error(failure),
        logout::Next::Done { client, ended, .. } => {
            exchange.page_with_frames(framed, &views::signed_out(exchange, client.as_deref(), frames, *ended))
        }
        logout::Next::Stay => respond::see_other(&exchange.context.snapshot.issuer.url_of("/")),
        logout::Next::Confirm { client, user, interaction } => {
            let view = views::confirm_sign_out(exchange, client.as_deref(), user, interaction);
            exchange.page(StatusCode::OK, &view)
        }
    };
    exchange.with_cookies(response, &outcome.cookies)
}
