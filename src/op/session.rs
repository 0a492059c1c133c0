//! The session of a browser: found by its cookie, while somebody is signed in by it. [`validity`] defines what makes a session
//! valid; the endpoints decide what it is used for. This module also decides how a person is named on pages.

use serde_json::{Map, Value};

use crate::op::RequestContext;
use crate::op::outcome::Browser;
use crate::op::validity;
use crate::store::model::TokenHash;
use crate::store::{SessionView, StoreError};

/// The browser's session, while somebody is signed in by it.
///
/// # Errors
/// When the store can't be read.
pub async fn live(context: &RequestContext<'_>, browser: &Browser) -> Result<Option<SessionView>, StoreError> {
    let Some(secret) = &browser.session else { return Ok(None) };
    let view = context.store().session(TokenHash::of(secret)).await?;
    Ok(view.filter(|view| validity::signed_in(context, view).is_ok()))
}

/// How a person is named on our pages: by `name`, or by the username.
#[must_use]
pub fn shown_name<'a>(profile: &'a Map<String, Value>, username: &'a str) -> &'a str {
    profile.get("name").and_then(Value::as_str).unwrap_or(username)
}

/// The browser's session, until it expires, for a sign-out: it is found while its provider is disabled or removed, too, so that
/// a session that its user has ended does not come back with the provider.
///
/// # Errors
/// When the store can't be read.
pub async fn unexpired(context: &RequestContext<'_>, browser: &Browser) -> Result<Option<SessionView>, StoreError> {
    let Some(secret) = &browser.session else { return Ok(None) };
    let view = context.store().session(TokenHash::of(secret)).await?;
    Ok(view.filter(|view| view.session.is_live(context.now)))
}
