//! Pushed authorization requests (RFC 9126): checked and stored when they are pushed, taken when the browser brings their
//! reference.

use serde_json::{Value, json};

use crate::op::RequestContext;
use crate::op::authorize::request::address;
use crate::op::authorize::request::form::AuthorizationForm;
use crate::op::authorize::{request, request_object};
use crate::op::client::authentication::{ClientForm, Unauthenticated, authenticate};
use crate::op::dpop;
use crate::op::dpop::{Proof, ProofHeader};
use crate::op::error::{OAuthError, printable_text};
use crate::op::interaction::Pending;
use crate::op::params::{Form as _, Params};
use crate::protocol::ErrorCode;
use crate::snapshot::client::Client;
use crate::store::model::TokenHash;

/// What `request_uri` begins with where the request was pushed (RFC 9126 §2.2).
const PUSHED: &str = "urn:ietf:params:oauth:request_uri:";
/// Seconds that a pushed request waits for its browser.
const LIFETIME: i64 = 60;
/// Most bytes of a pushed request, as it is stored.
const LONGEST: usize = 16 * 1024;

/// The secret of a pushed request, from its `request_uri`; `None` when that refers to something else.
pub(super) fn secret(request_uri: &str) -> Option<&str> {
    request_uri.strip_prefix(PUSHED)
}

/// A pushed request, taken: it serves once (RFC 9126 §4).
///
/// # Errors
/// `invalid_request_uri`.
pub(super) async fn take(
    context: &RequestContext<'_>,
    client: &Client,
    secret: &str,
) -> Result<AuthorizationForm, OAuthError> {
    let gone = || OAuthError::new(ErrorCode::InvalidRequestUri, "the pushed request is unknown, used or expired");
    let id = TokenHash::of(secret);
    let found = context.store().interaction(id, context.now).await?.ok_or_else(gone)?;
    if found.browser != owner(client) {
        return Err(OAuthError::new(ErrorCode::InvalidRequestUri, "the pushed request is another client's"));
    }
    let taken = context.store().take_interaction(id, context.now).await?.ok_or_else(gone)?;
    match Pending::read(&taken) {
        Some(Pending::Pushed(form)) => Ok(*form),
        _ => Err(gone()),
    }
}

/// Whom a pushed request belongs to: in place of a browser, its client. No cookie holds a line break.
fn owner(client: &Client) -> TokenHash {
    TokenHash::of(&format!("pushed\n{}", client.key))
}

/// Serves the pushed authorization request endpoint (RFC 9126 §2): the request is checked as the authorization endpoint
/// would, and kept for a minute. Returns the JSON of §2.2.
///
/// # Errors
/// Client authentication, or what is wrong with the request (§2.3).
pub async fn push(
    context: &RequestContext<'_>,
    authorization: Option<&str>,
    proof: ProofHeader<'_>,
    params: &Params,
) -> Result<Value, Unauthenticated> {
    let form = AuthorizationForm::parse(params)?;
    let client = authenticate(context, authorization, &ClientForm::read(params)).await?;
    Ok(checked(context, client, proof, params, form).await?)
}

async fn checked(
    context: &RequestContext<'_>,
    client: &Client,
    proof: ProofHeader<'_>,
    params: &Params,
    mut form: AuthorizationForm,
) -> Result<Value, OAuthError> {
    if form.request_uri.is_some() {
        return Err(OAuthError::new(ErrorCode::InvalidRequest, "request_uri can't be pushed (RFC 9126 2.1)"));
    }
    let endpoint = context.snapshot.issuer.url_of(&context.snapshot.config.endpoints.pushed_authorization_request);
    let proof = dpop::read(context, proof, &dpop::Call { method: "POST", url: &endpoint, access_token: None })?;
    if let Some(object) = form.request.take() {
        form = AuthorizationForm::read(&request_object::merged(context, client, params, &object).await?);
    }
    form.client_id = Some(client.client_id.clone());
    bind(&mut form, proof.as_ref())?;
    let secret = context.random().secret()?;
    let pending = Pending::Pushed(Box::new(form.clone()));
    let row = pending.row(&secret, owner(client), context.now + LIFETIME);
    if row.data.len() > LONGEST {
        return Err(OAuthError::new(ErrorCode::InvalidRequest, "the request is too long to be pushed"));
    }
    let (_, to) = address::prove(context.snapshot, &form)
        .map_err(|page| OAuthError::new(ErrorCode::InvalidRequest, printable_text(&page.detail)))?;
    request::validate(context, client, to, form)?;
    dpop::use_once(context, proof.as_ref()).await?;
    context.store().save_interaction(row, context.pending_bound()).await?;
    tracing::info!(event = "request_pushed", client = %client.key, trace_id = %context.trace_id, "authorization request pushed");
    Ok(json!({ "request_uri": format!("{PUSHED}{secret}"), "expires_in": LIFETIME }))
}

/// A request pushed with a DPoP proof is bound to its key, as if it said `dpop_jkt` (RFC 9449 §10.1).
fn bind(form: &mut AuthorizationForm, proof: Option<&Proof>) -> Result<(), OAuthError> {
    let Some(Proof { jkt, .. }) = proof else { return Ok(()) };
    if form.dpop_jkt.as_ref().is_some_and(|other| other != jkt) {
        let text = "dpop_jkt is not the thumbprint of the DPoP proof's key";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
    }
    form.dpop_jkt = Some(jkt.clone());
    Ok(())
}
