//! The page that shows the configuration, with the line that decided lit.

use std::collections::HashMap;
use std::sync::PoisonError;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::dev::demo::model::Shared;
use crate::dev::render::{not_found, page};
use crate::dev::setting::BUILT_IN;
use crate::pages;
use crate::web::respond;

pub(super) async fn file(
    State(demo): Shared,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let files = demo.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let named = query.get("name").filter(|name| !name.is_empty());
    let found = files.iter().find(|(name, _)| named.is_none_or(|named| named == name));
    let Some((name, lines)) = found else { return not_found(&demo.pages) };
    let lit: Option<usize> = query.get("line").and_then(|line| line.parse().ok());
    let line = |(index, text): (usize, &String)| {
        let number = index + 1;
        pages::DemoLine { number, text: text.clone(), lit: lit == Some(number) }
    };
    let path = |name: &str| {
        format!("/file?{}", url::form_urlencoded::Serializer::new(String::new()).append_pair("name", name).finish())
    };
    let others = files.iter().filter(|(other, _)| other != name);
    let view = pages::DemoFile {
        nav: demo.nav("file", &headers),
        name: name.clone(),
        others: others.map(|(name, _)| pages::DemoApp { name: name.clone(), path: path(name) }).collect(),
        lines: lines.iter().enumerate().map(line).collect(),
        on_disk: demo.file.is_some(),
        raw_path: demo.file.is_none().then_some("/broker.toml"),
    };
    page(&demo.pages, StatusCode::OK, &view, &[])
}

/// The built-in file, to be saved.
pub(super) async fn raw(State(demo): Shared) -> Response {
    match demo.file {
        None => respond::download("broker.toml", BUILT_IN.to_owned()),
        Some(_) => not_found(&demo.pages),
    }
}
