//! The sign-in page of a simulated provider, and signing out.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use url::Url;

use crate::dev::idp::model::{Idp, Issued, Shared};
use crate::dev::idp::shape::Shape;
use crate::dev::personas::{persona, personas};
use crate::dev::render::{not_found, page};
use crate::pages;
use crate::snapshot::Snapshot;
use crate::web::respond;

/// The page's form: the parameters of the request, and the chosen person.
pub(super) async fn pick(state: Shared, path: Path<String>, body: Bytes) -> Response {
    let form = url::form_urlencoded::parse(&body).into_owned().collect();
    authorize(state, path, Query(form)).await
}

/// Shows the people, or signs in the one who is chosen, or whom the app's `login_hint` names.
pub(super) async fn authorize(
    State(idp): Shared,
    Path(provider): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let snapshot = idp.snapshot.load_full();
    let redirect_uri = snapshot.providers.get(&provider).map(|settings| settings.redirect_uri.as_str());
    let Some(redirect_uri) = redirect_uri.filter(|uri| *uri == text("redirect_uri")) else {
        return not_found(&idp.pages);
    };
    let answer = |with: &[(&str, &str)]| {
        let mut answer = url::form_urlencoded::Serializer::new(String::new());
        answer.extend_pairs(with).append_pair("state", text("state"));
        let shape = snapshot.config.providers.get(&provider).map(|declared| Shape::of(declared.preset));
        answer.append_pair("iss", &shape.map(|shape| idp.issuer(&provider, shape)).unwrap_or_default());
        respond::see_other(&format!("{redirect_uri}?{}", answer.finish()))
    };
    if text("prompt").split(' ').any(|prompt| prompt == "none") {
        return answer(&[("error", "login_required")]);
    }
    let chosen = [text("persona"), text("login_hint")].into_iter().find_map(|id| persona(&snapshot.config, id));
    let Some(person) = chosen.filter(|person| person.provider == provider) else {
        return idp.picker(&snapshot, &provider, &query);
    };
    let Ok(code) = idp.random.secret() else { return respond::empty(StatusCode::INTERNAL_SERVER_ERROR) };
    let issued = Issued {
        provider: provider.clone(),
        persona: person.id,
        nonce: query.get("nonce").cloned(),
        offline: text("scope").split(' ').any(|scope| scope == "offline_access"),
    };
    idp.remember(&code, issued);
    answer(&[("code", &code)])
}

impl Idp {
    /// The page on which a person is chosen.
    fn picker(&self, snapshot: &Snapshot, provider: &str, query: &HashMap<String, String>) -> Response {
        let everyone = personas(&snapshot.config).into_iter().filter(|persona| persona.provider == provider);
        let fields = query.iter().filter(|(name, _)| *name != "persona" && *name != "login_hint");
        let view = pages::PersonaPicker {
            provider_name: snapshot.provider_name(provider).to_owned(),
            personas: everyone.map(|persona| persona.view(None)).collect(),
            action: format!("/{provider}/authorize"),
            fields: fields.map(|(name, value)| pages::Field::new(name, value)).collect(),
        };
        let ends = [self.setting.broker.as_str(), self.setting.app.as_str()];
        let targets: Vec<Url> = ends.into_iter().filter_map(|uri| Url::parse(uri).ok()).collect();
        page(&self.pages, StatusCode::OK, &view, &targets)
    }
}

/// Signs out, which means nothing here, and goes back to the broker.
pub(super) async fn logout(State(idp): Shared, Query(query): Query<HashMap<String, String>>) -> Response {
    let back = query.get("post_logout_redirect_uri").filter(|uri| uri.starts_with(&format!("{}/", idp.setting.broker)));
    match (back, query.get("state")) {
        (Some(uri), Some(state)) => {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
            respond::see_other(&format!("{uri}?{query}"))
        }
        (Some(uri), None) => respond::see_other(uri),
        _ => {
            let view = pages::SignedOut { client_name: None, back_uri: None, frames: Vec::new(), ended: true };
            page(&idp.pages, StatusCode::OK, &view, &[])
        }
    }
}
