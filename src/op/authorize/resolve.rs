//! Where an authorization request comes from: its own parameters, a request object, or a pushed request.
//! [`request`](crate::op::authorize::request) defines what a valid request is, in the same way for all three.

use crate::op::RequestContext;
use crate::op::authorize::request::form::AuthorizationForm;
use crate::op::authorize::{pushed, request_object};
use crate::op::error::OAuthError;
use crate::op::params::{Form as _, Params};
use crate::protocol::ErrorCode;

/// The form that a request refers to; `None` where it is the request's own.
///
/// # Errors
/// For the app: a request object that does not verify, a reference that leads nowhere, a request that had to be pushed.
pub(super) async fn resolve(
    context: &RequestContext<'_>,
    params: &Params,
    form: &AuthorizationForm,
) -> Result<Option<AuthorizationForm>, OAuthError> {
    form.once(&["client_id", "request", "request_uri"])?;
    // Without a client there is nothing to verify with, and the checks that follow show the page.
    let client = form.client_id.as_deref().and_then(|id| context.snapshot.client_by_id(id));
    let Some(client) = client.filter(|client| client.enabled) else { return Ok(None) };
    if let Some(secret) = form.request_uri.as_deref().and_then(pushed::secret) {
        return pushed::take(context, client, secret).await.map(Some);
    }
    if client.pushes_requests {
        let text = "this client must push its authorization requests (RFC 9126)";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
    }
    let merged = match (form.request.as_deref(), form.request_uri.as_deref()) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let text = "request and request_uri must not both be sent (OIDC Core 6)";
            return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
        }
        (Some(object), None) => request_object::merged(context, client, params, object).await?,
        (None, Some(reference)) => {
            let object = request_object::referenced(context, client, reference).await?;
            request_object::merged(context, client, params, &object).await?
        }
    };
    Ok(Some(AuthorizationForm::read(&merged)))
}
