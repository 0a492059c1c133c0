//! The token endpoint (RFC 6749 §3.2, OIDC Core §3.1.3).
//!
//! Owns the order of a token request: read the form, authenticate the client, read its DPoP proof, then the grant. Each grant
//! type has a file with its form and its checks; what they share is in [`request`], [`narrowing`] and [`policy`], and
//! [`response`] makes the answer. To add a grant type, add a file, a line in [`by_grant_type`], and a variant of [`GrantType`].

mod authorization_code;
mod certificate;
mod client_credentials;
mod narrowing;
mod pkce;
mod policy;
mod refresh_token;
mod request;
mod response;

pub use response::TokenResponse;

use request::TokenRequest;

use crate::op::RequestContext;
use crate::op::client::authentication::{ClientForm, Unauthenticated, authenticate};
use crate::op::dpop;
use crate::op::dpop::{Proof, ProofHeader};
use crate::op::error::OAuthError;
use crate::op::params::{Form, Params};
use crate::protocol::ErrorCode;
use crate::protocol::GrantType;
use crate::snapshot::client::Client;

/// What every token request has; the parameters of its grant type are read by that grant's own form.
struct TokenForm<'p> {
    client: ClientForm<'p>,
    grant_type: Option<&'p str>,
    params: &'p Params,
}

impl<'p> Form<'p> for TokenForm<'p> {
    /// RFC 8707 §2.
    const MAY_REPEAT: &'static [&'static str] = &["resource"];

    fn read(params: &'p Params) -> Self {
        Self { client: ClientForm::read(params), grant_type: params.text("grant_type"), params }
    }
}

/// Serves a token request.
///
/// # Errors
/// RFC 6749 §5.2 and RFC 9449 §5, §8, with whether the client is challenged for Basic.
pub async fn token(
    context: &RequestContext<'_>,
    authorization: Option<&str>,
    proof: ProofHeader<'_>,
    params: &Params,
) -> Result<TokenResponse, Unauthenticated> {
    let form = TokenForm::parse(params)?;
    let client = authenticate(context, authorization, &form.client).await?;
    granted(context, client, proof, &form).await.map_err(|error| {
        // A refusal of the policy has left its line.
        if error.reason.is_none() && context.may_log() {
            tracing::info!(event = "token_refused", client = %client.key, error = error.code.name(), detail = %error.description, trace_id = %context.trace_id, "token refused");
        }
        error.into()
    })
}

async fn granted(
    context: &RequestContext<'_>,
    client: &Client,
    proof: ProofHeader<'_>,
    form: &TokenForm<'_>,
) -> Result<TokenResponse, OAuthError> {
    let proof = read_proof(context, client, proof)?;
    let request = TokenRequest { context, client, proof: proof.as_ref() };
    request.check_binding()?;
    by_grant_type(&request, form).await
}

/// The DPoP proof of the request, which some clients must send (RFC 9449 §5, §5.2).
fn read_proof(
    context: &RequestContext<'_>,
    client: &Client,
    proof: ProofHeader<'_>,
) -> Result<Option<Proof>, OAuthError> {
    let endpoint = context.snapshot.issuer.url_of(&context.snapshot.config.endpoints.token);
    let proof = dpop::read(context, proof, &dpop::Call { method: "POST", url: &endpoint, access_token: None })?;
    if client.dpop_bound && proof.is_none() {
        let text = "this client must send a DPoP proof (dpop_bound_access_tokens): switch DPoP on in the app";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
    }
    Ok(proof)
}

/// The grant that the request asks for.
async fn by_grant_type(request: &TokenRequest<'_>, form: &TokenForm<'_>) -> Result<TokenResponse, OAuthError> {
    let missing = || OAuthError::new(ErrorCode::InvalidRequest, "grant_type is missing");
    let params = form.params;
    match GrantType::from_name(form.grant_type.ok_or_else(missing)?) {
        Some(GrantType::AuthorizationCode) => authorization_code::grant(request, Form::read(params)).await,
        Some(GrantType::RefreshToken) => refresh_token::grant(request, Form::read(params)).await,
        Some(GrantType::Certificate) => certificate::grant(request, Form::read(params)).await,
        Some(GrantType::ClientCredentials) => client_credentials::grant(request, Form::read(params)).await,
        _ => Err(OAuthError::new(ErrorCode::UnsupportedGrantType, "this grant type is not supported")),
    }
}
