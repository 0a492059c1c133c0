//! Where the answer to an authorization request may go. Nothing is redirected before the client and its redirect URI are
//! proven, so the errors here are pages.

use crate::excerpt::excerpt;
use crate::op::authorize::request::form::AuthorizationForm;
use crate::op::authorize::request::model::{ResponseMode, ReturnAddress};
use crate::op::error::PageError;
use crate::snapshot::Snapshot;
use crate::snapshot::client::Client;

/// Proves the client and the redirect URI (RFC 6749 §3.1.2.4, §4.1.2.1): the client is known and enabled, and the URI is
/// one of those that it registered.
///
/// # Errors
/// A page.
pub fn prove<'s>(snapshot: &'s Snapshot, form: &AuthorizationForm) -> Result<(&'s Client, ReturnAddress), PageError> {
    form.once(&["client_id"])?;
    let missing = || PageError::new(400, "invalid_client", "client_id is missing");
    let client_id = form.client_id.as_deref().ok_or_else(missing)?;
    let client = snapshot.client_by_id(client_id).ok_or_else(|| {
        PageError::new(400, "invalid_client", format!("no client has the id {:?}", excerpt(client_id)))
    })?;
    if !client.enabled {
        return Err(PageError::new(403, "client_disabled", format!("client {} is disabled", client.key)));
    }
    form.once(&["redirect_uri"])?;
    let refused = |detail: String| PageError {
        client: Some(client.key.clone()),
        ..PageError::new(400, "invalid_redirect_uri", detail)
    };
    let redirect_uri = match form.redirect_uri.as_deref() {
        Some(uri) if client.has_redirect_uri(uri) => uri.to_owned(),
        Some(uri) => {
            return Err(refused(format!(
                "client {} has not registered the redirect URI {:?}",
                client.key,
                excerpt(uri)
            )));
        }
        None => return Err(refused(format!("client {} sent no redirect_uri", client.key))),
    };
    let (mode, state) = (mode(form, &redirect_uri), form.state.clone());
    Ok((client, ReturnAddress { client: client.key.clone(), redirect_uri, mode, state }))
}

/// The client of a stored request, while it is still enabled and the answer may still go where it was to go.
///
/// # Errors
/// A page: a reload removed the client or its redirect URI meanwhile.
pub fn still_registered<'s>(snapshot: &'s Snapshot, to: &ReturnAddress) -> Result<&'s Client, PageError> {
    let client = snapshot.clients.get(&to.client).filter(|client| client.enabled).ok_or_else(|| {
        PageError::new(403, "client_disabled", format!("client {} was removed or disabled meanwhile", to.client))
    })?;
    if client.has_redirect_uri(&to.redirect_uri) {
        return Ok(client);
    }
    let detail = format!("the redirect URI is not one of client {} any more", client.key);
    Err(PageError::new(400, "invalid_redirect_uri", detail))
}

/// The response mode asked for. Errors use it too: where it is missing or can't be used, it is the default of the response
/// type, the fragment for whatever puts a token into the answer (OAuth 2.0 Multiple Response Types §2.1, §3, §5).
fn mode(form: &AuthorizationForm, redirect_uri: &str) -> ResponseMode {
    let front = |word: &str| word == "token" || word == "id_token";
    let by_default = match form.response_type.as_deref().unwrap_or_default().split(' ').any(front) {
        true => ResponseMode::Fragment,
        false => ResponseMode::Query,
    };
    // A browser can't post to an app that it opens by a private-use scheme.
    let can_post = redirect_uri.starts_with("https://") || redirect_uri.starts_with("http://");
    match form.response_mode.as_deref() {
        Some("fragment") => ResponseMode::Fragment,
        Some("form_post") if can_post => ResponseMode::FormPost,
        _ => by_default,
    }
}
