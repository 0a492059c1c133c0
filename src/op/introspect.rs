//! Token introspection (RFC 7662).

use serde_json::{Value, json};

use super::Cx;
use super::client_auth::{Unauthenticated, authenticate};
use super::error::{Code, OAuthError};
use super::params::Params;
use super::userinfo::live_token;
use crate::snapshot::client::Client;
use crate::store::model::TokenHash;

/// Serves an introspection request. A token that is not good, or not the caller's business, is `{"active": false}`
/// (RFC 7662 §2.2).
///
/// # Errors
/// Client authentication, a missing token, the store.
pub async fn introspect(cx: &Cx<'_>, authorization: Option<&str>, params: &Params) -> Result<Value, Unauthenticated> {
    let plain = |error: OAuthError| Unauthenticated { error, basic: false };
    if let Some(duplicate) = params.duplicate(&[]) {
        return Err(duplicate.into());
    }
    let caller = authenticate(cx, authorization, params).await?;
    if caller.is_public() {
        return Err(plain(OAuthError::new(Code::InvalidClient, "introspection needs a client that authenticates")));
    }
    let token = params.one("token")?;
    let token = token.ok_or_else(|| plain(OAuthError::new(Code::InvalidRequest, "token is missing")))?;
    let found = match access(cx, caller, token).await.map_err(plain)? {
        Some(found) => Some(found),
        None => refresh(cx, caller, token).await.map_err(plain)?,
    };
    Ok(found.unwrap_or_else(|| json!({ "active": false })))
}

async fn access(cx: &Cx<'_>, caller: &Client, token: &str) -> Result<Option<Value>, OAuthError> {
    let Some(live) = live_token(cx, token).await? else { return Ok(None) };
    let audience: Vec<&str> = match live.claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let named = audience
        .iter()
        .filter_map(|uri| cx.snapshot.resource(uri))
        .any(|resource| resource.introspect.contains(&caller.key));
    let concerned = live.client.key == caller.key || audience.contains(&caller.client_id.as_str()) || named;
    if !concerned {
        return Ok(None);
    }
    let mut answer = live.claims.clone();
    answer.insert("active".to_owned(), true.into());
    answer.insert("token_type".to_owned(), "Bearer".into());
    if let Some((_, decision)) = live.person {
        answer.insert("username".to_owned(), decision.account.username.into());
        // The policy of the moment, not that of the time of issue.
        let release = decision.release.map(|release| release.access_token).unwrap_or_default();
        for name in ["groups", "roles"] {
            answer.remove(name);
        }
        answer.extend(release);
    }
    Ok(Some(Value::Object(answer)))
}

async fn refresh(cx: &Cx<'_>, caller: &Client, token: &str) -> Result<Option<Value>, OAuthError> {
    let Some((row, view)) = cx.store().refresh_token(TokenHash::of(token)).await? else { return Ok(None) };
    let dead = row.used_at.is_some()
        || cx.now >= row.expires_at
        || view.grant.revoked_at.is_some()
        || view.grant.client != caller.key
        || (view.grant.session_id.is_some() && !view.session.as_ref().is_some_and(|session| session.is_live(cx.now)));
    if dead {
        return Ok(None);
    }
    Ok(Some(json!({
        "active": true,
        "iss": cx.snapshot.issuer.text,
        "client_id": caller.client_id,
        "scope": view.grant.scopes.join(" "),
        "exp": row.expires_at,
        "iat": row.created_at,
    })))
}
