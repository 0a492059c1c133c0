//! The break-glass page and its form.

use axum::http::StatusCode;
use axum::response::Response;

use crate::op::break_glass;
use crate::op::break_glass::{Next, Outcome, Problem};
use crate::web::exchange::Exchange;
use crate::web::handlers::authorize;
use crate::web::{respond, views};

/// The page.
pub(crate) async fn page(exchange: &Exchange<'_>) -> Response {
    let query = &exchange.incoming.query;
    write(exchange, break_glass::page(&exchange.context, query, &exchange.browser).await)
}

/// Its form.
pub(crate) async fn form(exchange: &Exchange<'_>) -> Response {
    let query = &exchange.incoming.query;
    match exchange.own_form() {
        Ok(form) => write(exchange, break_glass::submit(&exchange.context, query, &form, &exchange.browser).await),
        Err(refused) => exchange.error(&refused),
    }
}

fn write(exchange: &Exchange<'_>, outcome: Outcome) -> Response {
    let Outcome { next, cookies } = outcome;
    let response = match next {
        Next::Page(page) => {
            let leads_to = page.client.as_deref().map(|client| exchange.own_schemes(client)).unwrap_or_default();
            let view = views::break_glass(exchange, &page);
            let (status, wait) = match page.problem {
                None => (StatusCode::OK, None),
                Some(Problem::Wrong) => (StatusCode::FORBIDDEN, None),
                Some(Problem::TooMany(seconds)) => (StatusCode::TOO_MANY_REQUESTS, Some(seconds)),
            };
            let response = exchange.page_with_form(status, None, &view, &leads_to);
            wait.into_iter().fold(response, respond::with_retry_after)
        }
        Next::Resumed { next, until } => {
            exchange.set_break_glass(Some(until));
            return authorize::write_as_it_is(exchange, &crate::op::outcome::Outcome { next, cookies });
        }
        Next::Home => respond::see_other(&exchange.context.snapshot.issuer.url_of("/")),
        Next::Error(failure) => exchange.error(&failure),
    };
    exchange.with_cookies(response, &cookies)
}
