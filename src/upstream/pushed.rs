//! Pushing the authorization request (RFC 9126): the provider gets its parameters from the broker and not from the browser,
//! and gives a reference to them.

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use crate::jose::{Check, Problem};
use crate::upstream::error::{Document, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::metadata::Metadata;
use crate::upstream::provider::Upstream;
use crate::upstream::settings::ProviderSettings;
use crate::upstream::token::{Call, answer};

const ENDPOINT: &str = "pushed_authorization_request_endpoint";

/// Where authorization requests are pushed to: `None` where neither the provider nor the file asks for it.
///
/// # Errors
/// When one of them does, and the provider has no such endpoint.
pub(crate) fn endpoint<'m>(
    settings: &ProviderSettings,
    metadata: &'m Metadata,
) -> Result<Option<&'m Url>, Unavailable> {
    if !settings.pushes && !metadata.requires_pushed_requests {
        return Ok(None);
    }
    let endpoint = metadata.pushed_request_endpoint.as_ref();
    endpoint.map(Some).ok_or_else(|| {
        let problem = "it is missing, and authorization requests must be pushed (RFC 9126 §5)".to_owned();
        Unavailable {
            document: Document::Discovery,
            url: None,
            problem: UnavailableProblem::Endpoint { endpoint: ENDPOINT, problem },
        }
    })
}

/// Pushes the parameters of an authorization request (RFC 9126 §2.1) and returns the `request_uri` that stands for them.
///
/// # Errors
/// When the provider refuses them or the broker, or gives no usable answer.
pub(crate) async fn push(
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    request: (&Url, &[(&str, String)]),
    now: i64,
) -> Result<String, UpstreamError> {
    let document = Document::PushedRequest;
    let (endpoint, parameters) = request;
    let form: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let call = Call { document, endpoint, form: &form, key: None };
    let answer = answer(upstream, settings, metadata, call, now).await?;
    let invalid = |problem| UpstreamError::invalid(document, Check::Claim("request_uri", problem));
    match answer.get("request_uri") {
        Some(Value::String(uri)) if !uri.is_empty() => Ok(uri.clone()),
        None => Err(invalid(Problem::Missing)),
        Some(_) => Err(invalid(Problem::Type)),
    }
}
