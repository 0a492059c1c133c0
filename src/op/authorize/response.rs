//! The authorization response: the parameters that an app gets at its redirect URI (RFC 6749 §4.1.2). `web` delivers them.

use crate::op::RequestContext;
use crate::op::authorize::request::model::ReturnAddress;
use crate::op::error::OAuthError;
use crate::op::error_text::quotable;
use crate::op::outcome::Answer;

/// The response with these parameters, and with what every response carries: `state`, and `iss` (RFC 9207 §2).
#[must_use]
pub(super) fn success(context: &RequestContext<'_>, to: &ReturnAddress, mut fields: Vec<(&str, String)>) -> Answer {
    if let Some(state) = &to.state {
        fields.push(("state", state.clone()));
    }
    fields.push(("iss", context.snapshot.issuer.text.clone()));
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Answer { to: to.clone(), fields }
}

/// The response with an error (RFC 6749 §4.1.2.1, OIDC Core §3.2.2.6). Its description ends with the reason code and the trace
/// id.
#[must_use]
pub(super) fn error(context: &RequestContext<'_>, to: &ReturnAddress, error: &OAuthError) -> Answer {
    let fields = vec![("error", error.code.name().to_owned()), ("error_description", quotable(context, error))];
    success(context, to, fields)
}
