//! The paths of one configuration: what each leads to, and which are claimed twice. `check` reports conflicts; the router looks
//! up paths in the table built from the same claims, so what `check` accepts is what is served.
//!
//! Requested paths are compared octet for octet, without handling of dot segments, case or doubled slashes. Only claims are
//! compared in the normalised form of RFC 3986 §6.2.2, because a proxy may rewrite `%74oken` to `token`.

use std::collections::HashMap;

use url::Url;

use crate::config::Config;
use crate::config::check::context::Context;
use crate::config::check::urls;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::provider::Provider;
use crate::config::resolved::Resolved;
use crate::protocol::console_paths::ConsolePage;
use crate::protocol::own_paths::AccountPage;
use crate::protocol::paths::{
    BACKCHANNEL_LOGOUT, BREAK_GLASS, CALLBACK, CALLBACKS, CLIENT_JWKS, Endpoint, FRONTCHANNEL_LOGOUT, LOGOUT_CALLBACK,
    OAUTH_METADATA, OPENID_CONFIGURATION, Page, RESERVED, Reserved, SIGNALS, SIGNALS_BELOW, STATIC,
};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The discovery document.
    Discovery,
    /// The broker's public keys as a client of its providers.
    ClientJwks,
    /// An endpoint.
    Endpoint(Endpoint),
    /// A page or its form.
    Page(Page),
    /// The page of the break-glass account.
    BreakGlass,
    /// The callback of these providers.
    Callback(Vec<String>),
    /// The return from a provider's logout.
    LogoutCallback(String),
    /// Where a provider sends its logout tokens.
    BackchannelLogout(String),
    /// What a provider loads in a frame when somebody signs out there.
    FrontchannelLogout(String),
    /// Where a provider posts security events.
    Signals(String),
    /// A page of the visitor's account.
    Account(AccountPage),
    /// A page of the operators' console.
    Console(ConsolePage),
    /// A static file.
    Static,
}

/// All served paths, in full, including the issuer's path.
#[derive(Clone, Debug)]
pub struct Paths {
    routes: HashMap<String, Route>,
    /// The prefix of the paths of static files.
    files: String,
    /// Before the id of a decision, where there is a console.
    traces: Option<String>,
}

impl Paths {
    /// The paths of a configuration that passed the check.
    #[must_use]
    pub fn of(config: &Config, resolved: &Resolved) -> Self {
        let base = base(config);
        let below = |path: &str| format!("{base}{path}");
        let mut routes = HashMap::from([
            (below(OPENID_CONFIGURATION), Route::Discovery),
            (format!("{OAUTH_METADATA}{base}"), Route::Discovery),
            (below(CLIENT_JWKS), Route::ClientJwks),
            // The issuer's own path, with and without a trailing slash.
            (base.clone(), Route::Page(Page::Home)),
        ]);
        routes.extend(Page::ALL.map(|page| (below(page.path()), Route::Page(page))));
        if config.account.is_some() {
            routes.extend(AccountPage::ALL.map(|page| (below(page.path()), Route::Account(page))));
        }
        let console = config.console.is_some();
        if console {
            routes.extend(ConsolePage::ALL.map(|page| (below(page.path()), Route::Console(page))));
        }
        for endpoint in Endpoint::ALL.into_iter().filter(|endpoint| endpoint.is_served()) {
            routes.insert(below(config.endpoints.path(endpoint)), Route::Endpoint(endpoint));
        }
        if let Some(account) = &resolved.break_glass {
            routes.insert(below(&account.path), Route::BreakGlass);
        }
        for (id, provider) in &resolved.providers {
            routes.insert(below(&format!("{LOGOUT_CALLBACK}{id}")), Route::LogoutCallback(id.clone()));
            routes.insert(below(&format!("{BACKCHANNEL_LOGOUT}{id}")), Route::BackchannelLogout(id.clone()));
            routes.insert(below(&format!("{FRONTCHANNEL_LOGOUT}{id}")), Route::FrontchannelLogout(id.clone()));
            if let Some(path) = &provider.signals_path {
                routes.insert(path.clone(), Route::Signals(id.clone()));
            }
            let callback = routes.entry(provider.callback_path.clone());
            if let Route::Callback(providers) = callback.or_insert_with(|| Route::Callback(Vec::new())) {
                providers.push(id.clone());
            }
        }
        Self { routes, files: below(STATIC), traces: console.then(|| below(ConsolePage::Trace.path())) }
    }

    /// What a path leads to.
    #[must_use]
    pub fn route(&self, path: &str) -> Option<&Route> {
        let is_trace = || self.traces.as_ref().is_some_and(|traces| path.starts_with(traces));
        let trace = || is_trace().then_some(&Route::Console(ConsolePage::Trace));
        self.routes.get(path).or_else(|| self.static_file(path).map(|_| &Route::Static)).or_else(trace)
    }

    /// The name of the static file at a path.
    #[must_use]
    pub fn static_file<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(self.files.as_str())
    }
}

/// The path of an issuer, without a trailing slash.
#[must_use]
pub fn issuer_path(issuer: &Url) -> &str {
    issuer.path().trim_end_matches('/')
}

/// The path of this issuer; an empty one if the issuer is not a URL, which is reported elsewhere.
fn base(config: &Config) -> String {
    Url::parse(&config.issuer).map(|issuer| issuer_path(&issuer).to_owned()).unwrap_or_default()
}

/// The key that sets a provider's callback; `None` for the default.
pub(super) const fn callback_key(provider: &Provider) -> Option<&'static str> {
    match (&provider.redirect_uri, &provider.redirect_path) {
        (Some(_), _) => Some("redirect_uri"),
        (None, Some(_)) => Some("redirect_path"),
        (None, None) => None,
    }
}

/// The callback of each provider, in the form in which paths are compared. Only the path of a `redirect_uri` counts: if it is
/// registered for another host, a proxy leads from there to here.
pub(super) fn callbacks<'c>(
    config: &'c Config,
    resolved: &'c Resolved,
) -> impl Iterator<Item = (&'c str, &'c Provider, String)> {
    let declared = config.providers.iter();
    declared.filter_map(|(id, provider)| {
        let path = comparable(&resolved.providers.get(id)?.callback_path);
        Some((id.as_str(), provider, path))
    })
}

/// Reports every path that is claimed twice, and invalid paths in `[endpoints]`.
pub(super) fn check(context: &mut Context<'_>) {
    let base = base(context.config);
    let endpoints = endpoints(context, &base);
    let break_glass = break_glass(context, &base, &endpoints);
    signals(context, &base, &endpoints);
    let section = At::Root.key("providers");
    let (config, resolved) = (context.config, context.resolved);
    for (id, provider, path) in callbacks(config, resolved) {
        let Some(key) = callback_key(provider) else { continue };
        let at = section.key(id);
        let at = at.key(key);
        let (wanted, found, way_out) = match (&provider.redirect_uri, &provider.redirect_path) {
            (Some(uri), _) if urls::redirect_uri(uri, false).is_ok() => {
                let way_out = "register another address with the provider and write it here";
                ("an address whose path", uri, way_out.to_owned())
            }
            (None, Some(path)) if urls::path(path).is_ok() => {
                ("a path that", path, format!("leave it out for its default, \"{CALLBACK}{id}\""))
            }
            _ => continue,
        };
        if let Some(reserved) = reserved(&base, &path).filter(|reserved| *reserved != CALLBACKS) {
            let Reserved { path, purpose, .. } = reserved;
            let expected = format!("{wanted} the broker does not use itself ({path}: {purpose})");
            context.must_or(&at, expected, quote(found), Some(way_out));
        } else if let Some((_, endpoint)) = endpoints.iter().find(|(taken, _)| *taken == path) {
            let expected = format!("{wanted} is not an endpoint");
            let found = format!("{}, the path of `endpoints.{}`", quote(found), endpoint.key());
            context.must_or(&at, expected, found, Some(way_out));
        } else if break_glass.as_ref() == Some(&path) {
            let expected = format!("{wanted} is not that of the break-glass page");
            let found = format!("{}, the path of `break_glass.path`", quote(found));
            context.must_or(&at, expected, found, Some(way_out));
        }
    }
}

/// Reports paths of `signals` that something else has.
fn signals(context: &mut Context<'_>, base: &str, endpoints: &[(String, Endpoint)]) {
    let (config, resolved) = (context.config, context.resolved);
    let section = At::Root.key("providers");
    let mut taken: Vec<(String, String)> = callbacks(config, resolved)
        .map(|(id, _, path)| (path, format!("the callback of `providers.{id}`")))
        .chain(
            endpoints.iter().map(|(path, endpoint)| (path.clone(), format!("that of `endpoints.{}`", endpoint.key()))),
        )
        .chain(
            resolved
                .break_glass
                .iter()
                .map(|account| (format!("{base}{}", account.path), "the break-glass page".to_owned())),
        )
        .collect();
    for (id, provider) in &config.providers {
        let declared = provider.signals.as_ref().and_then(|signals| signals.path.as_deref());
        let Some(whole) = resolved.providers.get(id).and_then(|provider| provider.signals_path.clone()) else {
            continue;
        };
        let own = comparable(&whole);
        let at = section.key(id);
        let at = at.key("signals");
        let (at, found) = match declared {
            Some(path) if urls::path(path).is_err() => continue,
            Some(path) => (at.key("path"), quote(path)),
            None => (at, quote(&whole)),
        };
        let way_out = || Some(format!("leave it out for its default, \"{SIGNALS}{id}\""));
        if let Some(Reserved { path, purpose, .. }) = reserved(base, &own).filter(|taken| *taken != SIGNALS_BELOW) {
            let expected = format!("a path that the broker does not use itself ({path}: {purpose})");
            context.must_or(&at, expected, found, way_out());
        } else if let Some((_, what)) = taken.iter().find(|(path, _)| *path == own) {
            context.must_or(&at, "a path of its own", format!("{found}, {what}"), way_out());
        }
        taken.push((own, format!("the path of `providers.{id}.signals`")));
    }
}

/// Checks `break_glass.path`, and returns the whole path where it is all right.
fn break_glass(context: &mut Context<'_>, base: &str, endpoints: &[(String, Endpoint)]) -> Option<String> {
    let path = context.resolved.break_glass.as_ref().map(|account| account.path.as_str())?;
    let section = At::Root.key("break_glass");
    let at = section.key("path");
    urls::path(path).ok()?;
    let whole = format!("{base}{path}");
    let way_out = Some(format!("leave it out for its default, \"{BREAK_GLASS}\""));
    if let Some(taken) = reserved(base, &whole).filter(|reserved| reserved.path != BREAK_GLASS) {
        let expected = format!("a path that the broker does not use itself ({}: {})", taken.path, taken.purpose);
        context.must_or(&at, expected, quote(path), way_out);
        return None;
    }
    if let Some((_, endpoint)) = endpoints.iter().find(|(taken, _)| *taken == whole) {
        let found = format!("{}, the path of `endpoints.{}`", quote(path), endpoint.key());
        context.must_or(&at, "a path that is no endpoint", found, way_out);
        return None;
    }
    Some(whole)
}

/// Checks `[endpoints]` and returns the valid ones.
fn endpoints(context: &mut Context<'_>, base: &str) -> Vec<(String, Endpoint)> {
    let section = At::Root.key("endpoints");
    let mut taken: Vec<(String, Endpoint)> = Vec::new();
    for endpoint in Endpoint::ALL {
        let path = context.config.endpoints.path(endpoint);
        let at = section.key(endpoint.key());
        let whole = format!("{base}{path}");
        if let Err(expected) = urls::path(path) {
            context.must(&at, expected, quote(path));
        } else if let Some(Reserved { path: own, purpose, .. }) = reserved(base, &whole) {
            let expected = format!("a path that the broker does not use itself ({own}: {purpose})");
            let way_out = format!("leave it out for its default, {}", quote(endpoint.default_path()));
            context.must_or(&at, expected, quote(path), Some(way_out));
        } else if let Some((_, other)) = taken.iter().find(|(earlier, _)| *earlier == whole) {
            // A default has only the place of its section, so the problem is reported at the path that is set.
            let written = if context.is_set(&at) { endpoint } else { *other };
            let (key, other) = (endpoint.key(), other.key());
            let message = format!(
                "`endpoints.{other}` and `endpoints.{key}` must be different paths but both are {}",
                quote(path)
            );
            let default = quote(written.default_path());
            let way_out = format!("give `{}` another path; its default is {default}", written.key());
            context.error(&section.key(written.key()), message, &way_out);
        } else {
            taken.push((whole, endpoint));
        }
    }
    taken
}

/// The purpose for which the broker itself reserves a path.
fn reserved(base: &str, path: &str) -> Option<Reserved> {
    let own = |path: &'static str, purpose: &'static str| Reserved { path, below: false, purpose };
    if path.strip_prefix(OAUTH_METADATA).is_some_and(|rest| rest == base) {
        return Some(own(OAUTH_METADATA, "well-known documents"));
    }
    let below = path.strip_prefix(base)?;
    if below.is_empty() {
        return Some(own(Page::Home.path(), Page::Home.description()));
    }
    let pages = Page::ALL.into_iter().map(|page| own(page.path(), page.description()));
    pages.chain(RESERVED).chain([CALLBACKS]).find(|reserved| {
        let rest = below.strip_prefix(reserved.path);
        rest.is_some_and(|rest| rest.is_empty() || (reserved.below && rest.starts_with('/')))
    })
}

/// A path whose unreserved characters (RFC 3986 §2.3) are not percent-encoded.
pub(super) fn comparable(path: &str) -> String {
    let decoded = |hex: &str| {
        let byte = u8::from_str_radix(hex, 16).ok()?;
        (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)).then_some(char::from(byte))
    };
    let mut parts = path.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_at_checked(2).and_then(|(hex, rest)| Some((decoded(hex)?, rest))) {
            Some((c, rest)) => {
                out.push(c);
                out.push_str(rest);
            }
            None => {
                out.push('%');
                out.push_str(part);
            }
        }
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
