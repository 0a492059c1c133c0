//! The token endpoint (RFC 6749 §3.2, OIDC Core §3.1.3): authenticate, check, decide again, persist, sign, answer.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::decision::app::Release;
use crate::decision::pipeline::Decision;
use crate::decision::reason::Reason;
use crate::decision::trace::{Refusal, Stage, Trace};
use crate::op::RequestContext;
use crate::op::client::authentication::{Unauthenticated, authenticate};
use crate::op::decide;
use crate::op::decide::{NoFacts, Upstream, grant_request};
use crate::op::dpop;
use crate::op::dpop::{Proof, ProofHeader};
use crate::op::error::OAuthError;
use crate::op::issue;
use crate::op::issue::{Beside, access_token};
use crate::op::params::Params;
use crate::op::validity;
use crate::op::validity::Invalid;
use crate::protocol::ErrorCode;
use crate::protocol::GrantType;
use crate::snapshot::client::Client;
use crate::store::model::{Code as StoredCode, Grant, Link, RefreshToken, TokenHash, User};
use crate::store::{GrantView, Redeemed, Rotated, Rotation};

/// The answer (RFC 6749 §5.1, OIDC Core §3.1.3.3).
#[derive(Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
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
    if let Some(duplicate) = params.duplicate(&["resource"]) {
        return Err(duplicate.into());
    }
    let client = authenticate(context, authorization, params).await?;
    let plain = |error| Unauthenticated { error, basic: false };
    let grant_type = params.one("grant_type")?;
    by_grant(context, client, grant_type, proof, params).await.map_err(|error| {
        tracing::info!(event = "token_refused", client = %client.key, error = error.code.name(), detail = %error.description, trace_id = %context.trace_id, "token refused");
        plain(error)
    })
}

async fn by_grant(
    context: &RequestContext<'_>,
    client: &Client,
    grant_type: Option<&str>,
    proof: ProofHeader<'_>,
    params: &Params,
) -> Result<TokenResponse, OAuthError> {
    let endpoint = context.snapshot.issuer.url_of(&context.snapshot.config.endpoints.token);
    let proof = dpop::read(context, proof, &dpop::Call { method: "POST", url: &endpoint, access_token: None })?;
    if client.dpop_bound && proof.is_none() {
        let text = "this client must send a DPoP proof (dpop_bound_access_tokens): switch DPoP on in the app";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
    }
    let proof = proof.as_ref();
    match grant_type {
        Some("authorization_code") if client.may(GrantType::AuthorizationCode) => {
            code(context, client, proof, params).await
        }
        Some("refresh_token") if client.may(GrantType::RefreshToken) => refresh(context, client, proof, params).await,
        Some("client_credentials") if client.may(GrantType::ClientCredentials) => {
            credentials(context, client, proof, params).await
        }
        Some("authorization_code" | "refresh_token" | "client_credentials") => Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "this client may not use this grant type; see its grant_types",
        )),
        Some(_) => Err(OAuthError::new(ErrorCode::UnsupportedGrantType, "this grant type is not supported")),
        None => Err(OAuthError::new(ErrorCode::InvalidRequest, "grant_type is missing")),
    }
}

fn invalid_grant(text: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, text)
}

/// What is bound to a key needs a proof by that key.
fn check_key(bound_to: Option<&str>, proof: Option<&Proof>) -> Result<(), OAuthError> {
    match (bound_to, proof) {
        (None, _) => Ok(()),
        (Some(jkt), Some(proof)) if proof.jkt == jkt => Ok(()),
        (Some(_), Some(_)) => {
            Err(invalid_grant("the code or refresh token is bound to another key than the DPoP proof's"))
        }
        (Some(_), None) => {
            Err(invalid_grant("the code or refresh token is bound to a key: send a DPoP proof by that key"))
        }
    }
}

/// The key that what is issued now is bound to, besides the access token: refresh tokens of public clients (RFC 9449 §5).
/// Those of confidential clients are bound to the client's authentication.
fn refresh_key(client: &Client, proof: Option<&Proof>) -> Option<String> {
    proof.filter(|_| client.is_public()).map(|proof| proof.jkt.clone())
}

/// The authorization code grant (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9449 §10).
async fn code(
    context: &RequestContext<'_>,
    client: &Client,
    proof: Option<&Proof>,
    params: &Params,
) -> Result<TokenResponse, OAuthError> {
    let text = |name: &str| params.one(name).ok().flatten();
    let presented = text("code").ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, "code is missing"))?;
    let hash = TokenHash::of(presented);
    let unusable = || invalid_grant("the code is unknown, used or expired");
    let (stored, session) = context.store().code(hash).await?.ok_or_else(unusable)?;
    check_code(context, client, &stored, text("redirect_uri"), text("code_verifier"))?;
    if stored.used_at.is_some() {
        // RFC 6749 §4.1.2: a code used twice revokes what its first use issued.
        context.store().revoke_grant(&stored.grant.id, context.now).await?;
        tracing::warn!(event = "code_reuse", client = %client.key, trace_id = %context.trace_id, "a code was used twice: its tokens are revoked");
        return Err(unusable());
    }
    check_key(stored.dpop_jkt.as_deref(), proof)?;
    let (user, link) = match validity::account_of(context, session) {
        Ok(account) => account,
        Err(invalid) => return Err(no_longer_valid(context, &stored.grant, invalid).await?),
    };
    let grant = Grant { dpop_jkt: refresh_key(client, proof), ..stored.grant };
    let decision = decided(context, &grant, &grant.scopes, &user, &link).await?;
    let resources = narrowed_resources(&grant, params)?;
    let refresh =
        if client.may(GrantType::RefreshToken) { Some(first_refresh_token(context, client, &grant)?) } else { None };
    let (secret, row) = refresh.unzip();
    dpop::spend(context, proof).await?;
    if context.store().redeem_code(hash, grant.clone(), row, context.now).await? == Redeemed::Refused {
        return Err(unusable());
    }
    let issue = Issue { scopes: &grant.scopes, resources: &resources, proof, refresh_token: secret };
    answer(context, client, &grant, issue, &user, &decision)
}

/// Everything that binds a code: its client, its redirect URI, its challenge, its time.
fn check_code(
    context: &RequestContext<'_>,
    client: &Client,
    stored: &StoredCode,
    redirect_uri: Option<&str>,
    verifier: Option<&str>,
) -> Result<(), OAuthError> {
    if stored.grant.client != client.key {
        return Err(invalid_grant("the code was issued to another client"));
    }
    if context.now >= stored.expires_at {
        return Err(invalid_grant("the code has expired"));
    }
    if redirect_uri != Some(stored.redirect_uri.as_str()) {
        return Err(invalid_grant("redirect_uri differs from the one of the authorization request"));
    }
    match (&stored.code_challenge, verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => {
            Err(invalid_grant("code_verifier came, but the authorization request had no code_challenge"))
        }
        (Some(_), None) => {
            Err(invalid_grant("code_verifier is missing: the authorization request had a code_challenge"))
        }
        (Some(challenge), Some(verifier)) => {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
            let computed = URL_SAFE_NO_PAD.encode(digest.as_ref());
            let well_formed = (43..=128).contains(&verifier.len());
            let equal = verify_slices_are_equal(computed.as_bytes(), challenge.as_bytes()).is_ok();
            if well_formed && equal {
                Ok(())
            } else {
                Err(invalid_grant("code_verifier does not match code_challenge"))
            }
        }
    }
}

/// The error for a grant that is not valid any more. A provider that was removed is a decision of the file: its trace is
/// kept.
async fn no_longer_valid(
    context: &RequestContext<'_>,
    grant: &Grant,
    invalid: Invalid,
) -> Result<OAuthError, OAuthError> {
    Ok(invalid_grant(match invalid {
        Invalid::ProviderRemoved => {
            let text = "the provider that vouched is not there any more, disabled, or another issuer's";
            let refusal = Trace::default().refuse(Stage::Claims, None, Reason::ProviderRemoved, text);
            return refused(context, grant, refusal).await;
        }
        Invalid::SessionEnded => "the session that the code or refresh token belongs to has ended",
        Invalid::UserDisabled => "the user's account is disabled or not there any more",
        Invalid::Revoked | Invalid::Expired | Invalid::ClientDisabled => {
            "the code or refresh token is unknown, expired or revoked"
        }
    }))
}

/// The pipeline's decision for a grant; a refusal is kept and ends the grant's use.
async fn decided(
    context: &RequestContext<'_>,
    grant: &Grant,
    scopes: &[String],
    user: &User,
    link: &Link,
) -> Result<Decision, OAuthError> {
    match decide::again(context, user, link, &grant_request(grant, scopes)) {
        Ok(decision) => Ok(decision),
        Err(refusal) => Err(refused(context, grant, refusal).await?),
    }
}

async fn refused(context: &RequestContext<'_>, grant: &Grant, refusal: Refusal) -> Result<OAuthError, OAuthError> {
    let reason = refusal.reason.code();
    let provider = grant.link.as_ref().map(|link| link.provider.as_str()).unwrap_or_default();
    tracing::warn!(event = "refusal", reason, provider, client = %grant.client, trace_id = %context.trace_id, "token refused by policy");
    let trace = decide::stored_trace(context, grant.user_id.clone(), Some(&grant.client), provider, &refusal.trace);
    context.store().save_trace(trace).await?;
    Ok(invalid_grant(&format!("{reason} (trace {})", context.trace_id)))
}

/// RFC 8707 §2.2: a token request may narrow the resources of the grant, never widen them.
fn narrowed_resources(grant: &Grant, params: &Params) -> Result<Vec<String>, OAuthError> {
    let asked = params.all("resource");
    if asked.is_empty() {
        return Ok(grant.resources.clone());
    }
    if asked.iter().all(|uri| grant.resources.contains(uri)) {
        Ok(asked)
    } else {
        Err(OAuthError::new(ErrorCode::InvalidTarget, "resource was not part of the authorization request"))
    }
}

fn first_refresh_token(
    context: &RequestContext<'_>,
    client: &Client,
    grant: &Grant,
) -> Result<(String, RefreshToken), OAuthError> {
    let lifetimes = &client.tokens.refresh_token;
    let secret = context.random().secret()?;
    let family_expires_at = context.now + lifetimes.max_lifetime.seconds();
    let row = RefreshToken {
        hash: TokenHash::of(&secret),
        grant_id: grant.id.clone(),
        created_at: context.now,
        used_at: None,
        expires_at: (context.now + lifetimes.max_inactive.seconds()).min(family_expires_at),
        family_expires_at,
    };
    Ok((secret, row))
}

/// What of a grant one token response carries.
struct Issue<'a> {
    scopes: &'a [String],
    resources: &'a [String],
    /// The proof by whose key the access token is bound.
    proof: Option<&'a Proof>,
    refresh_token: Option<String>,
}

/// The token response (RFC 6749 §5.1, OIDC Core §3.1.3.3).
fn answer(
    context: &RequestContext<'_>,
    client: &Client,
    grant: &Grant,
    issue: Issue<'_>,
    user: &User,
    decision: &Decision,
) -> Result<TokenResponse, OAuthError> {
    let Issue { scopes, resources, proof, refresh_token } = issue;
    let subject = decide::subject(client, user);
    let nothing = Release::default();
    let release = decision.release.as_ref().unwrap_or(&nothing);
    let told = dpop::bound_claims(&release.access_token, proof);
    let access = access_token(context, client, grant, &subject, scopes, resources, &told)?;
    let id_token = if scopes.iter().any(|scope| scope == "openid") {
        let beside = Beside { access_token: Some(&access.token), code: None };
        Some(issue::id_token(context, client, grant, &subject, release, beside)?)
    } else {
        None
    };
    tracing::info!(event = "token_issued", client = %client.key, trace_id = %context.trace_id, "tokens issued");
    Ok(TokenResponse {
        access_token: access.token,
        token_type: dpop::token_type(&told),
        expires_in: access.expires_in,
        scope: scopes.join(" "),
        id_token,
        refresh_token,
    })
}

/// The refresh token grant (RFC 6749 §6, OIDC Core §12), with rotation (RFC 9700 §4.14.2).
async fn refresh(
    context: &RequestContext<'_>,
    client: &Client,
    proof: Option<&Proof>,
    params: &Params,
) -> Result<TokenResponse, OAuthError> {
    let text = |name: &str| params.one(name).ok().flatten();
    let presented =
        text("refresh_token").ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, "refresh_token is missing"))?;
    let unusable = || invalid_grant("the refresh token is unknown, expired or revoked");
    let hash = TokenHash::of(presented);
    let (token, view) = context.store().refresh_token(hash).await?.ok_or_else(unusable)?;
    if view.grant.client != client.key {
        return Err(invalid_grant("the refresh token was issued to another client"));
    }
    validity::refresh_token(context, &token).map_err(|_| unusable())?;
    if let Err(invalid) = validity::grant(context, &view) {
        return Err(no_longer_valid(context, &view.grant, invalid).await?);
    }
    let GrantView { grant, user, link, .. } = view;
    check_key(grant.dpop_jkt.as_deref(), proof)?;
    let (user, link) = user.zip(link).ok_or_else(unusable)?;
    let scopes = narrowed_scopes(&grant, text("scope"))?;
    let resources = narrowed_resources(&grant, params)?;
    let link = match decide::upstream_facts(context, &link).await {
        Ok(Upstream::Stored) => link,
        Ok(Upstream::Fresh(link)) => *link,
        Err(NoFacts::Refused(refusal)) => return Err(refused(context, &grant, refusal).await?),
        Err(NoFacts::Store(error)) => return Err(error.into()),
    };
    let decision = decided(context, &grant, &scopes, &user, &link).await?;
    dpop::spend(context, proof).await?;
    let (profile, dpop_jkt) = (changed_profile(&user, &decision), refresh_key(client, proof));
    let rotation = Rotation { profile, dpop_jkt, ..rotation(context, client, &token, &grant)? };
    let secret = rotate(context, client, presented, rotation).await?;
    // OIDC Core §12.2: an ID token from a refresh should carry no nonce.
    let grant = Grant { nonce: None, ..grant };
    let issue = Issue { scopes: &scopes, resources: &resources, proof, refresh_token: Some(secret) };
    answer(context, client, &grant, issue, &user, &decision)
}

/// RFC 6749 §6: scope may narrow, never widen.
fn narrowed_scopes(grant: &Grant, asked: Option<&str>) -> Result<Vec<String>, OAuthError> {
    let Some(asked) = asked else { return Ok(grant.scopes.clone()) };
    let asked: Vec<String> = asked.split_ascii_whitespace().map(str::to_owned).collect();
    if asked.iter().all(|scope| grant.scopes.contains(scope)) {
        Ok(asked)
    } else {
        Err(OAuthError::new(ErrorCode::InvalidScope, "scope may only narrow what was granted"))
    }
}

fn changed_profile(user: &User, decision: &Decision) -> Option<(String, Map<String, Value>)> {
    (decision.profile != user.profile).then(|| (user.id.clone(), decision.profile.clone()))
}

/// One use of the token: with a successor where this client's tokens rotate.
fn rotation(
    context: &RequestContext<'_>,
    client: &Client,
    token: &RefreshToken,
    grant: &Grant,
) -> Result<Rotation, OAuthError> {
    let lifetimes = &client.tokens.refresh_token;
    let keep_until = (context.now + lifetimes.max_inactive.seconds()).min(token.family_expires_at);
    let rotates = lifetimes.rotate || client.is_public();
    let successor = if rotates {
        let secret = context.random().secret()?;
        let row = RefreshToken {
            hash: TokenHash::of(&secret),
            grant_id: grant.id.clone(),
            created_at: context.now,
            used_at: None,
            expires_at: keep_until,
            family_expires_at: token.family_expires_at,
        };
        Some((row, secret))
    } else {
        None
    };
    Ok(Rotation {
        parent: token.hash,
        successor,
        keep_until,
        grace: lifetimes.reuse_grace.seconds(),
        link: None,
        touch_session: grant.session_id.clone(),
        profile: None,
        dpop_jkt: None,
        grant_expires_at: grant.expires_at.max(context.now + client.tokens.access_token.seconds()),
    })
}

/// Uses the token: stores its successor, or within the grace hands out the one stored before.
async fn rotate(
    context: &RequestContext<'_>,
    client: &Client,
    presented: &str,
    rotation: Rotation,
) -> Result<String, OAuthError> {
    let next = rotation.successor.as_ref().map_or_else(|| presented.to_owned(), |(_, secret)| secret.clone());
    match context.store().rotate_refresh(rotation, context.now).await? {
        Rotated::New => Ok(next),
        Rotated::Replayed(secret) => Ok(secret),
        Rotated::Reused => {
            tracing::warn!(event = "refresh_reuse", client = %client.key, trace_id = %context.trace_id, "a refresh token was used again: its family is revoked");
            Err(invalid_grant("the refresh token was used before; sign in again"))
        }
        Rotated::Refused => Err(invalid_grant("the refresh token is unknown, expired or revoked")),
    }
}

/// The client credentials grant (RFC 6749 §4.4): the client speaks for itself.
async fn credentials(
    context: &RequestContext<'_>,
    client: &Client,
    proof: Option<&Proof>,
    params: &Params,
) -> Result<TokenResponse, OAuthError> {
    if client.is_public() {
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "a public client can't use client_credentials"));
    }
    let asked = params.one("scope").ok().flatten().unwrap_or_default();
    let personal = ["openid", "offline_access"];
    let scopes: Vec<String> = asked
        .split_ascii_whitespace()
        .filter(|scope| !personal.contains(scope) && client.scopes.iter().any(|allowed| allowed == scope))
        .map(str::to_owned)
        .collect();
    let mut resources = Vec::new();
    for uri in params.all("resource") {
        if !context.snapshot.resource(&uri).is_some_and(|resource| resource.clients.contains(&client.key)) {
            return Err(OAuthError::new(ErrorCode::InvalidTarget, "this client may not ask for that resource"));
        }
        resources.push(uri);
    }
    let grant = Grant {
        id: context.random().id()?,
        client: client.key.clone(),
        user_id: None,
        link: None,
        session_id: None,
        sid: None,
        scopes: scopes.clone(),
        resources: resources.clone(),
        nonce: None,
        claims_request: None,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        dpop_jkt: None,
        created_at: context.now,
        revoked_at: None,
        expires_at: context.now + client.tokens.access_token.seconds(),
    };
    dpop::spend(context, proof).await?;
    context.store().save_grant(grant.clone(), None, context.now).await?;
    let nothing = Map::new();
    let told = dpop::bound_claims(&nothing, proof);
    let access = access_token(context, client, &grant, &client.client_id, &scopes, &resources, &told)?;
    Ok(TokenResponse {
        access_token: access.token,
        token_type: dpop::token_type(&told),
        expires_in: access.expires_in,
        scope: scopes.join(" "),
        id_token: None,
        refresh_token: None,
    })
}
