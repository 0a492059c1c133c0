//! The parameters of lists.

use crate::admin::api::answer::ApiError;

/// The parameters of a request, by name.
///
/// # Errors
/// When one of them is not known.
pub(super) fn parameters(query: Option<&str>, known: &[&str]) -> Result<Vec<(String, String)>, ApiError> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned();
    let pairs: Vec<(String, String)> = pairs.collect();
    match pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(ApiError::invalid(format!("`{name}` is not a parameter here"))),
        None => Ok(pairs),
    }
}

/// The value of `limit`.
///
/// # Errors
/// When it is not a number from 1 to `most`.
pub(super) fn limit(text: &str, most: u32) -> Result<u32, ApiError> {
    let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| ApiError::invalid(format!("`limit` must be a number from 1 to {most}")))
}
