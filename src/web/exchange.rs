//! A request with what answering it needs, and the answers that several handlers give.

use std::sync::Mutex;

use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use crate::op::RequestContext;
use crate::op::client::authentication::Unauthenticated;
use crate::op::error::PageError;
use crate::op::mark;
use crate::op::outcome::{Browser, SetCookie};
use crate::op::params::Params;
use crate::pages::{CSRF_FIELD, FormPost, WebUri};
use crate::throttle::Wait;
use crate::upstream::LONGEST_URL;
use crate::web::request::Incoming;
use crate::web::{cookies, error, respond};

/// The field by which a form says that it is the one of [`Exchange::repeat`].
const REPEATED: &str = "countersign_repeated";

/// A request with what answering it needs.
pub(crate) struct Exchange<'a> {
    /// The services, the configuration generation, the time.
    pub(crate) context: RequestContext<'a>,
    /// The request.
    pub(crate) incoming: &'a Incoming,
    /// Its cookies.
    pub(crate) browser: Browser,
    /// Until when the browser is signed in by the break-glass account.
    pub(crate) break_glass: Mutex<Option<i64>>,
}

impl Exchange<'_> {
    /// The `Authorization` header.
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.incoming.header(header::AUTHORIZATION)
    }

    /// The form, which one of our own pages posted. The secret id of the interaction in it, compared with the browser's
    /// cookie, is its CSRF token.
    ///
    /// # Errors
    /// When another site posted it.
    pub(crate) fn own_form(&self) -> Result<Params, PageError> {
        let site = self.incoming.headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
        let origin = self.incoming.header(header::ORIGIN);
        let foreign = site.is_some_and(|site| site == "cross-site" || site == "same-site")
            || origin.is_some_and(|origin| origin != "null" && origin != self.context.origin());
        let form = self.incoming.form();
        if foreign {
            let page = PageError::new(403, "csrf_failed", "the form was posted by another site");
            let client = form.text(CSRF_FIELD).and_then(|id| mark::client_of(&self.context, id));
            return Err(PageError { client, ..page });
        }
        Ok(form)
    }

    /// The parameters of a request that browsers bring by GET, or by POST after [`Self::repeat`].
    pub(crate) fn params(&self) -> Params {
        let form = self.incoming.form();
        let pairs = self.incoming.query.pairs().iter().chain(form.pairs()).cloned();
        Params::from_pairs(pairs.filter(|(name, _)| name != REPEATED).collect())
    }

    /// Whether a page of ours posted what another site had posted.
    pub(crate) fn is_repeated(&self) -> bool {
        self.incoming.form().text(REPEATED).is_some()
    }

    /// The posted request once more, with our cookies: a browser does not send them along with what another site posts. By a
    /// redirect to the same URL, or by a form of our own where that URL would be longer than servers and proxies take: the ID
    /// token of somebody in many groups is a long hint.
    pub(crate) fn repeat(&self) -> Response {
        let params = self.params();
        let address = format!("{}{}", self.context.origin(), self.incoming.path);
        let query = params.encode();
        let url = format!("{address}?{query}");
        let too_long = url.len() > LONGEST_URL || query.len() > self.context.snapshot.resolved.limits.query;
        match WebUri::parse(&address).filter(|_| too_long) {
            None => respond::see_other(&url),
            Some(action) => {
                let marker = (REPEATED.to_owned(), "1".to_owned());
                let fields: Vec<(String, String)> = params.pairs().iter().cloned().chain([marker]).collect();
                self.page_with_form(StatusCode::OK, None, &FormPost::new(action, &fields), &[])
            }
        }
    }

    /// The answer of an endpoint whose clients authenticate.
    pub(crate) fn json(&self, status: StatusCode, answer: Result<impl Serialize, Unauthenticated>) -> Response {
        match answer {
            Ok(body) => respond::json(status, &body),
            Err(failure) => error::oauth(&failure, &self.context.snapshot.issuer.origin),
        }
    }

    /// Too many requests (RFC 6585 §4): a page for browsers, JSON for apps.
    pub(crate) fn too_many_requests(&self, wait: Wait, for_app: bool) -> Response {
        if for_app {
            let text = format!("too many requests from this address; try again in {} s", wait.0);
            return error::oauth(&Unauthenticated::throttled(text, wait), &self.context.snapshot.issuer.origin);
        }
        let page = PageError::new(429, "rate_limited", "too many requests from this address");
        respond::with_retry_after(self.error(&page), wait.0)
    }

    /// The path exists, but does not have this method.
    pub(crate) fn method_not_allowed(&self) -> Response {
        self.error(&PageError::new(405, "method_not_allowed", "not served by this method"))
    }

    /// Adds cookies to a response.
    pub(crate) fn with_cookies(&self, mut response: Response, set: &[SetCookie]) -> Response {
        for cookie in set {
            if let Some(value) = cookies::write(cookie, &self.context.snapshot.issuer) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
        }
        response
    }
}
