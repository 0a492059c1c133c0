//! Actions. Each takes a JSON object of texts, no more and no less than it needs.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::admin::Admin;
use crate::admin::api::answer::{Answer, ApiError, context, json_answer};
use crate::op::administration::{revocations, users};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renaming {
    user: String,
    username: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    client: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consent {
    user: String,
    client: String,
}

/// One session by its id, or all of a user.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Sessions {
    Session(String),
    User(String),
}

/// Reads the body of an action.
///
/// # Errors
/// When it is not JSON, or not the object that the action takes.
pub(super) fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let text = "an action needs Content-Type: application/json";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", text));
    }
    serde_json::from_slice(body).map_err(|problem| ApiError::invalid(problem.to_string()))
}

/// `POST /api/users/disable {"user": NAME}`
pub(super) async fn disable_user(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Answer {
    let input: User = read(&headers, &body)?;
    let snapshot = admin.snapshot.load_full();
    let context = context(&admin, &snapshot)?;
    json_answer(&users::disable(&context, &input.user).await?)
}

/// `POST /api/users/enable {"user": NAME}`
pub(super) async fn enable_user(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Answer {
    let input: User = read(&headers, &body)?;
    let snapshot = admin.snapshot.load_full();
    let context = context(&admin, &snapshot)?;
    users::enable(&context, &input.user).await?;
    json_answer(&json!({}))
}

/// `POST /api/users/rename {"user": NAME, "username": NEW}`
pub(super) async fn rename_user(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Answer {
    let input: Renaming = read(&headers, &body)?;
    let snapshot = admin.snapshot.load_full();
    let context = context(&admin, &snapshot)?;
    let username = users::rename(&context, &input.user, &input.username).await?;
    json_answer(&json!({ "username": username }))
}

/// `POST /api/sessions/revoke {"session": ID}` or `{"user": NAME}`
pub(super) async fn revoke_sessions(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Answer {
    let input: Sessions = read(&headers, &body)?;
    let snapshot = admin.snapshot.load_full();
    let context = context(&admin, &snapshot)?;
    json_answer(&match &input {
        Sessions::Session(id) => revocations::session(&context, id).await?,
        Sessions::User(name) => revocations::sessions_of(&context, name).await?,
    })
}

/// `POST /api/clients/revoke {"client": KEY}`
pub(super) async fn revoke_client(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Answer {
    let input: Client = read(&headers, &body)?;
    let snapshot = admin.snapshot.load_full();
    let context = context(&admin, &snapshot)?;
    json_answer(&revocations::client(&context, &input.client).await?)
}

/// `POST /api/consents/revoke {"user": NAME, "client": KEY}`
pub(super) async fn revoke_consent(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Answer {
    let input: Consent = read(&headers, &body)?;
    let snapshot = admin.snapshot.load_full();
    let context = context(&admin, &snapshot)?;
    json_answer(&revocations::consent(&context, &input.user, &input.client).await?)
}
