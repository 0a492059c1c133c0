//! The checks of an authorization request, one function each. [`super`] sets their order.

use serde_json::Value;

use crate::excerpt;
use crate::op::RequestContext;
use crate::op::authorize::request::form::AuthorizationForm;
use crate::op::authorize::request::model::Prompt;
use crate::op::entitlement;
use crate::op::error::OAuthError;
use crate::op::hint;
use crate::op::params::LONGEST_STATE;
use crate::protocol::{ErrorCode, ResponseType};
use crate::snapshot::client::Client;

fn invalid(text: impl Into<String>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, text)
}

/// RFC 6749 §3.1: no parameter more than once.
pub(super) fn repetition(form: &AuthorizationForm) -> Result<(), OAuthError> {
    match form.repeated.first() {
        Some(duplicate) => Err(duplicate.clone().into()),
        None => Ok(()),
    }
}

/// What is stored of a request while the user is away has bounded values: a kibibyte each, and four for what apps make
/// themselves and get back (`state`) or what lists many things (`claims`).
pub(super) fn lengths(form: &AuthorizationForm) -> Result<(), OAuthError> {
    for (name, value, most) in [
        ("state", &form.state, LONGEST_STATE),
        ("claims", &form.claims, LONGEST_STATE),
        ("nonce", &form.nonce, excerpt::LONGEST),
        ("login_hint", &form.login_hint, excerpt::LONGEST),
        ("ui_locales", &form.ui_locales, excerpt::LONGEST),
        ("acr_values", &form.acr_values, excerpt::LONGEST),
        ("provider", &form.provider, excerpt::LONGEST),
    ] {
        if value.as_ref().is_some_and(|value| value.len() > most) {
            return Err(invalid(format!("{name} must be at most {most} bytes long")));
        }
    }
    Ok(())
}

/// Inline registration is not supported; discovery says so, and so does the error (OIDC Core §7.2.1).
pub(super) fn registration(form: &AuthorizationForm) -> Result<(), OAuthError> {
    if form.registration.is_none() {
        return Ok(());
    }
    let text = "registration is not supported; declare the client in the broker's file";
    Err(OAuthError::new(ErrorCode::RegistrationNotSupported, text))
}

/// OAuth 2.0 Multiple Response Types §2.1.
pub(super) fn response_mode(form: &AuthorizationForm) -> Result<(), OAuthError> {
    match form.response_mode.as_deref() {
        None | Some("query" | "fragment" | "form_post") => Ok(()),
        Some(_) => Err(invalid("response_mode must be query, fragment or form_post")),
    }
}

/// RFC 6749 §3.1.1, OIDC Registration §2: one of those that the client declares.
pub(super) fn response_type(client: &Client, form: &AuthorizationForm) -> Result<ResponseType, OAuthError> {
    let Some(asked) = form.response_type.as_deref() else {
        return Err(invalid("response_type is missing; send response_type=code"));
    };
    match ResponseType::parse(asked) {
        Some(response_type) => may_ask_for(client, response_type).map(|()| response_type),
        None => {
            let text = "response_type must be code, or another that discovery lists and the client declares";
            Err(OAuthError::new(ErrorCode::UnsupportedResponseType, text))
        }
    }
}

/// RFC 6749 §4.1.2.1: the client declares the response type. Asked again when the answer is made, because a reload may
/// have changed it.
///
/// # Errors
/// `unauthorized_client`.
pub fn may_ask_for(client: &Client, response_type: ResponseType) -> Result<(), OAuthError> {
    if client.may_ask_for(response_type) {
        return Ok(());
    }
    let name = response_type.name();
    let text = format!("this client may not use response_type={name}; see its response_types and grant_types");
    Err(OAuthError::new(ErrorCode::UnauthorizedClient, text))
}

/// The scopes asked for that the client may have; the others are left out (RFC 6749 §3.3: the response says what was
/// granted). `offline_access` is left out where no code is issued (OIDC Core §11).
pub(super) fn scopes(client: &Client, form: &AuthorizationForm, response_type: ResponseType) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    let usable = |scope: &&str| response_type.has_code() || *scope != "offline_access";
    for scope in form.scope.as_deref().unwrap_or_default().split_ascii_whitespace().filter(usable) {
        if client.scopes.iter().any(|allowed| allowed == scope) && !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    scopes
}

/// What tokens of the authorization endpoint need (OIDC Core §3.2.2.1, §3.3.2.11).
pub(super) fn front_channel(
    form: &AuthorizationForm,
    response_type: ResponseType,
    scopes: &[String],
) -> Result<(), OAuthError> {
    let name = response_type.name();
    if response_type != ResponseType::Code && form.response_mode.as_deref() == Some("query") {
        let text = format!("response_mode=query can't carry response_type={name}: leave it out, or send form_post");
        return Err(invalid(text));
    }
    if response_type.has_id_token() && !scopes.iter().any(|scope| scope == "openid") {
        let text = format!("response_type={name} needs the scope openid, in the request and among the client's scopes");
        return Err(OAuthError::new(ErrorCode::InvalidScope, text));
    }
    if response_type.has_id_token() && form.nonce.is_none() {
        let text = format!("nonce is missing: response_type={name} needs one (OIDC Core 3.2.2.1, 3.3.2.11)");
        return Err(invalid(text));
    }
    Ok(())
}

/// `prompt` (OIDC Core §3.1.2.1).
pub(super) fn prompt(form: &AuthorizationForm) -> Result<Prompt, OAuthError> {
    let mut prompt = Prompt::default();
    let mut words = 0;
    for word in form.prompt.as_deref().unwrap_or_default().split_ascii_whitespace() {
        words += 1;
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => return Err(invalid("prompt must be none, or any of login, consent, select_account")),
        }
    }
    if prompt.none && words > 1 {
        return Err(invalid("prompt=none can't be combined (OIDC Core 3.1.2.1)"));
    }
    Ok(prompt)
}

/// `max_age` in seconds (OIDC Core §3.1.2.1), the client's default where the request has none (OIDC Registration §2).
pub(super) fn max_age(client: &Client, form: &AuthorizationForm) -> Result<Option<i64>, OAuthError> {
    let Some(age) = form.max_age.as_deref() else { return Ok(client.default_max_age) };
    match age.parse::<i64>() {
        Ok(age) if age >= 0 => Ok(Some(age)),
        _ => Err(invalid("max_age must be a whole number of seconds, 0 or more")),
    }
}

/// PKCE (RFC 7636 §4.4.1): S256 only; required of public clients and of those that say so.
pub(super) fn code_challenge(client: &Client, form: &AuthorizationForm) -> Result<Option<String>, OAuthError> {
    match (form.code_challenge.as_deref(), form.code_challenge_method.as_deref()) {
        (None, None) if client.pkce_required => {
            Err(invalid("code_challenge is missing: switch on PKCE with S256 in the app (RFC 7636)"))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => Err(invalid("code_challenge_method came without code_challenge")),
        (Some(_), None | Some("plain")) => {
            Err(invalid("code_challenge_method must be S256: switch the app from plain to S256"))
        }
        (Some(challenge), Some("S256")) if is_sha256(challenge) => Ok(Some(challenge.to_owned())),
        (Some(_), Some("S256")) => Err(invalid("code_challenge must be 43 characters of base64url")),
        (Some(_), Some(_)) => Err(invalid("code_challenge_method must be S256")),
    }
}

/// The thumbprint of the key that the code is to be bound to (RFC 9449 §10).
pub(super) fn dpop_key(form: &AuthorizationForm) -> Result<(), OAuthError> {
    if form.dpop_jkt.as_deref().is_none_or(is_sha256) {
        return Ok(());
    }
    Err(invalid("dpop_jkt must be 43 characters of base64url (RFC 9449 10)"))
}

/// Whether it has the form of a SHA-256 hash in base64url.
fn is_sha256(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The subject of `id_token_hint`, an ID token of this issuer, expired or not (OIDC Core §3.1.2.1).
pub(super) fn hinted_sub(context: &RequestContext<'_>, form: &AuthorizationForm) -> Result<Option<String>, OAuthError> {
    let Some(token) = form.id_token_hint.as_deref() else { return Ok(None) };
    let claims = hint::verify(context, token);
    let sub = claims.as_ref().and_then(|claims| claims.get("sub")).and_then(Value::as_str);
    match sub {
        Some(sub) => Ok(Some(sub.to_owned())),
        None => Err(invalid("id_token_hint is not an ID token of this issuer")),
    }
}

/// The `claims` parameter (OIDC Core §5.5).
pub(super) fn claims(form: &AuthorizationForm) -> Result<Option<Value>, OAuthError> {
    let Some(text) = form.claims.as_deref() else { return Ok(None) };
    match serde_json::from_str::<Value>(text) {
        Ok(claims) if claims.is_object() => Ok(Some(claims)),
        _ => Err(invalid("claims must be a JSON object (OIDC Core 5.5)")),
    }
}

/// The `sub` that the `claims` parameter asks for by value: the user who is signed in must be that one, as with a hint
/// (OIDC Core §5.5.1).
pub(super) fn wanted_sub(claims: &Value) -> Option<String> {
    let wanted = |member: &str| claims.get(member)?.get("sub")?.get("value")?.as_str();
    wanted("id_token").or_else(|| wanted("userinfo")).map(str::to_owned)
}

/// The values of an essential `acr` in the `claims` parameter (OIDC Core §5.5.1.1).
pub(super) fn essential_acr(claims: &Value) -> Vec<String> {
    let asked = claims.get("id_token").and_then(|member| member.get("acr"));
    let essential = asked.and_then(|asked| asked.get("essential")).and_then(Value::as_bool) == Some(true);
    if essential { claimed_acr(claims) } else { Vec::new() }
}

/// The values of `acr` in the `claims` parameter, essential or not.
fn claimed_acr(claims: &Value) -> Vec<String> {
    let Some(asked) = claims.get("id_token").and_then(|member| member.get("acr")) else { return Vec::new() };
    let many = asked.get("values").and_then(Value::as_array).into_iter().flatten();
    many.chain(asked.get("value")).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `acr_values`: those of the `claims` parameter and the request's, or the client's default (OIDC Core §3.1.2.1, §5.5.1.1,
/// OIDC Registration §2).
pub(super) fn acr_values(client: &Client, form: &AuthorizationForm, claims: Option<&Value>) -> Option<String> {
    let mut values = claims.map(claimed_acr).unwrap_or_default();
    for value in form.acr_values.as_deref().unwrap_or_default().split_ascii_whitespace() {
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    let values = if values.is_empty() { &client.default_acr_values } else { &values };
    (!values.is_empty()).then(|| values.join(" "))
}

/// The resources that a token may be for (RFC 8707 §2).
pub(super) fn resources(
    context: &RequestContext<'_>,
    client: &Client,
    form: &AuthorizationForm,
) -> Result<(), OAuthError> {
    if form.resources.iter().all(|uri| entitlement::may_reach(context, client, uri)) {
        return Ok(());
    }
    Err(OAuthError::new(ErrorCode::InvalidTarget, "this client may not ask for that resource"))
}
