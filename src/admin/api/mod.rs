//! `/api`: what the commands `users`, `sessions`, `clients`, `consents`, `keys` and `audit` ask of a running broker. Lists by
//! GET, actions by POST with a JSON object; every answer is JSON, an error too.
//!
//! On loopback no token is needed, so a website must not be able to call this interface through an administrator's browser.
//! Requests with the headers that browsers add, `Origin` and `Sec-Fetch-Site`, are refused, and an action needs
//! `Content-Type: application/json`, which forms can't send.

mod actions;
mod answer;
mod audit;
mod keys;
mod lists;
mod parameters;
mod people;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::routing::{get, post};

use crate::admin::Admin;
use crate::admin::api::answer::{Answer, ApiError};

/// The routes below `/api`.
pub(super) fn routes() -> axum::Router<Arc<Admin>> {
    axum::Router::new()
        .route("/users", get(lists::users))
        .route("/user", get(lists::user))
        .route("/sessions", get(lists::sessions))
        .route("/audit", get(audit::query))
        .route("/audit/chain", get(audit::chain))
        .route("/people/read", post(people::read_page))
        .route("/keys", get(keys::list))
        .route("/keys/rotate", post(keys::rotate))
        .route("/keys/revoke", post(keys::revoke))
        .route("/users/disable", post(actions::disable_user))
        .route("/users/enable", post(actions::enable_user))
        .route("/users/rename", post(actions::rename_user))
        .route("/sessions/revoke", post(actions::revoke_sessions))
        .route("/clients/revoke", post(actions::revoke_client))
        .route("/consents/revoke", post(actions::revoke_consent))
        .layer(middleware::from_fn(no_browsers))
}

async fn no_browsers(request: Request, next: Next) -> Answer {
    let headers: &HeaderMap = request.headers();
    if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "from_a_browser", "this interface is not for browsers"));
    }
    Ok(next.run(request).await)
}
