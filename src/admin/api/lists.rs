//! Lists and descriptions.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde_json::json;

use crate::admin::Admin;
use crate::admin::api::answer::{ApiError, answer, context};
use crate::op::administration::people;

/// How many entries a list has unless the request says otherwise, and at most.
const LIMIT: u32 = 100;
const MOST: u32 = 1_000;

/// The parameters of a list.
#[derive(Debug, Default)]
struct Query {
    user: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

impl Query {
    /// # Errors
    /// Names the parameter that is unknown or has no meaning.
    fn read(query: Option<&str>, known: &[&str]) -> Result<Self, ApiError> {
        let mut read = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let unknown = || ApiError::invalid(format!("`{name}` is not a parameter here"));
            match name.as_ref() {
                _ if !known.contains(&name.as_ref()) => return Err(unknown()),
                "user" => read.user = Some(value.into_owned()),
                "after" => read.after = Some(value.into_owned()),
                _ => {
                    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                    let text = format!("`limit` must be a number from 1 to {MOST}");
                    read.limit = Some(limit.ok_or_else(|| ApiError::invalid(text))?);
                }
            }
        }
        Ok(read)
    }

    fn limit(&self) -> u32 {
        self.limit.unwrap_or(LIMIT)
    }
}

/// `GET /api/users?after=NAME&limit=N`: users in order of their names, and the name to go on after.
pub(super) async fn users(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let query = match Query::read(query.as_deref(), &["after", "limit"]) {
        Ok(query) => query,
        Err(error) => return error.response(),
    };
    let snapshot = admin.snapshot.load_full();
    let context = match context(&admin, &snapshot) {
        Ok(context) => context,
        Err(error) => return error.response(),
    };
    let after = query.after.as_deref().unwrap_or_default();
    answer(people::list(&context, after, query.limit()).await.map(|users| {
        let full = users.len() >= query.limit() as usize;
        let next = users.last().filter(|_| full).map(|last| last.username.clone());
        json!({ "users": users, "next": next })
    }))
}

/// `GET /api/user?user=NAME`: one user with links, sessions and consents.
pub(super) async fn user(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let query = match Query::read(query.as_deref(), &["user"]) {
        Ok(query) => query,
        Err(error) => return error.response(),
    };
    let Some(name) = query.user else {
        return ApiError::invalid("`user` is missing").response();
    };
    let snapshot = admin.snapshot.load_full();
    match context(&admin, &snapshot) {
        Ok(context) => answer(people::describe(&context, &name).await),
        Err(error) => error.response(),
    }
}

/// `GET /api/sessions?user=NAME&limit=N`: sessions, newest first.
pub(super) async fn sessions(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let query = match Query::read(query.as_deref(), &["user", "limit"]) {
        Ok(query) => query,
        Err(error) => return error.response(),
    };
    let snapshot = admin.snapshot.load_full();
    let context = match context(&admin, &snapshot) {
        Ok(context) => context,
        Err(error) => return error.response(),
    };
    let sessions = people::sessions(&context, query.user.as_deref(), query.limit()).await;
    answer(sessions.map(|sessions| json!({ "sessions": sessions })))
}
