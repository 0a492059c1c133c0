//! The texts of errors that people read in apps, which show `error_description` as it is.

use crate::op::RequestContext;
use crate::op::error::{OAuthError, printable_text};
use crate::protocol::ErrorCode;

/// The error for an app about a person, with the text of the page about this reason, in English.
#[must_use]
pub fn about_person(context: &RequestContext<'_>, code: ErrorCode, reason: &'static str) -> OAuthError {
    let text = printable_text(&context.snapshot.pages.english_reason(reason));
    OAuthError { reason: Some(reason), ..OAuthError::new(code, text) }
}

/// The description of an error with what to quote to an administrator at its end: the reason code and the trace id.
#[must_use]
pub fn quotable(context: &RequestContext<'_>, error: &OAuthError) -> String {
    let reason = error.reason.unwrap_or(error.code.name());
    let end = if error.description.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{end} ({reason}, trace {})", error.description, context.trace_id)
}
