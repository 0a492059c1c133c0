//! The end session endpoint (OIDC RP-Initiated Logout 1.0 §2, §3): ordered checks of the form, the hint, the client and the
//! redirect URI; then the session, which ends at once or after the user confirms. Without the browser's cookie, it is the
//! session that the hint identifies.

use serde_json::Value;

use crate::op::RequestContext;
use crate::op::decide;
use crate::op::error::PageError;
use crate::op::hint;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::logout::outcome::{Next, Outcome};
use crate::op::logout::request::LogoutRequest;
use crate::op::logout::sign_out::{after_sign_out, sign_out, sign_out_elsewhere};
use crate::op::outcome::{Browser, SetCookie};
use crate::op::params::{Form, LONGEST_STATE, Params};
use crate::op::session;
use crate::snapshot::client::Client;
use crate::store::ids::SessionId;
use crate::store::{SessionView, StoreError};

/// The parameters of a logout request (§2).
struct EndSessionForm<'p> {
    id_token_hint: Option<&'p str>,
    client_id: Option<&'p str>,
    post_logout_redirect_uri: Option<&'p str>,
    state: Option<&'p str>,
}

impl<'p> Form<'p> for EndSessionForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self {
            id_token_hint: params.text("id_token_hint"),
            client_id: params.text("client_id"),
            post_logout_redirect_uri: params.text("post_logout_redirect_uri"),
            state: params.text("state"),
        }
    }
}

/// Serves the end session endpoint.
pub async fn end_session(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Outcome {
    match begin(context, params, browser).await {
        Ok(outcome) => outcome,
        Err(error) => Next::Error(error).into(),
    }
}

async fn begin(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Result<Outcome, PageError> {
    let form = EndSessionForm::parse(params)?;
    if form.state.is_some_and(|state| state.len() > LONGEST_STATE) {
        return Err(PageError::new(
            400,
            "invalid_request",
            format!("state must be at most {LONGEST_STATE} bytes long"),
        ));
    }
    let hint = form.id_token_hint.map(|token| Hint::read(context, token)).transpose()?;
    let client = client(context, &form, hint.as_ref())?;
    let request = LogoutRequest {
        client: client.map(|client| client.key.clone()),
        back: redirect_uri(&form, client)?,
        state: form.state.map(str::to_owned),
    };
    let Some(view) = session::unexpired(context, browser).await? else {
        let next = match named(context, hint.as_ref()).await? {
            Some(view) => sign_out_elsewhere(context, &request, &view).await?,
            None => after_sign_out(&request, Vec::new(), false),
        };
        return Ok(Outcome { next, cookies: vec![SetCookie::EndSession] });
    };
    // Without a hint for this very session somebody else may have sent the browser here: ask (§2, §6).
    let meant = match &hint {
        Some(hint) => hint.is_for(context, &view).await?,
        None => false,
    };
    if meant {
        sign_out(context, request, &view, browser).await
    } else {
        confirm(context, request, &view, browser).await
    }
}

/// The live session that an ID token names.
async fn named(context: &RequestContext<'_>, hint: Option<&Hint>) -> Result<Option<SessionView>, StoreError> {
    let Some(sid) = hint.and_then(|hint| hint.sid.as_ref()) else { return Ok(None) };
    let found = context.store().session_by_id(sid).await?;
    Ok(found.filter(|view| view.session.is_live(context.now)))
}

/// What an ID token says of the session that is to end.
struct Hint {
    client_id: Option<String>,
    sub: Option<String>,
    sid: Option<SessionId>,
}

impl Hint {
    /// Reads an ID token of this issuer, expired or not (§2: the OP should accept expired ones).
    fn read(context: &RequestContext<'_>, token: &str) -> Result<Self, PageError> {
        let invalid = || PageError::new(400, "invalid_request", "id_token_hint is not an ID token of this issuer");
        let claims = hint::verify(context, token).ok_or_else(invalid)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let client_id = text("aud").or_else(|| claims.get("aud")?.as_array()?.first()?.as_str().map(str::to_owned));
        Ok(Self { client_id, sub: text("sub"), sid: text("sid").map(SessionId::new) })
    }

    /// Whether the ID token is of this session: by its `sid`, or without one by its user. The session that it names may have
    /// become this one, when the user signed in anew.
    async fn is_for(&self, context: &RequestContext<'_>, view: &SessionView) -> Result<bool, StoreError> {
        if let Some(sid) = &self.sid {
            let same = |named: SessionView| named.session.id == view.session.id;
            return Ok(*sid == view.session.id || named(context, Some(self)).await?.is_some_and(same));
        }
        let client = self.client_id.as_deref().and_then(|id| context.snapshot.client_by_id(id));
        let subject = client.map(|client| decide::subject(client, &view.user));
        Ok(self.sub.is_some() && self.sub == subject)
    }
}

/// The client that asks, by `client_id` or by the hint; both must name the same (§2).
fn client<'s>(
    context: &'s RequestContext<'_>,
    form: &EndSessionForm<'_>,
    hint: Option<&Hint>,
) -> Result<Option<&'s Client>, PageError> {
    let hinted = hint.and_then(|hint| hint.client_id.as_deref());
    if form.client_id.zip(hinted).is_some_and(|(named, hinted)| named != hinted) {
        return Err(PageError::new(400, "invalid_request", "client_id is not the client of id_token_hint"));
    }
    let Some(id) = form.client_id.or(hinted) else { return Ok(None) };
    let client = context.snapshot.client_by_id(id);
    client.map(Some).ok_or_else(|| PageError::new(400, "invalid_client", "no client has that id"))
}

/// Where the user goes after sign-out: an address that the client has registered, compared as a string (§3).
fn redirect_uri(form: &EndSessionForm<'_>, client: Option<&Client>) -> Result<Option<String>, PageError> {
    let Some(uri) = form.post_logout_redirect_uri else { return Ok(None) };
    let Some(client) = client else {
        let detail = "post_logout_redirect_uri needs id_token_hint or client_id";
        return Err(PageError::new(400, "invalid_request", detail));
    };
    if client.post_logout_redirect_uris.iter().any(|known| known == uri) {
        return Ok(Some(uri.to_owned()));
    }
    let detail = format!("client {} has not registered that post_logout_redirect_uri", client.key);
    Err(PageError::new(400, "invalid_redirect_uri", detail))
}

/// Asks the user.
async fn confirm(
    context: &RequestContext<'_>,
    request: LogoutRequest,
    view: &SessionView,
    browser: &Browser,
) -> Result<Outcome, PageError> {
    let client = request.client.clone();
    let (interaction, cookies) = interaction::keep(context, &Pending::SignOut(request), browser).await?;
    let user = session::shown_name(&view.user.profile, &view.user.username).to_owned();
    Ok(Outcome { next: Next::Confirm { client, user, interaction }, cookies })
}
