//! Which methods a route takes, for the `Allow` of a response with status 405 (RFC 9110 §15.5.6).

use axum::http::HeaderValue;

use crate::config::check::paths::Route;
use crate::protocol::paths::{Endpoint, Page};

const READ: &str = "GET, HEAD, OPTIONS";
const POSTED: &str = "POST, OPTIONS";
const BOTH: &str = "GET, HEAD, POST, OPTIONS";

/// The value of `Allow` for a route.
pub(super) const fn allow(route: &Route) -> HeaderValue {
    HeaderValue::from_static(match route {
        Route::Discovery
        | Route::ClientJwks
        | Route::Static
        | Route::LogoutCallback(_)
        | Route::FrontchannelLogout(_)
        | Route::Endpoint(Endpoint::Jwks)
        | Route::Page(Page::Home | Page::SignedOut) => READ,
        Route::BackchannelLogout(_)
        | Route::Signals(_)
        | Route::Page(Page::SignIn | Page::Consent | Page::ConfirmSignOut)
        | Route::Endpoint(
            Endpoint::Token
            | Endpoint::Introspection
            | Endpoint::Revocation
            | Endpoint::DeviceAuthorization
            | Endpoint::PushedAuthorizationRequest
            | Endpoint::Registration,
        ) => POSTED,
        Route::Endpoint(Endpoint::Authorization | Endpoint::EndSession | Endpoint::Userinfo)
        | Route::Callback(_)
        | Route::BreakGlass => BOTH,
        Route::Account(page) if page.acts() => BOTH,
        Route::Console(page) if page.acts() || page.drafts().is_some() => BOTH,
        Route::Account(_) | Route::Console(_) => READ,
    })
}
