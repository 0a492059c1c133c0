//! The demo app's first page: who one can be, and the switch that breaks a provider.

use std::collections::HashMap;

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use url::form_urlencoded::byte_serialize;

use crate::dev::demo::model::{Shared, apps};
use crate::dev::idp::fault::Fault;
use crate::dev::personas::personas;
use crate::dev::render::page;
use crate::pages;
use crate::web::respond;

pub(super) async fn home(State(demo): Shared, headers: HeaderMap) -> Response {
    let snapshot = demo.broker.snapshot().load_full();
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let provider = |(id, name): (&String, &str)| pages::DemoFault {
        id: id.clone(),
        name: name.to_owned(),
        now: demo.faults.of(id).map(Fault::name),
        ways: Fault::ALL.map(Fault::name).to_vec(),
    };
    let apps = apps(&snapshot.config)
        .into_iter()
        .map(|(key, name)| pages::DemoApp { name, path: format!("/start?client={}", encoded(&key)) });
    let people = personas(&snapshot.config).into_iter().map(|persona| {
        let path = format!("/start?persona={}", encoded(&persona.id));
        persona.view(Some(path))
    });
    let providers = snapshot.resolved.providers.iter().map(|(id, resolved)| (id, resolved.name.as_str()));
    let view = pages::DemoHome {
        nav: demo.nav("home", &headers),
        issuer: snapshot.config.issuer.clone(),
        apps: apps.collect(),
        personas: people.collect(),
        providers: providers.map(provider).collect(),
        switch: pages::PostForm { action: "/break".to_owned(), csrf: demo.csrf.clone(), fields: Vec::new() },
    };
    page(&demo.pages, StatusCode::OK, &view, &[])
}

/// Breaks a provider, or repairs it.
pub(super) async fn set_fault(State(demo): Shared, Form(form): Form<HashMap<String, String>>) -> Response {
    let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    // Another site must not press the switch.
    if text(pages::CSRF_FIELD) != demo.csrf {
        return respond::empty(StatusCode::FORBIDDEN);
    }
    if demo.broker.snapshot().load().providers.contains_key(text("provider")) {
        demo.faults.set(text("provider"), text("fault"));
    }
    respond::see_other(&demo.url("/"))
}
