//! How the simulated providers and the demo app answer: pages, and the files of pages.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use url::Url;

use crate::pages;
use crate::pages::Pages;
use crate::pages::csp::content_security_policy;
use crate::web::respond;

/// A file of the pages.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    match pages::assets::asset(&name) {
        Some((kind, bytes)) => respond::public(kind, bytes, 300),
        None => respond::empty(StatusCode::NOT_FOUND),
    }
}

/// A page whose forms may end at `targets`.
#[must_use]
pub(super) fn page<V: pages::View>(pages: &Pages, status: StatusCode, view: &V, targets: &[Url]) -> Response {
    match pages.render(pages::Lang::En, view) {
        Ok(html) => respond::page(status, html, &content_security_policy(targets, [])),
        Err(error) => {
            tracing::error!(%error, "a page can't be shown");
            respond::empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// The page for an address that is none.
#[must_use]
pub(super) fn not_found(pages: &Pages) -> Response {
    page(pages, StatusCode::NOT_FOUND, &pages::ErrorPage::bare(404, "not_found"), &[])
}
