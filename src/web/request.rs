//! A request, read once: method, path, parameters, the headers that matter. Nothing else of it is looked at; in
//! particular neither `Host` nor `X-Forwarded-*`.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt as _, Limited};

use crate::op::params::Params;

/// A request.
pub struct Incoming {
    /// The method.
    pub method: Method,
    /// The path, as sent.
    pub path: String,
    /// The query.
    pub query: Params,
    /// The headers.
    pub headers: HeaderMap,
    body: Bytes,
}

/// Why a request can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Larger than `limits.body`.
    TooLarge,
    /// The connection broke.
    Broken,
}

impl Incoming {
    /// Reads a request with a body of at most `limit` bytes.
    ///
    /// # Errors
    /// When the body is larger, or the connection breaks.
    pub async fn read(request: Request<Body>, limit: usize) -> Result<Self, Unreadable> {
        let (parts, body) = request.into_parts();
        let body = if parts.method == Method::POST {
            match Limited::new(body, limit).collect().await {
                Ok(collected) => collected.to_bytes(),
                Err(error) if error.is::<http_body_util::LengthLimitError>() => return Err(Unreadable::TooLarge),
                Err(_) => return Err(Unreadable::Broken),
            }
        } else {
            Bytes::new()
        };
        Ok(Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: Params::parse(parts.uri.query().unwrap_or_default().as_bytes()),
            headers: parts.headers,
            body,
        })
    }

    /// A header that came once and is text.
    #[must_use]
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        if values.next().is_some() { None } else { first.to_str().ok() }
    }

    /// Whether the body is a form (RFC 6749 §3.2 asks for this type).
    #[must_use]
    pub fn is_form(&self) -> bool {
        let kind = self.header(header::CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }

    /// The form in the body; empty when the body is none.
    #[must_use]
    pub fn form(&self) -> Params {
        if self.is_form() { Params::parse(&self.body) } else { Params::default() }
    }

    /// Whether the path or the query is so long that only an attack sends it.
    #[must_use]
    pub fn is_oversized(&self) -> bool {
        self.path.len() > 2048 || self.query.pairs().len() > 200
    }
}
