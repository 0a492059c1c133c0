//! Asking a provider about a bearer token of its own (RFC 7662).

use serde_json::{Map, Value};

use crate::jose::Claims;
use crate::upstream::RelyingParty;
use crate::upstream::client_auth;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::request::shown;
use crate::upstream::settings::ProviderSettings;
use crate::upstream::token;

impl RelyingParty {
    /// What the provider says of a token that is good, and was issued to the broker or is for it (`aud` names its client id,
    /// the provider's `resource`, or an audience that the file declares): its members, `sub` among them. `None` when it is
    /// not, is about nobody, or the provider has no introspection endpoint.
    ///
    /// # Errors
    /// When the provider can't be asked, or does not let the broker ask.
    pub async fn introspect(
        &self,
        settings: &ProviderSettings,
        bearer: &str,
        now: i64,
    ) -> Result<Option<Map<String, Value>>, UpstreamError> {
        let upstream = &self.upstream(settings);
        let metadata = &*client_auth::metadata(upstream, settings, now).await?;
        let Some(endpoint) = &metadata.introspection_endpoint else { return Ok(None) };
        let asked = [("token", bearer), ("token_type_hint", "access_token")];
        let call = token::Call { document: Document::Introspection, endpoint, form: &asked, key: None };
        let response = token::post(upstream, settings, metadata, call, now).await?;
        if !response.status().is_success() {
            let problem = UnavailableProblem::Status(response.status().as_u16());
            return Err(Unavailable { document: Document::Introspection, url: Some(shown(endpoint)), problem }.into());
        }
        let invalid = |check| UpstreamError::invalid(Document::Introspection, check);
        let not_json = || invalid(crate::jose::Check::Form("it is not a JSON object"));
        let answer: Map<String, Value> = serde_json::from_slice(response.body()).map_err(|_| not_json())?;
        let claims = Claims(&answer);
        if answer.get("active").and_then(Value::as_bool) != Some(true) || !answer.contains_key("sub") {
            return Ok(None);
        }
        claims.subject().map_err(invalid)?;
        if answer.contains_key("iss") {
            claims.issuer(&metadata.issuer).map_err(invalid)?;
        }
        if answer.contains_key("exp") && claims.not_expired(now).is_err() {
            return Ok(None);
        }
        // A token that the provider issued for another app is not accepted unless the file declares its audience: the operator
        // of that app could present it here and act as its user.
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        let issued_to_us = ["client_id", "azp"].iter().any(|name| text(name) == Some(settings.client_id.as_str()));
        let meant_for = |audience: &str| claims.audience(audience).is_ok();
        let meant_for_us = meant_for(&settings.client_id)
            || settings.resource.as_deref().is_some_and(meant_for)
            || settings.audiences.iter().any(|audience| meant_for(audience));
        if !issued_to_us && !meant_for_us {
            return Ok(None);
        }
        Ok(Some(answer))
    }
}
