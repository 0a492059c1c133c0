//! A request with what answering it needs, and the answers that several handlers give.

use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use crate::op::RequestContext;
use crate::op::client::authentication::Unauthenticated;
use crate::op::error::PageError;
use crate::op::outcome::{Browser, SetCookie};
use crate::op::params::Params;
use crate::throttle::Wait;
use crate::web::request::Incoming;
use crate::web::{cookies, error, respond};

/// A request with what answering it needs.
pub(crate) struct Exchange<'a> {
    /// The services, the configuration generation, the time.
    pub(crate) context: RequestContext<'a>,
    /// The request.
    pub(crate) incoming: &'a Incoming,
    /// Its cookies.
    pub(crate) browser: Browser,
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
            || origin.is_some_and(|origin| origin != "null" && origin != self.context.snapshot.issuer.origin);
        if foreign {
            return Err(PageError::new(403, "csrf_failed", "the form was posted by another site"));
        }
        Ok(self.incoming.form())
    }

    /// The posted request once more, by GET: the browser sends our cookies along, since this redirect is our own. 413 where it
    /// would be a longer query than `limits.query`.
    pub(crate) fn repeat_as_get(&self) -> Response {
        let form = self.incoming.form();
        let mut query = self.incoming.query.encode();
        if !query.is_empty() && !form.pairs().is_empty() {
            query.push('&');
        }
        query.push_str(&form.encode());
        if query.len() > self.context.snapshot.resolved.limits.query {
            return respond::empty(StatusCode::PAYLOAD_TOO_LARGE);
        }
        respond::see_other(&format!("{}{}?{query}", self.context.snapshot.issuer.origin, self.incoming.path))
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

    /// The path is there, the method is not.
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
