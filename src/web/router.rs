//! From a request to its handler. Paths come from the configuration, so a single fallback, rather than a router with fixed
//! paths, looks them up in the generation that serves the request.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::Response;
use tracing::Instrument as _;

use crate::config::check::paths::Route;
use crate::env::Stopwatch;
use crate::metrics;
use crate::op::certificate;
use crate::op::dpop::{self, ProofHeader};
use crate::op::error::PageError;
use crate::op::{RequestContext, Services, TraceId};
use crate::protocol::paths::{Endpoint, Page};
use crate::snapshot::Snapshot;
use crate::telemetry::Recording;
use crate::throttle::Source;
use crate::web::client_certificate::Entrance;
use crate::web::exchange::Exchange;
use crate::web::finish::{Finished, Unattended};
use crate::web::handlers::{
    account, authorize, break_glass, callback, console, documents, logout, signals, start, token, userinfo,
};
use crate::web::request::{Incoming, Unreadable, client_address};
use crate::web::spans::SpanOfRequest;
use crate::web::{client_certificate, cookies, cors, methods, respond};
use crate::x509::Reading;

/// The state of the public router.
pub struct Edge {
    /// What the steps of `op` may use.
    pub services: Services,
    /// The configuration generation that serves.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Requests that nobody waits for any more.
    pub unattended: Arc<Unattended>,
}

/// The router of the public listeners, and of those for client certificates.
pub fn serve(edge: Arc<Edge>, entrance: Entrance) -> axum::Router {
    axum::Router::new().fallback(handle).with_state((edge, entrance))
}

async fn handle(State((edge, entrance)): State<(Arc<Edge>, Entrance)>, request: Request<Body>) -> Response {
    let snapshot = edge.snapshot.load_full();
    let Ok(trace_id) = edge.services.random.trace_id() else {
        return respond::empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let address = client_address(&request, &snapshot.trusted_proxies);
    let span = tracing::info_span!("request", address = address.map(tracing::field::display));
    let (watch, recorded) = (Stopwatch::start(), Arc::clone(&edge.services.metrics));
    let span_of_request = SpanOfRequest::begin(&edge.services, &snapshot, &request, &trace_id);
    let recording = span_of_request.recording();
    let https_only_for = snapshot.issuer.https_only_for;
    let (client_certificate, ignored) = client_certificate::read(&snapshot, entrance, &request);
    let requester = Requester { address, trace_id, client_certificate, ignored: ignored.then_some(entrance) };
    let route = snapshot.paths.route(request.uri().path());
    let (uses_up, place) = (route.is_some_and(uses_something_up), place(route));
    let unattended = Arc::clone(&edge.unattended);
    let answering = Recording::scope(recording, answer(edge, snapshot, request, requester).instrument(span));
    // On a double click, the browser aborts the first request, and apps give up on slow ones. The work of that request is
    // completed all the same, so that the next request gets its outcome.
    let mut response = if uses_up { Finished::new(answering, &unattended).await } else { answering.await };
    if let Some(value) = https_only_for.and_then(|seconds| HeaderValue::try_from(format!("max-age={seconds}")).ok()) {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    recorded.request(place, response.status().as_u16(), watch.seconds());
    span_of_request.end(place, response.status());
    response
}

/// What metrics call a route.
const fn place(route: Option<&Route>) -> &'static str {
    match route {
        Some(Route::Discovery) => "discovery",
        Some(Route::ClientJwks) => "rp_jwks",
        Some(Route::Endpoint(endpoint)) => endpoint.key(),
        Some(Route::Page(_)) => "page",
        Some(Route::Callback(_)) => "callback",
        Some(Route::LogoutCallback(_)) => "logout_callback",
        Some(Route::BackchannelLogout(_)) => "backchannel_logout",
        Some(Route::FrontchannelLogout(_)) => "frontchannel_logout",
        Some(Route::Signals(_)) => "signals",
        Some(Route::BreakGlass) => "break_glass",
        Some(Route::Account(_)) => "account",
        Some(Route::Console(_)) => "console",
        Some(Route::Static) => "static",
        None => metrics::OTHER,
    }
}

/// Whether requests to a route take something that can be taken only once: a sign-in under way, or the provider's refresh token,
/// in whose place the provider's answer brings another one.
const fn uses_something_up(route: &Route) -> bool {
    matches!(
        route,
        Route::Endpoint(Endpoint::Authorization | Endpoint::Token | Endpoint::Introspection)
            | Route::Callback(_)
            | Route::LogoutCallback(_)
            | Route::Page(Page::Consent | Page::ConfirmSignOut)
            | Route::Account(_)
            | Route::Console(_)
    )
}

/// Whether a GET of a route begins or ends something, rather than only showing it.
const fn acts_on_get(route: &Route) -> bool {
    matches!(
        route,
        Route::Endpoint(Endpoint::Authorization | Endpoint::EndSession)
            | Route::Callback(_)
            | Route::LogoutCallback(_)
            | Route::Account(_)
            | Route::Console(_)
            | Route::FrontchannelLogout(_)
    )
}

/// The answer to a request that must not act: to HEAD, which is safe (RFC 9110 §9.2.1), and to a browser that fetches a page
/// before anybody asks for it. A browser drops a prefetched error, and asks again when the page is wanted.
fn without_acting(exchange: &Exchange<'_>, route: &Route) -> Option<Response> {
    if !acts_on_get(route) {
        return None;
    }
    let headers = &exchange.incoming.headers;
    let prefetching = ["sec-purpose", "purpose", "x-moz"].iter().any(|name| {
        headers.get(*name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("prefetch"))
    });
    if prefetching {
        return Some(respond::empty(StatusCode::SERVICE_UNAVAILABLE));
    }
    (exchange.incoming.method == Method::HEAD).then(|| respond::without_length(StatusCode::OK))
}

/// Where a request comes from, and its trace id.
struct Requester {
    address: Option<IpAddr>,
    trace_id: String,
    client_certificate: Reading,
    /// The listener at which the header of a client certificate was ignored.
    ignored: Option<Entrance>,
}

async fn answer(edge: Arc<Edge>, snapshot: Arc<Snapshot>, request: Request<Body>, requester: Requester) -> Response {
    let now = edge.services.clock.now();
    let limits = &snapshot.resolved.limits;
    if request.uri().query().is_some_and(|query| query.len() > limits.query) {
        return respond::empty(StatusCode::URI_TOO_LONG);
    }
    let route = snapshot.paths.route(request.uri().path());
    let incoming = match Incoming::read(request, limits.body).await {
        Ok(incoming) if incoming.is_oversized() => return respond::empty(StatusCode::URI_TOO_LONG),
        Ok(incoming) => incoming,
        Err(Unreadable::TooLarge) => return respond::empty(StatusCode::PAYLOAD_TOO_LARGE),
        Err(Unreadable::Broken) => return respond::empty(StatusCode::BAD_REQUEST),
        Err(Unreadable::TooSlow) => return respond::empty(StatusCode::REQUEST_TIMEOUT),
    };
    let browser = cookies::read(&incoming.headers, &snapshot.issuer);
    let Requester { address, trace_id, client_certificate, ignored } = requester;
    let context = RequestContext {
        services: &edge.services,
        snapshot: &snapshot,
        now,
        trace_id: TraceId::new(trace_id),
        source: Source::of(address),
        address,
        user_agent: incoming.user_agent(),
        client_certificate,
    };
    if let Some(entrance) = ignored {
        certificate::ignored(&context, entrance.name()).await;
    }
    let exchange = Exchange { context, incoming: &incoming, browser, break_glass: Mutex::default() };
    exchange.look_for_break_glass().await;
    // axum leaves out the body of a response to HEAD, after it has counted its length.
    match route {
        Some(route) => serve_route(&exchange, route).await,
        None => exchange.error(&PageError::new(404, "not_found", "no such path")),
    }
}

async fn serve_route(exchange: &Exchange<'_>, route: &Route) -> Response {
    let origin = exchange.incoming.header(header::ORIGIN);
    let snapshot = exchange.context.snapshot;
    let posted = match exchange.incoming.method {
        Method::OPTIONS => {
            let mut response = respond::empty(StatusCode::NO_CONTENT);
            cors::preflight(response.headers_mut(), snapshot, route, origin);
            return response;
        }
        Method::GET | Method::HEAD => Some(false),
        Method::POST => Some(true),
        _ => None,
    };
    let mut response = match posted {
        Some(posted) => match without_acting(exchange, route).filter(|_| !posted) {
            Some(response) => response,
            None => dispatch(exchange, route, posted).await,
        },
        None => exchange.method_not_allowed(),
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, methods::allow(route));
    }
    cors::decorate(response.headers_mut(), snapshot, route, origin);
    add_dpop_nonce(exchange, route, &mut response);
    response
}

/// Whether a request writes before anyone has signed in, so that `limits.per_address` counts it. A posted authorization or
/// logout request that is to be repeated is counted when it comes back.
fn writes_for_strangers(exchange: &Exchange<'_>, route: &Route, posted: bool) -> bool {
    match route {
        Route::Endpoint(Endpoint::Authorization | Endpoint::EndSession) => !posted || exchange.is_repeated(),
        Route::Endpoint(Endpoint::PushedAuthorizationRequest)
        | Route::Page(Page::SignIn | Page::Consent | Page::ConfirmSignOut)
        | Route::BreakGlass => posted,
        Route::FrontchannelLogout(_) => true,
        _ => false,
    }
}

/// The future of a handler, boxed: otherwise the future of every request, which is moved several times before it is polled,
/// would be as large as that of the largest handler.
type Answering<'e> = Pin<Box<dyn Future<Output = Response> + Send + 'e>>;

/// Calls the handler of a route. `posted` is true for POST, false for GET and HEAD.
async fn dispatch(exchange: &Exchange<'_>, route: &Route, posted: bool) -> Response {
    if writes_for_strangers(exchange, route, posted)
        && let Err(wait) = exchange.context.services.throttle.request(exchange.context.source)
    {
        let for_app = matches!(route, Route::Endpoint(Endpoint::PushedAuthorizationRequest));
        return exchange.too_many_requests(wait, for_app);
    }
    let answering: Answering<'_> = match route {
        // Other sites post these without our cookies, which are `SameSite=Lax`.
        Route::Endpoint(Endpoint::Authorization | Endpoint::EndSession) | Route::Callback(_)
            if posted && !exchange.is_repeated() =>
        {
            return exchange.repeat();
        }
        Route::Endpoint(Endpoint::Authorization) => Box::pin(authorize::authorize(exchange)),
        Route::Endpoint(Endpoint::EndSession) => Box::pin(logout::end_session(exchange)),
        Route::Callback(providers) => Box::pin(callback::callback(exchange, providers)),
        Route::Endpoint(Endpoint::Userinfo) => Box::pin(userinfo::userinfo(exchange, posted)),
        Route::Endpoint(Endpoint::Token) if posted => Box::pin(token::token(exchange)),
        Route::Endpoint(Endpoint::Introspection) if posted => Box::pin(token::introspect(exchange)),
        Route::Endpoint(Endpoint::Revocation) if posted => Box::pin(token::revoke(exchange)),
        Route::Endpoint(Endpoint::PushedAuthorizationRequest) if posted => Box::pin(token::push(exchange)),
        Route::Account(page) => Box::pin(account::serve(exchange, *page, posted)),
        Route::Console(page) => Box::pin(console::serve(exchange, *page, posted)),
        Route::BreakGlass if posted => Box::pin(break_glass::form(exchange)),
        Route::BreakGlass => Box::pin(break_glass::page(exchange)),
        Route::Page(Page::SignIn) if posted => Box::pin(authorize::sign_in_form(exchange)),
        Route::Page(Page::Consent) if posted => Box::pin(authorize::consent_form(exchange)),
        Route::Page(Page::ConfirmSignOut) if posted => Box::pin(logout::confirm_form(exchange)),
        Route::BackchannelLogout(provider) if posted => Box::pin(logout::logout_token(exchange, provider)),
        Route::Signals(provider) if posted => Box::pin(signals::receive(exchange, provider)),
        Route::FrontchannelLogout(provider) if !posted => Box::pin(logout::framed(exchange, provider)),
        Route::Endpoint(Endpoint::Jwks) if !posted => return documents::jwks(exchange),
        Route::Discovery if !posted => return documents::discovery(exchange),
        Route::ClientJwks if !posted => return documents::client_jwks(exchange),
        Route::LogoutCallback(provider) if !posted => Box::pin(logout::returned(exchange, provider)),
        Route::Page(Page::SignedOut) if !posted => Box::pin(logout::signed_out(exchange)),
        Route::Page(Page::Home) if !posted => Box::pin(start::home(exchange)),
        Route::Static if !posted => return start::static_file(exchange),
        Route::Endpoint(_)
        | Route::Page(_)
        | Route::BackchannelLogout(_)
        | Route::FrontchannelLogout(_)
        | Route::Signals(_)
        | Route::Discovery
        | Route::ClientJwks
        | Route::LogoutCallback(_)
        | Route::Static => return exchange.method_not_allowed(),
    };
    answering.await
}

/// A request with a DPoP proof is answered with the nonce for the next one (RFC 9449 §8.2, §9).
fn add_dpop_nonce(exchange: &Exchange<'_>, route: &Route, response: &mut Response) {
    let takes_proofs =
        matches!(route, Route::Endpoint(Endpoint::Token | Endpoint::Userinfo | Endpoint::PushedAuthorizationRequest));
    if !takes_proofs || exchange.incoming.proof() == ProofHeader::Nothing {
        return;
    }
    if let Some(value) = dpop::nonce(&exchange.context).and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
        response.headers_mut().insert("dpop-nonce", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of the futures that a function returns, in bytes.
    const fn size<A, F: Future>(_: fn(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_a_request_is_small() {
        let size = size(|(state, request)| handle(State(state), request));
        assert!(size <= 4096, "{size} bytes are moved and allocated for every request");
    }
}
