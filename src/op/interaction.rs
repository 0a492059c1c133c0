//! What waits for a person, or for a provider's return: kept in the store, bound to the browser that began it, resumed by
//! that browser alone. What waits, and what comes of it, is the caller's.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::env::RandomUnavailable;
use crate::op::RequestContext;
use crate::op::error::PageError;
use crate::op::outcome::{Browser, SetCookie};
use crate::store::model::{Interaction, TokenHash};

/// How long a sign-in or a page may take, in seconds.
pub const LIFETIME: i64 = 600;

/// The browser's binding secret, made where it has none, with the cookie to set then.
///
/// # Errors
/// When the generator is not available.
pub fn binding(context: &RequestContext<'_>, browser: &Browser) -> Result<(String, Vec<SetCookie>), RandomUnavailable> {
    match browser.binding.as_ref().filter(|secret| secret.len() == 43) {
        Some(secret) => Ok((secret.clone(), Vec::new())),
        None => {
            let secret = context.random().secret()?;
            Ok((secret.clone(), vec![SetCookie::Binding(secret)]))
        }
    }
}

/// Stores what waits, bound to the browser. Returns the secret id, which is also the form's CSRF token.
///
/// # Errors
/// When the store or the generator is not available.
pub async fn keep(
    context: &RequestContext<'_>,
    waiting: &impl Serialize,
    browser: &Browser,
) -> Result<(String, Vec<SetCookie>), PageError> {
    let id = context.random().secret()?;
    let (binding, cookies) = binding(context, browser)?;
    let data = serde_json::to_string(waiting).map_err(unreadable)?;
    let interaction = Interaction {
        id: TokenHash::of(&id),
        browser: TokenHash::of(&binding),
        data,
        expires_at: context.now + LIFETIME,
    };
    context.store().save_interaction(interaction).await?;
    Ok((id, cookies))
}

/// What the browser may resume: something that it began itself. `take` makes it the last time.
///
/// # Errors
/// 400 when it is unknown, taken or expired; 403 when another browser began it, which leaves it where it is.
pub async fn resume<W: DeserializeOwned>(
    context: &RequestContext<'_>,
    id: &str,
    browser: &Browser,
    take: bool,
) -> Result<W, PageError> {
    let gone = || PageError::new(400, "login_not_found", "the interaction is unknown or has expired");
    let id = TokenHash::of(id);
    let found = context.store().interaction(id, context.now).await?.ok_or_else(gone)?;
    if !browser.binding.as_ref().is_some_and(|secret| TokenHash::of(secret) == found.browser) {
        return Err(PageError::new(403, "login_other_browser", "the interaction belongs to another browser"));
    }
    if take && context.store().take_interaction(id, context.now).await?.is_none() {
        return Err(gone());
    }
    serde_json::from_str(&found.data).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> PageError {
    PageError::new(500, "internal_error", error.to_string())
}
