//! Token introspection (RFC 7662): of this broker's access and refresh tokens, and, where the configuration allows it, of a
//! provider's own tokens.

use serde_json::{Map, Value, json};

use crate::audit::Kind;
use crate::decision::app::AppRequest;
use crate::op::RequestContext;
use crate::op::client::authentication::{Unauthenticated, authenticate};
use crate::op::decide;
use crate::op::decide::grant_request;
use crate::op::dpop;
use crate::op::entitlement;
use crate::op::error::OAuthError;
use crate::op::params::{Form as _, Params};
use crate::op::presented_token::{TokenForm, active_access_token};
use crate::op::upstream_claims;
use crate::op::upstream_claims::NotCurrent;
use crate::op::validity;
use crate::op::validity::ValidGrant;
use crate::protocol::{ErrorCode, PROTOCOL_CLAIMS};
use crate::snapshot::client::Client;
use crate::store::AccountQuery;
use crate::store::model::{LinkKey, TokenHash};
use crate::upstream::ProviderSettings;

/// Serves an introspection request. A token that is not active, or that the caller may not know about, is
/// `{"active": false}` (RFC 7662 §2.2).
///
/// # Errors
/// Client authentication, a missing token, the store.
pub async fn introspect(
    context: &RequestContext<'_>,
    authorization: Option<&str>,
    params: &Params,
) -> Result<Value, Unauthenticated> {
    let form = TokenForm::parse(params)?;
    let caller = authenticate(context, authorization, &form.client).await?;
    if caller.is_public() {
        let text = "introspection needs a client that authenticates";
        return Err(OAuthError::new(ErrorCode::InvalidClient, text).into());
    }
    let token = form.token()?;
    let mut found = access(context, caller, token).await?;
    if found.is_none() {
        found = match refresh(context, caller, token).await? {
            RefreshTokenState::Active(answer) => Some(answer),
            RefreshTokenState::Inactive => None,
            RefreshTokenState::Unknown => upstream(context, caller, token).await?,
        };
    }
    Ok(found.unwrap_or_else(|| json!({ "active": false })))
}

async fn access(context: &RequestContext<'_>, caller: &Client, token: &str) -> Result<Option<Value>, OAuthError> {
    let Some(active) = active_access_token(context, token).await? else { return Ok(None) };
    let audience = &active.audience;
    let named = audience
        .iter()
        .filter_map(|uri| context.snapshot.resource(uri))
        .any(|resource| resource.introspect.contains(&caller.key));
    let concerned = active.client.key == caller.key || audience.contains(&caller.client_id) || named;
    if !concerned {
        return Ok(None);
    }
    let mut answer = active.claims.clone();
    // The token's claims about the person date from when it was issued; the current ones follow.
    answer.retain(|name, _| PROTOCOL_CLAIMS.contains(&name.as_str()));
    answer.insert("active".to_owned(), true.into());
    answer.insert("token_type".to_owned(), dpop::token_type(&active.claims).into());
    answer.insert("scope".to_owned(), active.scopes.join(" ").into());
    answer.insert(
        "aud".to_owned(),
        match active.audience.as_slice() {
            [one] => one.as_str().into(),
            many => many.into(),
        },
    );
    if let Some((_, decision)) = active.user {
        answer.insert("username".to_owned(), decision.account.username.into());
        answer.extend(decision.release.map(|release| release.access_token).unwrap_or_default());
    }
    Ok(Some(Value::Object(answer)))
}

/// What a token is as a refresh token of this broker.
enum RefreshTokenState {
    /// Active, and the caller's.
    Active(Value),
    /// This broker's, and either not active or another client's. Nobody else is asked about it.
    Inactive,
    /// Not a refresh token of this broker.
    Unknown,
}

async fn refresh(context: &RequestContext<'_>, caller: &Client, token: &str) -> Result<RefreshTokenState, OAuthError> {
    let Some((row, view)) = context.store().refresh_token(TokenHash::of(token)).await? else {
        return Ok(RefreshTokenState::Unknown);
    };
    let view = entitlement::rebound(context, view).await?;
    let expired = row.used_at.is_some() || validity::refresh_token(context, &row).is_err();
    let valid = validity::grant(context, &view).ok().filter(|valid| !expired && valid.client.key == caller.key);
    let Some(ValidGrant { account: Some((user, link)), .. }) = valid else {
        return Ok(RefreshTokenState::Inactive);
    };
    let grant = &view.grant;
    if let Err(refusal) = decide::again(context, user, link, &grant_request(grant, &grant.scopes)) {
        context.record_refused_token(refusal.reason, caller, user, link).await;
        return Ok(RefreshTokenState::Inactive);
    }
    let mut answer = json!({
        "active": true,
        "iss": context.snapshot.issuer.text,
        "client_id": caller.client_id,
        "scope": entitlement::scopes(context, caller, &grant.scopes).join(" "),
        "exp": row.expires_at,
        "iat": row.created_at,
    });
    let mut confirmation = Map::new();
    confirmation.extend(grant.dpop_jkt.iter().map(|jkt| ("jkt".to_owned(), jkt.as_str().into())));
    confirmation.extend(grant.certificate.iter().map(|thumbprint| ("x5t#S256".to_owned(), thumbprint.as_str().into())));
    if let Some(object) = answer.as_object_mut().filter(|_| !confirmation.is_empty()) {
        object.insert("cnf".to_owned(), confirmation.into());
    }
    Ok(RefreshTokenState::Active(answer))
}

/// A provider's own token, where the configuration lets its tokens be introspected here: whose it is, under the current policy
/// and with the claims that the caller would get of this user. Only for people who have signed in here before: introspection
/// makes no accounts.
async fn upstream(context: &RequestContext<'_>, caller: &Client, token: &str) -> Result<Option<Value>, OAuthError> {
    let snapshot = context.snapshot;
    let open = snapshot.resolved.providers.iter().filter(|(_, provider)| provider.introspect && provider.enabled);
    let open: Vec<_> = open.filter_map(|(id, _)| snapshot.providers.get(id)).collect();
    // A JWT names its issuer. A token that does not is sent only where a single provider can have issued it, because whoever
    // receives a token can use it.
    let asked = match (crate::jose::unverified_issuer(token), open.as_slice()) {
        (Some(issuer), open) => open.iter().find(|settings| settings.source.may_be_named(&issuer)),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let Some(settings) = asked else { return Ok(None) };
    match context.services.upstreams.introspect(settings, token, context.now).await {
        Ok(Some(answer)) => person(context, caller, settings, &answer).await,
        Ok(None) => Ok(None),
        Err(error) => {
            let event = context.event(Kind::UpstreamFailure).reason(error.reason()).provider(&settings.id);
            context.record_of_stranger(event.client(&caller.key).detail(format!("introspection: {error}"))).await;
            Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, "the token's provider can't be asked; try again"))
        }
    }
}

async fn person(
    context: &RequestContext<'_>,
    caller: &Client,
    settings: &ProviderSettings,
    token: &Map<String, Value>,
) -> Result<Option<Value>, OAuthError> {
    let Ok(subject) = settings.quirks.subject(token) else { return Ok(None) };
    let key = LinkKey { provider: settings.id.clone(), issuer: settings.issuer().to_owned(), subject };
    let query = AccountQuery { key: Some(key), ..AccountQuery::default() };
    let Some((user, link)) = context.store().accounts(query).await?.linked else { return Ok(None) };
    // Claims may be as old as those of a refresh, and no older.
    let link = match upstream_claims::current(context, link).await {
        Ok(link) => link,
        Err(NotCurrent::Refused(_)) => return Ok(None),
        Err(NotCurrent::Store(error)) => return Err(error.into()),
    };
    let request = AppRequest { client: &caller.key, scopes: &caller.scopes, ..AppRequest::default() };
    let decision = match decide::again(context, &user, &link, &request) {
        Ok(decision) => decision,
        Err(refusal) => {
            context.record_refused_token(refusal.reason, caller, &user, &link).await;
            return Ok(None);
        }
    };
    let mut answer = decision.release.map(|release| release.userinfo).unwrap_or_default();
    for name in ["exp", "iat", "nbf", "cnf", "scope", "client_id", "aud"] {
        match token.get(name) {
            Some(said) => answer.insert(name.to_owned(), said.clone()),
            None => answer.shift_remove(name),
        };
    }
    let protocol = json!({
        "active": true,
        "token_type": dpop::token_type(token),
        "iss": settings.issuer(),
        "sub": decide::subject(caller, &user),
        "username": decision.account.username,
    });
    answer.extend(protocol.as_object().cloned().unwrap_or_default());
    Ok(Some(Value::Object(answer)))
}
