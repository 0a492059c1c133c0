//! Tokens of this broker that are presented to it again: the form of introspection and revocation (RFC 7662 §2.1,
//! RFC 7009 §2.1), and reading an access token, which userinfo does too.

use serde_json::{Map, Value};

use crate::config::language::client::AccessTokenTyp;
use crate::decision::pipeline::Decision;
use crate::op::RequestContext;
use crate::op::client::authentication::ClientForm;
use crate::op::decide;
use crate::op::decide::grant_request;
use crate::op::entitlement;
use crate::op::error::OAuthError;
use crate::op::issue::is_access_token;
use crate::op::params::{Form, Params};
use crate::op::validity;
use crate::op::validity::ValidGrant;
use crate::protocol::ErrorCode;
use crate::snapshot::client::Client;
use crate::store::ids::GrantId;
use crate::store::model::User;

/// The parameters of introspection and revocation. `token_type_hint` is not needed: the token itself shows its type.
#[derive(Clone, Copy, Debug)]
pub struct TokenForm<'p> {
    /// The client's credentials.
    pub client: ClientForm<'p>,
    token: Option<&'p str>,
}

impl<'p> Form<'p> for TokenForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self { client: ClientForm::read(params), token: params.text("token") }
    }
}

impl<'p> TokenForm<'p> {
    /// The token.
    ///
    /// # Errors
    /// `invalid_request` when it is missing.
    pub fn token(&self) -> Result<&'p str, OAuthError> {
        self.token.ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, "token is missing"))
    }
}

/// An access token that is active at this moment (RFC 7662 §2.2).
pub struct ActiveToken<'s> {
    /// Its claims.
    pub claims: Map<String, Value>,
    /// The client that it was issued to.
    pub client: &'s Client,
    /// Its scopes, less those that the client may no longer have.
    pub scopes: Vec<String>,
    /// Its audiences, less those that the client may no longer have tokens for.
    pub audience: Vec<String>,
    /// The user whose claims it gives access to, with the current decision; `None` for a client's own token.
    pub user: Option<(User, Decision)>,
}

/// The claims of an access token that this issuer signed, expired or not. It may have either `typ`, whatever its client is
/// registered for now.
fn signed_claims(context: &RequestContext<'_>, token: &str) -> Option<Map<String, Value>> {
    let keys = context.services.keys.set();
    let of_type = |typ: AccessTokenTyp| keys.verify(token, typ.name()).ok();
    let claims = of_type(AccessTokenTyp::AtJwt).or_else(|| of_type(AccessTokenTyp::Jwt)).filter(is_access_token)?;
    let issuer = claims.get("iss").and_then(Value::as_str);
    (issuer == Some(context.snapshot.issuer.text.as_str())).then_some(claims)
}

/// The id of the grant that an access token comes from: the part of its `jti` before the dot.
fn grant_id(claims: &Map<String, Value>) -> Option<GrantId> {
    let (grant, _) = claims.get("jti").and_then(Value::as_str)?.split_once('.')?;
    Some(GrantId::new(grant))
}

/// The id of the grant of an access token, whether the token has expired or not.
#[must_use]
pub fn grant_of_access_token(context: &RequestContext<'_>, token: &str) -> Option<GrantId> {
    grant_id(&signed_claims(context, token)?)
}

/// The audiences of an access token that its client may still have tokens for: resources, or the client itself.
fn audience(context: &RequestContext<'_>, client: &Client, claims: &Map<String, Value>) -> Vec<String> {
    let own = claims.get("client_id").and_then(Value::as_str);
    let named: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let allowed = |named: &&str| Some(*named) == own || entitlement::may_reach(context, client, named);
    named.into_iter().filter(allowed).map(str::to_owned).collect()
}

/// Reads an access token: signature, type, issuer, time, its grant and everything that it depends on, the part of it that its
/// client may still have, and the current policy.
///
/// # Errors
/// `Ok(None)` when it is not active; an error when the store can't be read.
pub async fn active_access_token<'s>(
    context: &'s RequestContext<'_>,
    token: &str,
) -> Result<Option<ActiveToken<'s>>, OAuthError> {
    let Some(claims) = signed_claims(context, token) else { return Ok(None) };
    let in_time = claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| context.now < exp);
    let Some(grant_id) = grant_id(&claims).filter(|_| in_time) else { return Ok(None) };
    let Some(view) = context.store().grant(&grant_id).await? else { return Ok(None) };
    let view = entitlement::rebound(context, view).await?;
    let Ok(ValidGrant { client, account }) = validity::grant(context, &view) else { return Ok(None) };
    let scope = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    let asked: Vec<String> = scope.split_ascii_whitespace().map(str::to_owned).collect();
    let (scopes, audience) = (entitlement::scopes(context, client, &asked), audience(context, client, &claims));
    if audience.is_empty() {
        return Ok(None);
    }
    let Some((user, link)) = account else {
        return Ok(Some(ActiveToken { claims, client, scopes, audience, user: None }));
    };
    match decide::again(context, user, link, &grant_request(&view.grant, &asked)) {
        Ok(decision) => {
            let user = view.user.map(|user| (user, decision));
            Ok(Some(ActiveToken { claims, client, scopes, audience, user }))
        }
        Err(refusal) => {
            context.record_refused_token(refusal.reason, client, user, link).await;
            Ok(None)
        }
    }
}
