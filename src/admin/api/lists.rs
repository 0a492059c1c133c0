//! Lists and descriptions.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::json;

use crate::admin::Admin;
use crate::admin::api::answer::{Answer, ApiError, context, json_answer};
use crate::admin::api::parameters::{limit, parameters};
use crate::op::administration::people;

/// How many entries a list has unless the request says otherwise.
const LIMIT: u32 = 100;
/// How many entries a list has at most.
const MOST: u32 = 1_000;

/// The parameters of a list.
#[derive(Debug, Default)]
struct Query {
    user: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

impl Query {
    /// Reads a query that may have these parameters.
    ///
    /// # Errors
    /// When a parameter is unknown, or `limit` is out of its range.
    fn read(query: Option<&str>, known: &[&str]) -> Result<Self, ApiError> {
        let mut read = Self::default();
        for (name, value) in parameters(query, known)? {
            match name.as_str() {
                "user" => read.user = Some(value),
                "after" => read.after = Some(value),
                _ => read.limit = Some(limit(&value, MOST)?),
            }
        }
        Ok(read)
    }

    fn limit(&self) -> u32 {
        self.limit.unwrap_or(LIMIT)
    }
}

/// `GET /api/users?after=NAME&limit=N`: users in order of their names. `next` is the name to continue after, if there are more.
pub(super) async fn users(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::read(query.as_deref(), &["after", "limit"])?;
    let snapshot = admin.snapshot.load_full();
    let context = context(&admin, &snapshot)?;
    let users = people::list(&context, query.after.as_deref().unwrap_or_default(), query.limit()).await?;
    let full = users.len() >= query.limit() as usize;
    let next = users.last().filter(|_| full).map(|last| &last.username);
    json_answer(&json!({ "users": users, "next": next }))
}

/// `GET /api/user?user=NAME`: one user with links, sessions and consents.
pub(super) async fn user(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::read(query.as_deref(), &["user"])?;
    let name = query.user.ok_or_else(|| ApiError::invalid("`user` is missing"))?;
    let snapshot = admin.snapshot.load_full();
    json_answer(&people::describe(&context(&admin, &snapshot)?, &name).await?)
}

/// `GET /api/sessions?user=NAME&limit=N`: sessions, newest first.
pub(super) async fn sessions(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::read(query.as_deref(), &["user", "limit"])?;
    let snapshot = admin.snapshot.load_full();
    let context = context(&admin, &snapshot)?;
    let sessions = people::sessions(&context, query.user.as_deref(), query.limit()).await?;
    json_answer(&json!({ "sessions": sessions }))
}
