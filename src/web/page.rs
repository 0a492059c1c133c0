//! Pages as responses: rendered in the person's language, with the Content-Security-Policy that the page needs.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use url::Url;

use crate::op::error::PageError;
use crate::pages::csp::{content_security_policy, frame_sources};
use crate::pages::{Lang, Languages, Redirect, View, WebUri};
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

    fn render<V: View>(&self, policy: &str, status: StatusCode, ui_locales: Option<&str>, view: &V) -> Response {
        match self.context.snapshot.pages.render(Lang::choose(&self.languages(ui_locales)), view) {
            Ok(html) => respond::page(status, html, policy),
            Err(error) => {
                tracing::error!(%error, trace_id = %self.context.trace_id, "a page can't be rendered");
                respond::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// The error page.
    pub(crate) fn error(&self, failure: &PageError) -> Response {
        let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A mistyped address and a refusal by a limit are not logged here; the limit itself logs the beginning of each burst.
        if !failure.announced && !matches!(failure.status, 404 | 429) && self.context.may_log() {
            let (reason, detail) = (failure.reason, &failure.detail);
            tracing::info!(event = "error_page", reason, detail, trace_id = %self.context.trace_id, "showed an error");
        }
        let form =
            failure.refused.as_ref().and_then(|person| person.another_account.as_ref()).and(failure.client.as_deref());
        let leads_to = form.map(|client| self.own_schemes(client)).unwrap_or_default();
        let mut response = self.page_with_form(status, None, &views::error(self, failure), &leads_to);
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
