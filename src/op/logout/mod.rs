//! RP-initiated logout (OIDC RP-Initiated Logout 1.0): the local session, whose other apps are told, then the provider's,
//! then back to the app.

pub mod backchannel;
pub mod delivery;
mod frontchannel;
pub mod logout_token;
mod participants;
pub mod request;
pub mod upstream;

use serde_json::Value;
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::op::RequestContext;
use crate::op::error::PageError;
use crate::op::hint;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::logout::request::LogoutRequest;
use crate::op::outcome::{Browser, SetCookie};
use crate::op::params::Params;
use crate::op::session;
use crate::protocol::paths::LOGOUT_CALLBACK;
use crate::snapshot::client::Client;
use crate::store::SessionView;

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask the user.
    Confirm {
        /// Key of the client that asks, where one is known.
        client: Option<String>,
        /// The user's name.
        user: String,
        /// Secret id of the interaction, for the form.
        interaction: String,
    },
    /// Go there: the provider's logout, or the app.
    Redirect(String),
    /// The user stays signed in.
    Stay,
    /// Signed out.
    Done {
        /// Key of the client that asked, where one is known.
        client: Option<String>,
    },
    /// Show an error.
    Error(PageError),
}

/// What comes next, with the cookies to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What comes next.
    pub next: Next,
    /// Cookies to set.
    pub cookies: Vec<SetCookie>,
    /// Pages of apps that the browser loads in frames before it goes on (OIDC Front-Channel Logout 1.0).
    pub frames: Vec<Url>,
}

impl From<Next> for Outcome {
    fn from(next: Next) -> Self {
        Self { next, cookies: Vec::new(), frames: Vec::new() }
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
    if let Some(duplicate) = params.duplicate(&[]) {
        return Err(duplicate.into());
    }
    let text = |name: &str| params.one(name).ok().flatten();
    let hint = match text("id_token_hint") {
        None => None,
        Some(token) => Some(read_hint(context, token).ok_or_else(|| {
            PageError::new(400, "invalid_request", "id_token_hint is not an ID token of this issuer")
        })?),
    };
    let request = validate(context, &text, hint.as_ref())?;
    let Some(view) = session::live(context, browser).await? else {
        let mut outcome = Outcome::from(after_sign_out(&request));
        outcome.cookies.push(SetCookie::EndSession);
        return Ok(outcome);
    };
    // Without a hint for this very session somebody else may have sent the browser here: ask (§2, §6).
    let hinted = hint.is_some_and(|hint| match hint.sid {
        Some(sid) => sid == view.session.id,
        None => hint.subjects_match(context, &view),
    });
    if !hinted {
        return confirm(context, request, &view, browser).await;
    }
    sign_out(context, request, &view, browser).await
}

struct Hint {
    client_id: Option<String>,
    sub: Option<String>,
    sid: Option<String>,
}

impl Hint {
    fn subjects_match(&self, context: &RequestContext<'_>, view: &SessionView) -> bool {
        let client = self.client_id.as_deref().and_then(|id| context.snapshot.client_by_id(id));
        let subject = client.map(|client| crate::op::decide::subject(client, &view.user));
        self.sub.is_some() && self.sub == subject
    }
}

/// An ID token of this issuer, expired or not (§2: the OP should accept expired ones).
fn read_hint(context: &RequestContext<'_>, token: &str) -> Option<Hint> {
    let claims = hint::verify(context, token)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let client_id = text("aud").or_else(|| claims.get("aud")?.as_array()?.first()?.as_str().map(str::to_owned));
    Some(Hint { client_id, sub: text("sub"), sid: text("sid") })
}

fn validate<'p>(
    context: &RequestContext<'_>,
    text: &dyn Fn(&str) -> Option<&'p str>,
    hint: Option<&Hint>,
) -> Result<LogoutRequest, PageError> {
    let hinted = hint.and_then(|hint| hint.client_id.as_deref());
    let named = text("client_id");
    if let (Some(named), Some(hinted)) = (named, hinted)
        && named != hinted
    {
        return Err(PageError::new(400, "invalid_request", "client_id is not the client of id_token_hint"));
    }
    let client = match named.or(hinted) {
        None => None,
        Some(id) => match context.snapshot.client_by_id(id) {
            Some(client) => Some(client),
            None => return Err(PageError::new(400, "invalid_client", "no client has that id")),
        },
    };
    let back = match (text("post_logout_redirect_uri"), client) {
        (None, _) => None,
        (Some(uri), Some(client)) if registered(client, uri) => Some(uri.to_owned()),
        (Some(_), Some(client)) => {
            let detail = format!("client {} has not registered that post_logout_redirect_uri", client.key);
            return Err(PageError::new(400, "invalid_redirect_uri", detail));
        }
        (Some(_), None) => {
            let detail = "post_logout_redirect_uri needs id_token_hint or client_id";
            return Err(PageError::new(400, "invalid_request", detail));
        }
    };
    Ok(LogoutRequest { client: client.map(|client| client.key.clone()), back, state: text("state").map(str::to_owned) })
}

fn registered(client: &Client, uri: &str) -> bool {
    client.post_logout_redirect_uris.iter().any(|known| known == uri)
}

async fn confirm(
    context: &RequestContext<'_>,
    request: LogoutRequest,
    view: &SessionView,
    browser: &Browser,
) -> Result<Outcome, PageError> {
    let client = request.client.clone();
    let (interaction, cookies) = interaction::keep(context, &Pending::SignOut(request), browser).await?;
    let name = view.user.profile.get("name").and_then(Value::as_str).unwrap_or(&view.user.username);
    let next = Next::Confirm { client, user: name.to_owned(), interaction };
    Ok(Outcome { cookies, ..Outcome::from(next) })
}

/// Serves the form that confirms a sign-out.
pub async fn confirmed(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Outcome {
    match answer(context, params, browser).await {
        Ok(outcome) => outcome,
        Err(error) => Next::Error(error).into(),
    }
}

async fn answer(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Result<Outcome, PageError> {
    let id = params.one("csrf").ok().flatten().unwrap_or_default();
    let Pending::SignOut(request) = interaction::find(context, id, browser).await? else {
        return Err(interaction::other_form());
    };
    interaction::take(context, id).await?;
    if params.one("decision") == Ok(Some("stay")) {
        return Ok(Next::Stay.into());
    }
    match session::live(context, browser).await? {
        Some(view) => sign_out(context, request, &view, browser).await,
        None => Ok(after_sign_out(&request).into()),
    }
}

/// Ends the session here and tells its apps, then goes to the provider's logout where it has one.
async fn sign_out(
    context: &RequestContext<'_>,
    request: LogoutRequest,
    view: &SessionView,
    browser: &Browser,
) -> Result<Outcome, PageError> {
    let apps = context.store().end_session(&view.session.id, context.now).await?;
    backchannel::session_ended(context, &view.user, &apps);
    let frames = frontchannel::frames(context, &apps);
    let provider = view.session.link.provider.clone();
    tracing::info!(event = "logout", provider = %provider, apps = apps.len(), trace_id = %context.trace_id, "signed out");
    let mut cookies = vec![SetCookie::EndSession];
    let settings = context.snapshot.providers.get(&provider).filter(|settings| settings.logout);
    if let Some(settings) = settings {
        let (state, mut more) = interaction::keep(
            context,
            &Pending::ProviderLogout { request: request.clone(), provider: provider.clone() },
            browser,
        )
        .await?;
        let ours = context.snapshot.issuer.url_of(&format!("{LOGOUT_CALLBACK}{provider}"));
        let names_none = request.back.is_none();
        let back = settings.post_logout_redirect_uri.clone().filter(|_| names_none).unwrap_or(ours);
        let hint = view.session.upstream_id_token.clone().map(SecretValue::new);
        let upstreams = &context.services.upstreams;
        let url = upstreams.end_session_url(settings, hint.as_ref(), Some((&back, &state)), context.now).await;
        if let Some(url) = url {
            cookies.append(&mut more);
            return Ok(Outcome { next: Next::Redirect(url.to_string()), cookies, frames });
        }
    }
    Ok(Outcome { next: after_sign_out(&request), cookies, frames })
}

/// Serves the return from a provider's logout.
pub async fn returned(context: &RequestContext<'_>, provider: &str, params: &Params, browser: &Browser) -> Outcome {
    let state = params.text("state").unwrap_or_default();
    // The session is gone either way; a lost state only loses the way back to the app.
    let lost = Next::Done { client: None }.into();
    match interaction::find(context, state, browser).await {
        Ok(Pending::ProviderLogout { request, provider: expected }) if expected == provider => {
            match interaction::take(context, state).await {
                Ok(()) => after_sign_out(&request).into(),
                Err(_) => lost,
            }
        }
        _ => lost,
    }
}

/// Back to the app, with `state` (§3), or the signed-out page.
fn after_sign_out(request: &LogoutRequest) -> Next {
    let Some(back) = &request.back else { return Next::Done { client: request.client.clone() } };
    let Some(state) = &request.state else { return Next::Redirect(back.clone()) };
    let separator = if back.contains('?') { '&' } else { '?' };
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
    Next::Redirect(format!("{back}{separator}{query}"))
}
