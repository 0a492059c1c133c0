//! Signing in at the broker with the code flow and PKCE, refreshing, and signing out.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::config::language::provider::Reauth;
use crate::dev::demo::model::{COOKIE, Demo, Pending, Shared, apps};
use crate::dev::demo::shown;
use crate::dev::personas::{Persona, persona};
use crate::digest::sha256_base64url;
use crate::snapshot::Snapshot;
use crate::web::respond;

/// Starts a sign-in: as the persona that the address names, or by the sign-in page.
pub(super) async fn start(State(demo): Shared, Query(query): Query<HashMap<String, String>>) -> Response {
    let snapshot = demo.broker.snapshot().load_full();
    let person = query.get("persona").and_then(|id| persona(&snapshot.config, id));
    let named = query.get("client").cloned().or_else(|| person.as_ref()?.client.clone());
    let known = apps(&snapshot.config);
    let is_known = |key: &String| known.iter().any(|(known, _)| known == key);
    let Some(client) = named.filter(is_known).or_else(|| Some(known.first()?.0.clone())) else {
        return respond::see_other(&demo.url("/"));
    };
    match authorization_request(&demo, &snapshot, &client, person.as_ref()) {
        Some(url) => respond::see_other(&url),
        None => respond::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The address of the authorization request, which is remembered. `None` if the generator is not available.
pub fn authorization_request(
    demo: &Demo,
    snapshot: &Snapshot,
    client: &str,
    person: Option<&Persona>,
) -> Option<String> {
    let declared = snapshot.config.clients.get(client)?;
    let (state, verifier) = (demo.random.secret().ok()?, demo.random.secret().ok()?);
    let scopes = snapshot.policy.clients.get(client).map(|client| client.scopes.clone()).unwrap_or_default();
    // A refresh token comes without it too, and with it the broker would ask for consent.
    let scopes: Vec<String> = scopes.into_iter().filter(|scope| scope != "offline_access").collect();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("client_id", declared.client_id.as_deref().unwrap_or(client))
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", &demo.setting.callback())
        .append_pair("scope", &scopes.join(" "))
        .append_pair("state", &state)
        .append_pair("code_challenge", &sha256_base64url(verifier.as_bytes()))
        .append_pair("code_challenge_method", "S256");
    if let Some(person) = person {
        query.append_pair("provider", &person.provider).append_pair("login_hint", &person.id);
        // Somebody else may be signed in at the broker.
        let provider = snapshot.config.providers.get(&person.provider);
        if provider.is_some_and(|provider| provider.reauth != Reauth::Unsupported) {
            query.append_pair("prompt", "login");
        }
    }
    let endpoint = format!("{}{}", snapshot.config.issuer, snapshot.config.endpoints.authorization);
    let persona = person.map(|person| person.id.clone());
    demo.pending().insert(state, Pending { client: client.to_owned(), verifier, persona });
    Some(format!("{endpoint}?{}", query.finish()))
}

/// Receives the authorization response.
pub(super) async fn callback(
    State(demo): Shared,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let pending = demo.pending().remove(text("state"));
    let (Some(pending), Some(code)) = (pending.clone(), query.get("code")) else {
        let error = if text("error").is_empty() { "invalid_request" } else { text("error") };
        let pending = pending.unwrap_or_default();
        return shown::refused(&demo, &headers, &pending, error, text("error_description")).await;
    };
    let redirect_uri = demo.setting.callback();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", pending.verifier.as_str()),
    ];
    let Ok(id) = demo.random.secret() else { return respond::empty(StatusCode::INTERNAL_SERVER_ERROR) };
    exchange(&demo, &headers, &id, &pending, &form).await
}

pub(super) async fn refresh(State(demo): Shared, headers: HeaderMap) -> Response {
    let Some((id, tokens)) = demo.session(&headers) else { return respond::see_other(&demo.url("/")) };
    let Some(token) = &tokens.refresh_token else { return respond::see_other(&demo.url("/tokens")) };
    let pending = Pending { client: tokens.client.clone(), ..Pending::default() };
    exchange(&demo, &headers, &id, &pending, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

/// Calls the token endpoint and userinfo, and stores the results in the session.
async fn exchange(demo: &Demo, headers: &HeaderMap, id: &str, pending: &Pending, form: &[(&str, &str)]) -> Response {
    match demo.tokens(&pending.client, form).await {
        Ok(tokens) => {
            demo.sessions().insert(id.to_owned(), tokens);
            let mut response = respond::see_other(&demo.url("/tokens"));
            let cookie = format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax");
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(header::SET_COOKIE, value);
            }
            response
        }
        Err(error) => {
            let answer: HashMap<String, String> = serde_json::from_str(&error).unwrap_or_default();
            let code = answer.get("error").cloned().unwrap_or_else(|| "server_error".to_owned());
            let description = answer.get("error_description").cloned().unwrap_or(error);
            shown::refused(demo, headers, pending, &code, &description).await
        }
    }
}

pub(super) async fn sign_out(State(demo): Shared, headers: HeaderMap) -> Response {
    let Some((id, tokens)) = demo.session(&headers) else { return respond::see_other(&demo.url("/")) };
    demo.sessions().remove(&id);
    let snapshot = demo.broker.snapshot().load_full();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("id_token_hint", &tokens.id_token)
        .append_pair("post_logout_redirect_uri", &demo.url("/"))
        .finish();
    respond::see_other(&format!("{}{}?{query}", snapshot.config.issuer, snapshot.config.endpoints.end_session))
}
