//! The authorization request (OIDC Core §3.1.2.1, RFC 6749 §4.1.1): an ordered list of small checks.
//!
//! [`client_and_redirect`] comes first and alone decides whether anything may be redirected; its errors are pages. All
//! that follows is [`validate`], whose errors go back to the app.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::op::authorize::answer::not_allowed;
use crate::op::error::{OAuthError, PageError};
use crate::op::params::{Duplicate, Params};
use crate::protocol::ErrorCode;
use crate::protocol::ResponseType;
use crate::snapshot::Snapshot;
use crate::snapshot::client::Client;

/// How the answer travels (OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query.
    #[default]
    Query,
    /// In the fragment.
    Fragment,
    /// By a form that the browser posts.
    FormPost,
}

/// A client and redirect URI that are proven: answers may go there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnAddress {
    /// Key of the client in the file.
    pub client: String,
    /// Its registered redirect URI.
    pub redirect_uri: String,
    /// How the answer travels.
    pub mode: ResponseMode,
    /// `state`, returned as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// What `prompt` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prompt {
    /// No page may be shown.
    pub none: bool,
    /// The user must prove again who they are.
    pub login: bool,
    /// The user must be asked for consent.
    pub consent: bool,
    /// The user must choose an account.
    pub select_account: bool,
}

impl Prompt {
    /// The values, as they are passed on to a provider.
    #[must_use]
    pub fn values(self) -> Vec<String> {
        let named = [("login", self.login), ("consent", self.consent), ("select_account", self.select_account)];
        named.into_iter().filter(|(_, asked)| *asked).map(|(name, _)| name.to_owned()).collect()
    }
}

/// A valid authorization request. Immutable from here on. Kept while a person is away: what was not sent takes no room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    /// Where the answer goes.
    pub to: ReturnAddress,
    /// What the answer carries. A request that was kept before there was a choice asked for a code.
    #[serde(default)]
    pub response_type: ResponseType,
    /// Scopes asked for, those that the client may not have left out.
    pub scopes: Vec<String>,
    /// `nonce`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// PKCE challenge, S256 (RFC 7636 §4.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<String>,
    /// Thumbprint of the key that the code is bound to (RFC 9449 §10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// `prompt`
    pub prompt: Prompt,
    /// `max_age` in seconds, the client's default where it sent none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
    /// `login_hint`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// The subject of `id_token_hint`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hinted_sub: Option<String>,
    /// `ui_locales`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ui_locales: Option<String>,
    /// `acr_values`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr_values: Option<String>,
    /// The `acr` values of which one must be met (OIDC Core §5.5.1.1); empty when none is essential.
    pub essential_acr: Vec<String>,
    /// The `claims` parameter (OIDC Core §5.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Value>,
    /// `resource` (RFC 8707), as URIs.
    pub resources: Vec<String>,
    /// The provider that the app asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_hint: Option<String>,
}

impl AuthorizeRequest {
    /// Whether this authentication context class is one that the app can't do without.
    #[must_use]
    pub fn meets_acr(&self, acr: Option<&str>) -> bool {
        self.essential_acr.is_empty() || acr.is_some_and(|acr| self.essential_acr.iter().any(|wanted| wanted == acr))
    }
}

/// Parameters that may repeat.
const MAY_REPEAT: &[&str] = &["resource"];

/// Proves the client and the redirect URI.
///
/// # Errors
/// A page: nothing may be redirected before both are proven.
pub fn client_and_redirect<'s>(
    snapshot: &'s Snapshot,
    params: &Params,
) -> Result<(&'s Client, ReturnAddress), PageError> {
    let twice = |Duplicate(name)| PageError::new(400, "invalid_request", format!("{name} came twice"));
    let client_id = params
        .one("client_id")
        .map_err(twice)?
        .ok_or_else(|| PageError::new(400, "invalid_client", "client_id is missing"))?;
    let client = snapshot
        .client_by_id(client_id)
        .ok_or_else(|| PageError::new(400, "invalid_client", format!("no client has the id {client_id:?}")))?;
    if !client.enabled {
        return Err(PageError::new(403, "client_disabled", format!("client {} is disabled", client.key)));
    }
    let redirect_uri = match params.one("redirect_uri").map_err(twice)? {
        Some(uri) if client.has_redirect_uri(uri) => uri.to_owned(),
        Some(uri) => {
            let detail = format!("client {} has not registered the redirect URI {uri:?}", client.key);
            return Err(PageError::new(400, "invalid_redirect_uri", detail));
        }
        None => {
            let detail = format!("client {} sent no redirect_uri", client.key);
            return Err(PageError::new(400, "invalid_redirect_uri", detail));
        }
    };
    let state = params.one("state").ok().flatten().map(str::to_owned);
    let mode = mode(params, &redirect_uri);
    Ok((client, ReturnAddress { client: client.key.clone(), redirect_uri, mode, state }))
}

/// The response mode asked for. Errors use it too: where it is none that can be used, it is the default of the response
/// type, the fragment for whatever puts a token into the answer (OAuth 2.0 Multiple Response Types §2.1, §3, §5).
fn mode(params: &Params, redirect_uri: &str) -> ResponseMode {
    let front = |word: &str| word == "token" || word == "id_token";
    let by_default = match params.all("response_type").iter().any(|value| value.split(' ').any(front)) {
        true => ResponseMode::Fragment,
        false => ResponseMode::Query,
    };
    // A browser can post to no app that it opens by a private-use scheme.
    let can_post = redirect_uri.starts_with("https://") || redirect_uri.starts_with("http://");
    match params.one("response_mode") {
        Ok(Some("fragment")) => ResponseMode::Fragment,
        Ok(Some("form_post")) if can_post => ResponseMode::FormPost,
        _ => by_default,
    }
}

/// Checks everything else, in order.
///
/// `hinted_sub` reads the subject of a valid `id_token_hint`, expired or not.
///
/// # Errors
/// For the app, by redirect.
pub fn validate(
    snapshot: &Snapshot,
    client: &Client,
    to: ReturnAddress,
    params: &Params,
    hinted_sub: &dyn Fn(&str) -> Option<String>,
) -> Result<AuthorizeRequest, OAuthError> {
    let invalid = |text: &str| OAuthError::new(ErrorCode::InvalidRequest, text);
    if let Some(duplicate) = params.duplicate(MAY_REPEAT) {
        return Err(duplicate.into());
    }
    let text = |name: &str| params.one(name).ok().flatten().map(str::to_owned);
    unsupported_parameters(params)?;
    response_mode(params)?;
    let response_type = response_type(client, params)?;
    let scopes = scopes(client, text("scope").as_deref(), response_type);
    let nonce = text("nonce");
    front_channel(params, response_type, &scopes, nonce.as_deref())?;
    let mut prompt = prompt(text("prompt").as_deref())?;
    let max_age = match text("max_age") {
        None => client.default_max_age,
        Some(age) => Some(
            age.parse::<i64>()
                .ok()
                .filter(|age| *age >= 0)
                .ok_or_else(|| invalid("max_age must be a whole number of seconds, 0 or more"))?,
        ),
    };
    // OIDC Core §3.1.2.1: `max_age=0` is `prompt=login`. A provider that measures in whole seconds would take a sign-in of
    // this very second for young enough.
    prompt.login |= max_age == Some(0) && !prompt.none;
    let code_challenge = if response_type.has_code() { code_challenge(client, params)? } else { None };
    let dpop_jkt = text("dpop_jkt");
    if dpop_jkt.as_deref().is_some_and(|jkt| !is_sha256(jkt)) {
        return Err(invalid("dpop_jkt must be 43 characters of base64url (RFC 9449 10)"));
    }
    let hinted = match text("id_token_hint") {
        None => None,
        Some(hint) => {
            Some(hinted_sub(&hint).ok_or_else(|| invalid("id_token_hint is not an ID token of this issuer"))?)
        }
    };
    let claims = match text("claims") {
        None => None,
        Some(claims) => Some(
            serde_json::from_str::<Value>(&claims)
                .ok()
                .filter(Value::is_object)
                .ok_or_else(|| invalid("claims must be a JSON object (OIDC Core 5.5)"))?,
        ),
    };
    let wanted_sub = |member: &str| {
        let value = claims.as_ref()?.get(member)?.get("sub")?.get("value")?;
        value.as_str().map(str::to_owned)
    };
    // OIDC Core §5.5.1: a `sub` asked for by value must be the one who is signed in, as with a hint.
    let hinted = hinted.or_else(|| wanted_sub("id_token")).or_else(|| wanted_sub("userinfo"));
    let essential_acr = claims.as_ref().map(essential_acr).unwrap_or_default();
    let acr_values = text("acr_values")
        .or_else(|| (!essential_acr.is_empty()).then(|| essential_acr.join(" ")))
        .or_else(|| (!client.default_acr_values.is_empty()).then(|| client.default_acr_values.join(" ")));
    Ok(AuthorizeRequest {
        to,
        response_type,
        scopes,
        nonce,
        code_challenge,
        dpop_jkt,
        prompt,
        max_age,
        login_hint: text("login_hint"),
        hinted_sub: hinted,
        ui_locales: text("ui_locales"),
        acr_values,
        essential_acr,
        claims,
        resources: resources(snapshot, client, params)?,
        provider_hint: text("provider").or_else(|| text("kc_idp_hint")),
    })
}

/// The values of an essential `acr` in the `claims` parameter.
fn essential_acr(claims: &Value) -> Vec<String> {
    let Some(asked) = claims.get("id_token").and_then(|member| member.get("acr")) else { return Vec::new() };
    if asked.get("essential").and_then(Value::as_bool) != Some(true) {
        return Vec::new();
    }
    let many = asked.get("values").and_then(Value::as_array).into_iter().flatten();
    many.chain(asked.get("value")).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Inline registration is not offered; discovery says so, and so does the error (OIDC Core §7.2.1).
fn unsupported_parameters(params: &Params) -> Result<(), OAuthError> {
    if params.all("registration").is_empty() {
        return Ok(());
    }
    let text = "registration is not supported; declare the client in the broker's file";
    Err(OAuthError::new(ErrorCode::RegistrationNotSupported, text))
}

fn response_mode(params: &Params) -> Result<(), OAuthError> {
    match params.one("response_mode") {
        Ok(None | Some("query" | "fragment" | "form_post")) => Ok(()),
        _ => Err(OAuthError::new(ErrorCode::InvalidRequest, "response_mode must be query, fragment or form_post")),
    }
}

/// RFC 6749 §3.1.1, OIDC Registration §2: one of those that the client declares.
fn response_type(client: &Client, params: &Params) -> Result<ResponseType, OAuthError> {
    let Some(asked) = params.one("response_type").ok().flatten() else {
        return Err(OAuthError::new(ErrorCode::InvalidRequest, "response_type is missing; send response_type=code"));
    };
    match ResponseType::parse(asked) {
        Some(response_type) if client.may_ask_for(response_type) => Ok(response_type),
        Some(response_type) => Err(not_allowed(response_type)),
        None => {
            let text = "response_type must be code, or another that discovery lists and the client declares";
            Err(OAuthError::new(ErrorCode::UnsupportedResponseType, text))
        }
    }
}

/// What tokens of the authorization endpoint need (OIDC Core §3.2.2.1, §3.3.2.11).
fn front_channel(
    params: &Params,
    response_type: ResponseType,
    scopes: &[String],
    nonce: Option<&str>,
) -> Result<(), OAuthError> {
    let name = response_type.name();
    if response_type != ResponseType::Code && params.one("response_mode") == Ok(Some("query")) {
        let text = format!("response_mode=query can't carry response_type={name}: leave it out, or send form_post");
        return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
    }
    if response_type.has_id_token() && !scopes.iter().any(|scope| scope == "openid") {
        let text = format!("response_type={name} needs the scope openid, in the request and among the client's scopes");
        return Err(OAuthError::new(ErrorCode::InvalidScope, text));
    }
    if response_type.has_id_token() && nonce.is_none() {
        let text = format!("nonce is missing: response_type={name} needs one (OIDC Core 3.2.2.1, 3.3.2.11)");
        return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
    }
    Ok(())
}

/// Scopes asked for that the client may have (RFC 6749 §3.3: the response says what was granted). `offline_access` counts
/// only where a code comes of it (OIDC Core §11).
fn scopes(client: &Client, text: Option<&str>, response_type: ResponseType) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    let usable = |scope: &&str| response_type.has_code() || *scope != "offline_access";
    for scope in text.unwrap_or_default().split_ascii_whitespace().filter(usable) {
        if client.scopes.iter().any(|allowed| allowed == scope) && !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    scopes
}

fn prompt(text: Option<&str>) -> Result<Prompt, OAuthError> {
    let mut prompt = Prompt::default();
    let mut words = 0;
    for word in text.unwrap_or_default().split_ascii_whitespace() {
        words += 1;
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => {
                let text = "prompt must be none, or any of login, consent, select_account";
                return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
            }
        }
    }
    if prompt.none && words > 1 {
        return Err(OAuthError::new(ErrorCode::InvalidRequest, "prompt=none can't be combined (OIDC Core 3.1.2.1)"));
    }
    Ok(prompt)
}

/// PKCE (RFC 7636 §4.4.1): S256 only; required of public clients and of those that say so.
fn code_challenge(client: &Client, params: &Params) -> Result<Option<String>, OAuthError> {
    let invalid = |text: &str| Err(OAuthError::new(ErrorCode::InvalidRequest, text));
    let challenge = params.one("code_challenge").ok().flatten();
    let method = params.one("code_challenge_method").ok().flatten();
    match (challenge, method) {
        (None, None) if client.pkce_required => {
            invalid("code_challenge is missing: switch on PKCE with S256 in the app (RFC 7636)")
        }
        (None, None) => Ok(None),
        (None, Some(_)) => invalid("code_challenge_method came without code_challenge"),
        (Some(_), None | Some("plain")) => {
            invalid("code_challenge_method must be S256: switch the app from plain to S256")
        }
        (Some(challenge), Some("S256")) => {
            if is_sha256(challenge) {
                Ok(Some(challenge.to_owned()))
            } else {
                invalid("code_challenge must be 43 characters of base64url")
            }
        }
        (Some(_), Some(_)) => invalid("code_challenge_method must be S256"),
    }
}

/// Whether it has the form of a SHA-256 hash in base64url.
fn is_sha256(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// RFC 8707 §2: what a token may be for.
fn resources(snapshot: &Snapshot, client: &Client, params: &Params) -> Result<Vec<String>, OAuthError> {
    params
        .all("resource")
        .into_iter()
        .map(|uri| {
            let allowed = snapshot.resource(&uri).is_some_and(|resource| resource.clients.contains(&client.key));
            if allowed {
                Ok(uri)
            } else {
                Err(OAuthError::new(ErrorCode::InvalidTarget, "this client may not ask for that resource"))
            }
        })
        .collect()
}
