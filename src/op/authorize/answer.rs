//! What an app's authorization request is answered with: a code, an access token, an ID token, as its response type says
//! (OIDC Core §3.1.2.5, §3.2.2.5, §3.3.2.5), or an error.
//!
//! Owns making it, keeping what it rests on, and the fields of the answer. Whether there may be an answer is decided
//! before; how it travels is the web edge's.

use crate::decision::app::Release;
use crate::decision::pipeline::Decision;
use crate::env::RandomUnavailable;
use crate::op::RequestContext;
use crate::op::authorize::request::{AuthorizeRequest, ReturnAddress};
use crate::op::decide;
use crate::op::error::OAuthError;
use crate::op::issue;
use crate::op::issue::{AccessTokenContents, IssuedWith};
use crate::op::outcome::{Answer, Stop};
use crate::protocol::ErrorCode;
use crate::protocol::ResponseType;
use crate::snapshot::client::Client;
use crate::store::StoreError;
use crate::store::model::{Code as StoredCode, Consent, Grant, Session, TokenHash, User};

/// A code, and the grant behind the tokens of the authorization endpoint. Kept first, handed out after.
pub struct Prepared {
    secret: Option<String>,
    code: Option<StoredCode>,
    grant: Option<Grant>,
}

/// Makes what a request will be answered with.
///
/// # Errors
/// `unauthorized_client` when a reload took the response type away from the client meanwhile; a page when the generator
/// is not available.
pub fn prepare(
    context: &RequestContext<'_>,
    client: &Client,
    request: &AuthorizeRequest,
    decision: &Decision,
    session: &Session,
) -> Result<Prepared, Stop> {
    let response_type = request.response_type;
    if !client.may_ask_for(response_type) {
        return Err(not_allowed(response_type).into());
    }
    let granted = code_grant(context, client, request, decision, session)?;
    let grant = match response_type {
        ResponseType::Code => None,
        _ => Some(front_grant(context, client, &granted, session)?),
    };
    if !response_type.has_code() {
        return Ok(Prepared { secret: None, code: None, grant });
    }
    let secret = context.random().secret()?;
    let code = StoredCode {
        hash: TokenHash::of(&secret),
        grant: granted,
        redirect_uri: request.to.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        dpop_jkt: request.dpop_jkt.clone(),
        used_at: None,
        expires_at: context.now + client.tokens.authorization_code.seconds(),
    };
    Ok(Prepared { secret: Some(secret), code: Some(code), grant })
}

/// The client asks for a response type that it has not declared (RFC 6749 §4.1.2.1).
pub(crate) fn not_allowed(response_type: ResponseType) -> OAuthError {
    let name = response_type.name();
    let text = format!("this client may not use response_type={name}; see its response_types and grant_types");
    OAuthError::new(ErrorCode::UnauthorizedClient, text)
}

/// The grant that a code's redemption will store. It is there as long as its tokens, and the session: by its grant an app
/// is known to have a part in a session, when that ends.
fn code_grant(
    context: &RequestContext<'_>,
    client: &Client,
    request: &AuthorizeRequest,
    decision: &Decision,
    session: &Session,
) -> Result<Grant, RandomUnavailable> {
    let scopes = decision.release.as_ref().map(|release| release.scopes.clone()).unwrap_or_default();
    let offline = scopes.iter().any(|scope| scope == "offline_access");
    let refresh = &client.tokens.refresh_token;
    let lifetime = refresh.max_lifetime.seconds().max(client.tokens.access_token.seconds());
    Ok(Grant {
        id: context.random().id()?,
        client: client.key.clone(),
        user_id: Some(session.user_id.clone()),
        link: Some(session.link.clone()),
        session_id: (!offline).then(|| session.id.clone()),
        sid: Some(session.id.clone()),
        scopes,
        resources: request.resources.clone(),
        nonce: request.nonce.clone(),
        claims_request: request.claims.clone(),
        auth_time: session.auth_time,
        acr: session.acr.clone(),
        amr: session.amr.clone(),
        dpop_jkt: None,
        created_at: context.now,
        revoked_at: None,
        expires_at: session.expires_at.max(context.now + lifetime),
    })
}

/// The grant behind tokens of the authorization endpoint. It dies with the session, whatever the scopes, and is there as
/// long as that: by its grant an app is known to have a part in a session, when that ends.
fn front_grant(
    context: &RequestContext<'_>,
    client: &Client,
    granted: &Grant,
    session: &Session,
) -> Result<Grant, RandomUnavailable> {
    let longest =
        issue::access_token_lifetime(context, client, &granted.resources).max(client.tokens.id_token.seconds());
    Ok(Grant {
        id: context.random().id()?,
        session_id: Some(session.id.clone()),
        expires_at: session.expires_at.max(context.now + longest),
        ..granted.clone()
    })
}

impl Prepared {
    /// The code's row, for whoever writes it together with something else.
    pub fn take_code(&mut self) -> Option<StoredCode> {
        self.code.take()
    }

    /// Writes what was not taken, with the consent that it rests on.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn save(&mut self, context: &RequestContext<'_>, mut consent: Option<Consent>) -> Result<(), StoreError> {
        if let Some(code) = self.take_code() {
            context.store().save_code(code, consent.take(), context.now).await?;
        }
        if let Some(grant) = &self.grant {
            context.store().save_grant(grant.clone(), consent, context.now).await?;
        }
        Ok(())
    }

    /// The answer: signs what is issued here. To be called once all is written.
    ///
    /// # Errors
    /// `server_error` when a token can't be signed.
    pub fn answer(
        self,
        context: &RequestContext<'_>,
        client: &Client,
        request: &AuthorizeRequest,
        user: &User,
        decision: &Decision,
    ) -> Result<Answer, OAuthError> {
        let mut fields: Vec<(&str, String)> = Vec::new();
        if let Some(grant) = &self.grant {
            fields = tokens(context, client, request.response_type, grant, user, decision, self.secret.as_deref())?;
        }
        if let Some(secret) = self.secret {
            fields.insert(0, ("code", secret));
        }
        Ok(finished(context, &request.to, fields))
    }
}

/// The tokens of the authorization endpoint (OIDC Core §3.2.2.5, §3.3.2.5).
fn tokens(
    context: &RequestContext<'_>,
    client: &Client,
    response_type: ResponseType,
    grant: &Grant,
    user: &User,
    decision: &Decision,
    code: Option<&str>,
) -> Result<Vec<(&'static str, String)>, OAuthError> {
    let mut fields = Vec::new();
    let subject = decide::subject(client, user);
    let nothing = Release::default();
    let release = decision.release.as_ref().unwrap_or(&nothing);
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
    tracing::info!(event = "token_issued", client = %client.key, trace_id = %context.trace_id, "tokens issued with the authorization response");
    Ok(fields)
}

/// The answer that carries an error (RFC 6749 §4.1.2.1, OIDC Core §3.2.2.6).
#[must_use]
pub fn error_answer(context: &RequestContext<'_>, to: &ReturnAddress, error: &OAuthError) -> Answer {
    let fields = vec![("error", error.code.name().to_owned()), ("error_description", error.description.clone())];
    finished(context, to, fields)
}

/// With what every answer carries (RFC 9207 §2).
fn finished(context: &RequestContext<'_>, to: &ReturnAddress, mut fields: Vec<(&str, String)>) -> Answer {
    if let Some(state) = &to.state {
        fields.push(("state", state.clone()));
    }
    fields.push(("iss", context.snapshot.issuer.text.clone()));
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Answer { to: to.clone(), fields }
}
