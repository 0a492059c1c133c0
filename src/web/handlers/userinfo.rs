//! The userinfo endpoint.

use axum::http::StatusCode;
use axum::response::Response;

use crate::op::client::authentication::strip_scheme;
use crate::op::error::OAuthError;
use crate::op::userinfo;
use crate::op::userinfo::{Scheme, Userinfo};
use crate::protocol::ErrorCode;
use crate::web::exchange::Exchange;
use crate::web::{error, respond};

/// The userinfo endpoint (OIDC Core §5.3). A posted form may have the access token (RFC 6750 §2.2).
pub(crate) async fn userinfo(exchange: &Exchange<'_>, posted: bool) -> Response {
    let realm = &exchange.context.snapshot.issuer.origin;
    let form = posted.then(|| exchange.incoming.form());
    let in_body = form.as_ref().and_then(|form| form.one("access_token").ok().flatten());
    let header = |scheme| exchange.authorization().and_then(|header| strip_scheme(header, scheme));
    let proven = Scheme::Dpop { proof: exchange.incoming.proof(), method: exchange.incoming.method.as_str() };
    let in_header = header("bearer").map(|token| (token, Scheme::Bearer));
    let in_header = in_header.or_else(|| header("dpop").map(|token| (token, proven)));
    let (token, scheme) = match (in_header, in_body) {
        (Some(presented), None) => presented,
        (None, Some(token)) => (token, Scheme::Bearer),
        (Some(_), Some(_)) => {
            let text = "send the access token once: in the header or in the body";
            return error::bearer(&OAuthError::new(ErrorCode::InvalidRequest, text), realm);
        }
        (None, None) => return error::bearer_missing(realm),
    };
    match userinfo::userinfo(&exchange.context, token, scheme).await {
        Ok(Userinfo::Plain(claims)) => respond::json(StatusCode::OK, &claims),
        Ok(Userinfo::Signed(jwt)) => respond::text("application/jwt", jwt),
        Err(failure) => match scheme {
            Scheme::Bearer => error::bearer(&failure, realm),
            Scheme::Dpop { .. } => error::dpop(&failure, realm),
        },
    }
}
