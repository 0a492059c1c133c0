//! Actions. Each takes a JSON object of texts, no more and no less than it needs.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::admin::Admin;
use crate::admin::api::answer::{ApiError, answer, context};
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

/// # Errors
/// What the body must be.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let text = "an action needs Content-Type: application/json";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", text));
    }
    serde_json::from_slice(body).map_err(|problem| ApiError::invalid(problem.to_string()))
}

/// Reads the body, makes the context and runs the operation.
macro_rules! action {
    ($(#[$doc:meta])* $name:ident($input:ident: $type:ty) |$context:ident| $operation:expr) => {
        $(#[$doc])*
        pub(super) async fn $name(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Response {
            let $input: $type = match read(&headers, &body) {
                Ok(input) => input,
                Err(error) => return error.response(),
            };
            let snapshot = admin.snapshot.load_full();
            match context(&admin, &snapshot) {
                Ok($context) => answer($operation),
                Err(error) => error.response(),
            }
        }
    };
}

action! {
    /// `POST /api/users/disable {"user": NAME}`
    disable_user(input: User) |context| users::disable(&context, &input.user).await
}

action! {
    /// `POST /api/users/enable {"user": NAME}`
    enable_user(input: User) |context| users::enable(&context, &input.user).await.map(|()| json!({}))
}

action! {
    /// `POST /api/users/rename {"user": NAME, "username": NEW}`
    rename_user(input: Renaming) |context| {
        users::rename(&context, &input.user, &input.username).await.map(|username| json!({ "username": username }))
    }
}

action! {
    /// `POST /api/sessions/revoke {"session": ID}` or `{"user": NAME}`
    revoke_sessions(input: Sessions) |context| match &input {
        Sessions::Session(id) => revocations::session(&context, id).await,
        Sessions::User(name) => revocations::sessions_of(&context, name).await,
    }
}

action! {
    /// `POST /api/clients/revoke {"client": KEY}`
    revoke_client(input: Client) |context| revocations::client(&context, &input.client).await
}

action! {
    /// `POST /api/consents/revoke {"user": NAME, "client": KEY}`
    revoke_consent(input: Consent) |context| revocations::consent(&context, &input.user, &input.client).await
}
