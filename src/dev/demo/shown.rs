//! The pages after a sign-in: the tokens with the decision, or the refusal with its reason.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;
use url::Url;

use crate::decision::trace::Source;
use crate::dev::demo::model::{Demo, Pending, Shared, claims};
use crate::dev::personas::persona;
use crate::dev::render::page;
use crate::dev::why::{self, Why, WhyStep};
use crate::pages;
use crate::pages::{Obstacle, ReadRow, TraceLine, UnmatchedRow};
use crate::web::respond;

/// The tokens of this browser, and why they are as they are.
pub(super) async fn tokens(State(demo): Shared, headers: HeaderMap) -> Response {
    let Some((_, tokens)) = demo.session(&headers) else { return respond::see_other(&demo.url("/")) };
    let form = |action: &str| pages::PostForm { action: action.to_owned(), csrf: String::new(), fields: Vec::new() };
    let id_token = claims(&tokens.id_token);
    let sid = id_token.get("sid").and_then(Value::as_str).unwrap_or_default();
    let why = why::admitted(&demo.broker, sid, &tokens.client).await.unwrap_or_default();
    let view = pages::DemoTokens {
        nav: demo.nav("tokens", &headers),
        user_name: tokens.user_name(),
        access_token: claims(&tokens.access_token),
        userinfo: tokens.userinfo.clone(),
        steps: steps(why.steps),
        unmatched: why.unmatched.into_iter().map(UnmatchedRow::from).collect(),
        refused: why.refused,
        proposal: why.proposal,
        refresh: tokens.refresh_token.is_some().then(|| form("/refresh")),
        sign_out: form("/sign-out"),
        id_token,
    };
    // Signing out leads over the broker to the providers and back.
    let ends = [&demo.setting.broker, &demo.setting.idp].into_iter().filter_map(|url| Url::parse(url).ok());
    page(&demo.pages, StatusCode::OK, &view, &ends.collect::<Vec<_>>())
}

/// A sign-in that ended without tokens: with the decision, by the trace id in the description.
pub(super) async fn refused(
    demo: &Demo,
    headers: &HeaderMap,
    pending: &Pending,
    error: &str,
    description: &str,
) -> Response {
    let snapshot = demo.broker.snapshot().load_full();
    let person = pending.persona.as_deref().and_then(|id| persona(&snapshot.config, id));
    let trace_id = trace_id(description);
    let why = match trace_id {
        Some(id) => why::refused(&demo.broker, id, person.as_ref().map(|person| &person.claims)).await,
        None => None,
    };
    let Why { refused, steps: mut decided, refused_by, failure, proposal, .. } = why.unwrap_or_default();
    // What refused is shown by itself.
    if let Some(last) = decided.last_mut().filter(|_| refused_by.is_some()) {
        last.reading = None;
    }
    let again = pending.persona.as_ref().map_or(("client", &pending.client), |id| ("persona", id));
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(again.0, again.1).finish();
    let view = pages::DemoRefused {
        nav: demo.nav("refused", headers),
        reason_code: refused.unwrap_or_else(|| error.to_owned()),
        description: description.to_owned(),
        trace_id: trace_id.map(str::to_owned),
        steps: steps(decided),
        refused_by: refused_by.map(Obstacle::from),
        failure,
        proposal,
        again_path: format!("/start?{query}"),
    };
    page(&demo.pages, StatusCode::OK, &view, &[])
}

/// The trace id that the broker quotes at the end of a description: `… (not_allowed, trace 4K7…)`.
fn trace_id(description: &str) -> Option<&str> {
    let (_, id) = description.strip_suffix(')')?.rsplit_once("trace ")?;
    Some(id.trim()).filter(|id| !id.is_empty())
}

fn steps(steps: Vec<WhyStep>) -> Vec<pages::DemoStep> {
    let step = |WhyStep { step, reading }: WhyStep| pages::DemoStep {
        path: step.source.as_ref().and_then(line_path),
        line: TraceLine {
            stage: step.stage.name().to_owned(),
            text: step.text.to_string(),
            place: step.source.as_ref().map(ToString::to_string),
        },
        result: reading.as_ref().and_then(|reading| reading.result.as_ref()).map(ToString::to_string),
        condition: reading.map(|reading| Obstacle {
            expression: reading.expression,
            values: reading.values.into_iter().map(ReadRow::from).collect(),
            near_misses: Vec::new(),
        }),
    };
    steps.into_iter().map(step).collect()
}

/// The page of the file with this line highlighted.
fn line_path(source: &Source) -> Option<String> {
    let line = source.line.to_string();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("name", &source.file)
        .append_pair("line", &line)
        .finish();
    (source.line > 0).then(|| format!("/file?{query}#L{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_id_is_at_the_end_of_the_description() {
        assert_eq!(trace_id("You don't have access. (not_allowed, trace 4k7abc)"), Some("4k7abc"));
        assert_eq!(trace_id("(no trace here"), None);
        assert_eq!(trace_id(""), None);
    }
}
