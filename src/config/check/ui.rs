//! `[ui]`: what can be checked without the pages. Texts and templates are checked where they are compiled.

use crate::config::check::context::Context;
use crate::config::check::urls::{Http, web_url};
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;

/// Checks the section.
pub(crate) fn check(context: &mut Context<'_>) {
    let section = At::Root.key("ui");
    if let Some(uri) = &context.config.ui.logo_uri
        && let Err(expected) = web_url(uri, Http::Loopback)
    {
        context.must(&section.key("logo_uri"), expected, quote(uri));
    }
}
