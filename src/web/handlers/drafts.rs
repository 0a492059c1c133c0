//! The pages of drafts, below `/console/draft`: GET shows the form, POST what the change would be, or its patch.

use axum::http::StatusCode;
use axum::response::Response;

use crate::analysis::draft::Kind;
use crate::op::draft;
use crate::op::draft::{Opened, Submitted};
use crate::op::error::PageError;
use crate::pages::View;
use crate::web::console::Desk;
use crate::web::console::drafts::{Request, Typed, patch_name};
use crate::web::exchange::Exchange;
use crate::web::respond;

/// The field by which a form says what it wants: `patch` or `again`; otherwise the change.
const AS: &str = "as";

/// Serves a draft of this kind, whose path is `page`.
pub(crate) async fn serve(exchange: &Exchange<'_>, page: &'static str, kind: Kind, posted: bool) -> Response {
    let query = &exchange.incoming.query;
    let id = query.text("id").filter(|id| id.len() <= 2048).map(str::to_owned);
    let preset = query.text("preset").map(str::to_owned);
    let request = Request { kind, id, delete: query.text("delete").is_some(), page, preset };
    let served = if posted { submit(exchange, &request).await } else { show(exchange, &request).await };
    served.unwrap_or_else(|response| response)
}

fn write<V: View>(exchange: &Exchange<'_>, built: Result<V, PageError>) -> Response {
    match built {
        Ok(view) => exchange.page(StatusCode::OK, &view),
        Err(failure) => exchange.error(&failure),
    }
}

async fn open(exchange: &Exchange<'_>, request: &Request) -> Result<Opened, Response> {
    let opened = draft::open(&exchange.context, request.kind, request.id.as_deref()).await;
    opened.map_err(|failure| exchange.error(&failure))
}

async fn show(exchange: &Exchange<'_>, request: &Request) -> Result<Response, Response> {
    let desk = Desk::open(exchange, &request.path()).await?;
    let opened = open(exchange, request).await?;
    Ok(write(exchange, desk.draft_form(request, &opened, None, &[], None)))
}

async fn submit(exchange: &Exchange<'_>, request: &Request) -> Result<Response, Response> {
    let (operator, form) = exchange.poster(&request.path()).await?;
    let desk = Desk::of(exchange, operator).await?;
    let typed = Typed::of(request.kind, &form);
    let opened = open(exchange, request).await?;
    let wanted = form.text(AS);
    if wanted == Some("again") {
        return Ok(write(exchange, desk.draft_form(request, &opened, Some(&typed), &[], None)));
    }
    let mut sent = desk.draft(request, &opened, &typed);
    // Whoever downloads the patch has seen what the provider answered.
    sent.probe &= wanted != Some("patch");
    let (action, id) = (sent.draft.action.clone(), sent.draft.id().to_owned());
    let found = match draft::submit(&exchange.context, sent).await.map_err(|failure| exchange.error(&failure))? {
        Submitted::Correct(opened, faults) => {
            return Ok(write(exchange, desk.draft_form(request, &opened, Some(&typed), &faults, None)));
        }
        Submitted::Impossible(opened, why) => {
            return Ok(write(exchange, desk.draft_form(request, &opened, Some(&typed), &[], Some(why))));
        }
        Submitted::Drafted(found) => found,
    };
    match (wanted, &found.difference.patch) {
        (Some("patch"), Some(patch)) => Ok(respond::download(&patch_name(request.kind, &id), patch.clone())),
        _ => Ok(write(exchange, desk.draft_result(request, (&action, &id), &typed, *found))),
    }
}
