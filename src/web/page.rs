//! Pages as responses: rendered in the person's language, with the Content-Security-Policy that the page needs.

use std::sync::PoisonError;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::DateTime;
use url::Url;

use crate::op::error::PageError;
use crate::op::session;
use crate::pages::csp::{content_security_policy, frame_sources, framed_by};
use crate::pages::{BreakGlassBanner, Lang, Languages, Redirect, View, WebUri};
use crate::protocol::BREAK_GLASS;
use crate::protocol::paths::Endpoint;
use crate::web::exchange::Exchange;
use crate::web::{respond, views};

impl Exchange<'_> {
    /// The languages that the person wants: those of the request's `ui_locales`, then those of the browser.
    pub(crate) fn languages(&self, ui_locales: Option<&str>) -> Languages {
        let header = self.incoming.headers.get_all(header::ACCEPT_LANGUAGE).iter();
        Languages::wanted(ui_locales, header.filter_map(|value| value.to_str().ok()))
    }

    /// A page that stays on our own site.
    pub(crate) fn page<V: View>(&self, status: StatusCode, view: &V) -> Response {
        self.page_with_form(status, None, view, &[])
    }

    /// A page with a form. `form_action` are addresses, besides our own, that the form may lead to.
    pub(crate) fn page_with_form<V: View>(
        &self,
        status: StatusCode,
        ui_locales: Option<&str>,
        view: &V,
        form_action: &[&str],
    ) -> Response {
        let form_action: Vec<Url> = form_action.iter().filter_map(|uri| Url::parse(uri).ok()).collect();
        let pictures = self.context.snapshot.pages.pictures(view);
        self.render(&content_security_policy(&form_action, pictures), status, ui_locales, view)
    }

    /// The redirect URIs of a native app with a scheme of its own: a redirect that answers a form may lead there. Everything
    /// else is reached by [`Self::leave`].
    pub(crate) fn own_schemes(&self, client: &str) -> Vec<&str> {
        let uris = self.context.snapshot.clients.get(client).map(|client| client.redirect_uris.as_slice());
        uris.unwrap_or_default().iter().map(String::as_str).filter(|uri| WebUri::parse(uri).is_none()).collect()
    }

    /// A page that loads these addresses in frames.
    pub(crate) fn page_with_frames<V: View>(&self, frames: &[Url], view: &V) -> Response {
        let policy = content_security_policy([], self.context.snapshot.pages.pictures(view));
        self.render(&format!("{policy}{}", frame_sources(frames)), StatusCode::OK, None, view)
    }

    /// A page that these sites may frame, and that loads these addresses in frames itself.
    pub(crate) fn framed_page<V: View>(&self, frames: &[Url], parents: &[Url], view: &V) -> Response {
        let pictures = self.context.snapshot.pages.pictures(view);
        let policy = framed_by(parents, pictures);
        let mut response = self.render(&format!("{policy}{}", frame_sources(frames)), StatusCode::OK, None, view);
        // An older header, which can't name anybody; browsers that know both follow the policy.
        response.headers_mut().remove(header::X_FRAME_OPTIONS);
        response
    }

    /// Finds out whether the browser is signed in by the break-glass account: then every page says so.
    pub(crate) async fn look_for_break_glass(&self) {
        if !self.browser.break_glass || self.context.snapshot.break_glass.is_none() {
            return;
        }
        let view = session::live(&self.context, &self.browser).await.ok().flatten();
        let session = view.map(|view| view.session).filter(|session| session.link.provider == BREAK_GLASS);
        self.set_break_glass(session.map(|session| session.expires_at));
    }

    /// Until when the browser is signed in by the break-glass account from now on, in seconds since the Unix epoch.
    pub(crate) fn set_break_glass(&self, until: Option<i64>) {
        *self.break_glass.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn break_glass_banner(&self) -> Option<BreakGlassBanner> {
        let until = (*self.break_glass.lock().unwrap_or_else(PoisonError::into_inner))?;
        let snapshot = self.context.snapshot;
        let sign_out_path = snapshot.issuer.path_of(snapshot.config.endpoints.path(Endpoint::EndSession));
        let time = DateTime::from_timestamp(until, 0).map(|time| time.format("%H:%M").to_string());
        Some(BreakGlassBanner { time: time.unwrap_or_default(), sign_out_path })
    }

    fn render<V: View>(&self, policy: &str, status: StatusCode, ui_locales: Option<&str>, view: &V) -> Response {
        let (pages, lang) = (&self.context.snapshot.pages, Lang::choose(&self.languages(ui_locales)));
        let rendered = pages.render(lang, view).and_then(|html| match self.break_glass_banner() {
            Some(banner) => pages.with_banner(lang, &html, &banner),
            None => Ok(html),
        });
        match rendered {
            Ok(html) => respond::page(status, html, policy),
            Err(error) => {
                tracing::error!(%error, trace_id = %self.context.trace_id, "a page can't be rendered");
                respond::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// The error page.
    pub(crate) fn error(&self, failure: &PageError) -> Response {
        self.error_with(failure, false)
    }

    /// The error page; with a link to the break-glass page where a request waits for it.
    pub(crate) fn error_with(&self, failure: &PageError, waits: bool) -> Response {
        let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A mistyped address and a refusal by a limit are not logged here; the limit itself logs the beginning of each burst.
        if !failure.announced && !matches!(failure.status, 404 | 429) && self.context.may_log() {
            let (reason, detail) = (failure.reason, &failure.detail);
            tracing::info!(event = "error_page", reason, detail, trace_id = %self.context.trace_id, "showed an error");
        }
        let another = failure.refused.as_ref().is_some_and(|person| person.another_account.is_some());
        let form = failure.client.as_deref().filter(|_| another || failure.elsewhere.is_some());
        let leads_to = form.map(|client| self.own_schemes(client)).unwrap_or_default();
        let mut response = self.page_with_form(status, None, &views::error(self, failure, waits), &leads_to);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }

    /// Sends the browser to another site. Browsers apply `form-action` to every redirect that answers a form, and a provider
    /// or an app may redirect on to hosts that nobody here knows: the answer to a form is therefore a page that redirects by
    /// itself. Browsers that do this send fetch metadata; others get the redirect.
    pub(crate) fn leave(&self, url: &str) -> Response {
        let answers_form = self.incoming.is_post() && self.incoming.headers.contains_key("sec-fetch-site");
        match answers_form.then(|| WebUri::parse(url)).flatten() {
            Some(to) => self.page(StatusCode::OK, &Redirect { to }),
            None => respond::see_other(url),
        }
    }
}
