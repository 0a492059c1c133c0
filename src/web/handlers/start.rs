//! What belongs to no flow: the start page and static files.

use axum::http::StatusCode;
use axum::response::Response;

use crate::op::error::PageError;
use crate::op::session;
use crate::protocol::BREAK_GLASS;
use crate::web::exchange::Exchange;
use crate::web::{respond, views};

/// How long caches may keep a file that was asked for by its version, in seconds.
const VERSIONED_MAX_AGE: u32 = 86_400;
/// How long caches may keep a file that was asked for without a version, in seconds.
const MAX_AGE: u32 = 300;

/// The page at the issuer itself.
pub(crate) async fn home(exchange: &Exchange<'_>) -> Response {
    let session = session::live(&exchange.context, &exchange.browser).await.ok().flatten();
    let break_glass = session.as_ref().is_some_and(|view| view.session.link.provider == BREAK_GLASS);
    let name = session.map(|view| session::shown_name(&view.user.profile, &view.user.username).to_owned());
    exchange.page(StatusCode::OK, &views::home(exchange, name, break_glass))
}

/// A static file. A request with a version that is not the file's own is answered, but not cached: a page of the generation
/// before must not leave the colours of this one in a cache, under the address of the old ones.
pub(crate) fn static_file(exchange: &Exchange<'_>) -> Response {
    let snapshot = exchange.context.snapshot;
    let name = snapshot.paths.static_file(&exchange.incoming.path);
    let Some((kind, contents, version)) = name.and_then(|name| snapshot.pages.asset(name)) else {
        return exchange.error(&PageError::new(404, "not_found", "no such static file"));
    };
    let seconds = match exchange.incoming.query.one("v") {
        Ok(Some(asked)) if asked == version => VERSIONED_MAX_AGE,
        Ok(None) => MAX_AGE,
        _ => 0,
    };
    respond::public(kind, contents, seconds)
}
