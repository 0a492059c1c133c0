//! `[providers.X.signals]`: each by itself. Which paths are taken is checked in [`paths`](super::paths).

use crate::config::check::context::Context;
use crate::config::check::urls;
use crate::config::check::urls::Http;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::provider::Provider;

pub(crate) fn check(context: &mut Context<'_>, at: &At<'_>, provider: &Provider, http: Http) {
    let Some(signals) = &provider.signals else { return };
    let at = at.key("signals");
    let is_name = |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    if let Some(issuer) = signals.issuer.as_deref().filter(|issuer| !is_name(issuer)) {
        context.must(&at.key("issuer"), "the `iss` of its security event tokens", quote(issuer));
    }
    if let Some(url) = &signals.jwks_uri
        && let Err(expected) = urls::web_url(url, http)
    {
        context.must(&at.key("jwks_uri"), expected, quote(url));
    }
    if let Some(audience) = &signals.audience {
        let here = at.key("audience");
        match audience.as_slice().iter().find(|audience| !is_name(audience)) {
            Some(wrong) => context.must(&here, "the `aud` of its security event tokens", quote(wrong)),
            None if audience.as_slice().is_empty() => {
                context.must_or(&here, "at least one value", "empty", Some("leave it out for `client_id`".to_owned()));
            }
            None => context.no_duplicates(&here, audience.as_slice(), Clone::clone),
        }
    }
    if let Some(path) = &signals.path
        && let Err(expected) = urls::path(path)
    {
        context.must(&at.key("path"), expected, quote(path));
    }
    if let Some(events) = &signals.events {
        let here = at.key("events");
        if events.is_empty() {
            let way_out = "leave out `signals` where no event is wanted";
            context.must_or(&here, "a list of at least one event", "empty", Some(way_out.to_owned()));
        }
        context.no_duplicates(&here, events, |event| event.name().to_owned());
    }
}
