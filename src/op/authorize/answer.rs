//! Steps: the answer for an admitted user: a code, an access token, an ID token, as the response type says (OIDC Core
//! §3.1.2.5, §3.2.2.5, §3.3.2.5).
//!
//! Owns making it, and the order in which it is stored and signed. Whether there may be an answer has been decided before.

use crate::audit::{Event, Kind};
use crate::decision::app::Release;
use crate::env::RandomUnavailable;
use crate::op::authorize::consent;
use crate::op::authorize::prepared::Prepared;
use crate::op::authorize::request::checks;
use crate::op::authorize::request::model::{AuthorizeRequest, Destination};
use crate::op::authorize::response;
use crate::op::authorize::stage::{Admitted, Flow};
use crate::op::decide;
use crate::op::entitlement;
use crate::op::error::OAuthError;
use crate::op::issue;
use crate::op::issue::{AccessTokenContents, IssuedWith};
use crate::op::outcome::{Next, Outcome, Stop};
use crate::protocol::ResponseType;
use crate::store::ids::GrantId;

use crate::store::model::{Code, Grant, TokenHash};

/// Makes the code and the grant that the answer rests on.
///
/// # Errors
/// `unauthorized_client` when a reload took the response type away from the client meanwhile; a page when the generator
/// is not available.
pub(super) fn prepare(flow: &Flow<'_>, request: &AuthorizeRequest, admitted: &Admitted) -> Result<Prepared, Stop> {
    let Destination::App(to) = &request.to else { return Ok(Prepared::nothing()) };
    let response_type = request.response_type;
    checks::may_ask_for(flow.client, response_type)?;
    let granted = code_grant(flow, request, admitted)?;
    let grant = match response_type {
        ResponseType::Code => None,
        _ => Some(front_grant(flow, &granted, admitted)?),
    };
    if !response_type.has_code() {
        return Ok(Prepared { secret: None, code: None, grant });
    }
    let secret = flow.context.random().secret()?;
    let code = Code {
        hash: TokenHash::of(&secret),
        grant: granted,
        redirect_uri: to.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        dpop_jkt: request.dpop_jkt.clone(),
        used_at: None,
        expires_at: flow.context.now + flow.client.tokens.authorization_code.seconds(),
    };
    Ok(Prepared { secret: Some(secret), code: Some(code), grant })
}

/// The grant that a code's redemption will store. It is kept as long as its tokens and the session: when a session ends, its
/// grants show which apps were used in it.
fn code_grant(flow: &Flow<'_>, request: &AuthorizeRequest, admitted: &Admitted) -> Result<Grant, RandomUnavailable> {
    let Flow { context, client, .. } = *flow;
    let Admitted { session, decision, .. } = admitted;
    let scopes = decision.release.as_ref().map(|release| release.scopes.clone()).unwrap_or_default();
    let offline = scopes.iter().any(|scope| scope == "offline_access");
    Ok(Grant {
        id: GrantId::random(context.random())?,
        client: client.key.clone(),
        user_id: Some(session.user_id.clone()),
        link: Some(session.link.clone()),
        session_id: (!offline).then(|| session.id.clone()),
        sid: Some(session.id.clone()),
        scopes,
        resources: entitlement::resources(context, client, &request.resources),
        nonce: request.nonce.clone(),
        claims_request: request.claims.clone(),
        auth_time: session.auth_time,
        acr: session.acr.clone(),
        amr: session.amr.clone(),
        dpop_jkt: None,
        certificate: None,
        trace: Some(context.trace()),
        created_at: context.now,
        revoked_at: None,
        expires_at: issue::grant_end(context, client, &session.link, &request.resources, session.expires_at),
    })
}

/// The grant behind tokens of the authorization endpoint. It ends with the session, whatever the scopes, and is kept until
/// then: when a session ends, its grants show which apps were used in it.
fn front_grant(flow: &Flow<'_>, granted: &Grant, admitted: &Admitted) -> Result<Grant, RandomUnavailable> {
    let Flow { context, client, .. } = *flow;
    let session = &admitted.session;
    let access_token = issue::access_token_lifetime(context, client, &granted.resources);
    let longest = issue::within_grant(context, granted, access_token.max(client.tokens.id_token.seconds()));
    Ok(Grant {
        id: GrantId::random(context.random())?,
        session_id: Some(session.id.clone()),
        expires_at: session.expires_at.max(context.now + longest),
        ..granted.clone()
    })
}

/// Stores what the answer rests on, with the user's consent where it has just been given, then signs and answers.
///
/// # Errors
/// When the store can't be written; `server_error` when a token can't be signed.
pub(super) async fn answer(
    flow: &Flow<'_>,
    request: &AuthorizeRequest,
    admitted: &Admitted,
    mut prepared: Prepared,
) -> Result<Outcome, Stop> {
    let context = flow.context;
    let to = match &request.to {
        Destination::App(to) => to,
        Destination::Own(path) => return Ok(Next::Own(path.clone()).into()),
    };
    let consent = admitted.agreed.then(|| consent::asked(flow, request, admitted));
    let issued = prepared.grant.as_ref().map(|_| issued(flow, admitted));
    prepared.save(context, consent, issued.clone()).await?;
    let mut fields: Vec<(&str, String)> = Vec::new();
    if let Some(grant) = &prepared.grant {
        fields = tokens(flow, request.response_type, grant, admitted, prepared.secret.as_deref())?;
        context.announce(issued.as_slice());
    }
    if let Some(secret) = prepared.secret {
        fields.insert(0, ("code", secret));
    }
    Ok(Next::App(response::success(context, to, fields)).into())
}

/// What is recorded of tokens of the authorization endpoint.
fn issued(flow: &Flow<'_>, admitted: &Admitted) -> Event {
    let session = &admitted.session;
    let event = flow.context.event_about(Kind::TokenIssued, &admitted.user).client(&flow.client.key);
    event.provider(&session.link.provider).sid(Some(session.id.as_str())).detail("with the authorization response")
}

/// The tokens of the authorization endpoint (OIDC Core §3.2.2.5, §3.3.2.5).
fn tokens(
    flow: &Flow<'_>,
    response_type: ResponseType,
    grant: &Grant,
    admitted: &Admitted,
    code: Option<&str>,
) -> Result<Vec<(&'static str, String)>, OAuthError> {
    let Flow { context, client, .. } = *flow;
    let mut fields = Vec::new();
    let subject = decide::subject(client, &admitted.user);
    let nothing = Release::default();
    let release = admitted.decision.release.as_ref().unwrap_or(&nothing);
    let access = if response_type.has_token() {
        let (scopes, resources) = (&grant.scopes, &grant.resources);
        let claims = &release.access_token;
        let contents = AccessTokenContents { client, grant, subject: &subject, scopes, resources, claims };
        let access = issue::access_token(context, &contents)?;
        fields.push(("access_token", access.token.clone()));
        fields.push(("token_type", "Bearer".to_owned()));
        fields.push(("expires_in", access.expires_in.to_string()));
        fields.push(("scope", scopes.join(" ")));
        Some(access.token)
    } else {
        None
    };
    if response_type.has_id_token() {
        let issued_with = IssuedWith { access_token: access.as_deref(), code };
        fields.push(("id_token", issue::id_token(context, client, grant, &subject, release, issued_with)?));
    }
    Ok(fields)
}
