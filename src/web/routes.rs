//! Which handler serves a path, and how its outcome is written.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use crate::protocol::ErrorCode;
use crate::web::request::{Incoming, Unreadable, client_address};
use crate::web::{cookies, cors, error, respond};
use tracing::Instrument as _;

use crate::op::authorize;
use crate::op::authorize::request::model::ResponseMode;
use crate::op::authorize::{forms, pushed};
use crate::op::client::authentication::{Unauthenticated, strip_scheme};
use crate::op::dpop::ProofHeader;
use crate::op::error::PageError;
use crate::op::logout::upstream as upstream_logout;
use crate::op::outcome::{Answer, Browser, ConsentPage, Next, Outcome, SetCookie, SignInPage};
use crate::op::params::Params;
use crate::op::userinfo::{Scheme, Userinfo};
use crate::op::{RequestContext, Services, callback, dpop, introspect, logout, revoke, session, token, userinfo};
use crate::pages;
use crate::pages::csp::{content_security_policy, frame_sources};
use crate::pages::{Destination, Lang, PostForm, View, WebUri};
use crate::snapshot::Snapshot;
use crate::snapshot::issuer::{Route, paths};

/// How long caches may keep discovery and keys, in seconds.
const DOCUMENT_MAX_AGE: u32 = 300;
/// How long caches may keep an asset whose address has its hash, in seconds.
const ASSET_MAX_AGE: u32 = 86_400;

/// What the web edge stands on.
pub struct Edge {
    /// What steps may use.
    pub services: Services,
    /// The configuration of the moment.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
}

/// Everything about one request that writing its answer needs.
struct Exchange<'a> {
    context: RequestContext<'a>,
    incoming: &'a Incoming,
    browser: Browser,
}

/// The router: one handler, which looks the path up in the configuration of the moment.
pub fn serve(edge: Arc<Edge>) -> axum::Router {
    axum::Router::new().fallback(handle).with_state(edge)
}

async fn handle(State(edge): State<Arc<Edge>>, request: Request<Body>) -> Response {
    let snapshot = edge.snapshot.load_full();
    let Ok(trace_id) = edge.services.random.id() else { return respond::empty(StatusCode::INTERNAL_SERVER_ERROR) };
    let address = client_address(&request, &snapshot.trusted_proxies).map(tracing::field::display);
    let span = tracing::info_span!("request", address);
    exchange(edge, snapshot, request, trace_id).instrument(span).await
}

async fn exchange(edge: Arc<Edge>, snapshot: Arc<Snapshot>, request: Request<Body>, trace_id: String) -> Response {
    let now = edge.services.clock.now();
    let limit = usize::try_from(snapshot.config.limits.body.bytes()).unwrap_or(usize::MAX);
    let route = snapshot.route(request.uri().path());
    let head = request.method() == Method::HEAD;
    let incoming = match Incoming::read(request, limit).await {
        Ok(incoming) if incoming.is_oversized() => return respond::empty(StatusCode::URI_TOO_LONG),
        Ok(incoming) => incoming,
        Err(Unreadable::TooLarge) => return respond::empty(StatusCode::PAYLOAD_TOO_LARGE),
        Err(Unreadable::Broken) => return respond::empty(StatusCode::BAD_REQUEST),
        Err(Unreadable::TooSlow) => return respond::empty(StatusCode::REQUEST_TIMEOUT),
    };
    let browser = cookies::read(&incoming.headers, &snapshot.issuer);
    let context = RequestContext { services: &edge.services, snapshot: &snapshot, now, trace_id };
    let exchange = Exchange { context, incoming: &incoming, browser };
    let mut response = match route {
        Some(route) => exchange.route(&route).await,
        None => exchange.error(&PageError::new(404, "not_found", "no such path")),
    };
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}

impl Exchange<'_> {
    async fn route(&self, route: &Route) -> Response {
        let origin = self.incoming.header(header::ORIGIN);
        if self.incoming.method == Method::OPTIONS {
            let mut response = respond::empty(StatusCode::NO_CONTENT);
            cors::preflight(response.headers_mut(), self.context.snapshot, route, origin);
            return response;
        }
        let mut response = match self.incoming.method {
            Method::GET | Method::HEAD => self.get(route).await,
            Method::POST => self.post(route).await,
            _ => self.method_not_allowed(),
        };
        cors::decorate(response.headers_mut(), self.context.snapshot, route, origin);
        self.hand_out_nonce(route, &mut response);
        response
    }

    /// Whoever sends a DPoP proof gets a nonce for the next one (RFC 9449 §8.2, §9).
    fn hand_out_nonce(&self, route: &Route, response: &mut Response) {
        let proves = matches!(route, Route::Token | Route::Userinfo | Route::Push)
            && self.incoming.proof() != ProofHeader::Nothing;
        let nonce = if proves { dpop::nonce(&self.context) } else { None };
        if let Some(value) = nonce.and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
            response.headers_mut().insert("dpop-nonce", value);
        }
    }

    async fn get(&self, route: &Route) -> Response {
        let (context, query, browser) = (&self.context, &self.incoming.query, &self.browser);
        match route {
            Route::Discovery => respond::public("application/json", &context.snapshot.discovery, DOCUMENT_MAX_AGE),
            Route::Jwks => {
                respond::public("application/jwk-set+json", &context.services.keys.set().jwks(), DOCUMENT_MAX_AGE)
            }
            Route::Authorize => self.outcome(authorize::authorize(context, query, browser).await),
            Route::Callback(providers) => self.outcome(callback::callback(context, providers, query, browser).await),
            Route::Userinfo => self.userinfo(None).await,
            Route::EndSession => self.logout(logout::end_session(context, query, browser).await),
            Route::LogoutCallback(provider) => self.logout(logout::returned(context, provider, query, browser).await),
            Route::SignedOut => self.logout(logout::Next::Done { client: None, frames: Vec::new() }.into()),
            Route::Asset(name) => self.asset(name),
            Route::Home => self.home().await,
            Route::Token
            | Route::Introspect
            | Route::Revoke
            | Route::Push
            | Route::BackchannelLogout(_)
            | Route::SignIn
            | Route::Consent
            | Route::ConfirmSignOut => self.method_not_allowed(),
        }
    }

    async fn post(&self, route: &Route) -> Response {
        let (context, browser) = (&self.context, &self.browser);
        match route {
            // These come cross-site, without cookies: a hop by GET on our own site brings them along.
            Route::Authorize | Route::EndSession | Route::Callback(_) => self.hop(),
            Route::SignIn => {
                self.own_form(|form| async move { self.outcome(forms::sign_in(context, &form, browser).await) }).await
            }
            Route::Consent => {
                self.own_form(|form| async move { self.outcome(forms::consent(context, &form, browser).await) }).await
            }
            Route::ConfirmSignOut => {
                self.own_form(|form| async move { self.logout(logout::confirmed(context, &form, browser).await) }).await
            }
            Route::Token => {
                let answer =
                    token::token(context, self.authorization(), self.incoming.proof(), &self.incoming.form()).await;
                self.json(answer)
            }
            Route::Introspect => {
                let answer = introspect::introspect(context, self.authorization(), &self.incoming.form()).await;
                self.json(answer)
            }
            Route::Push => {
                let answer =
                    pushed::push(context, self.authorization(), self.incoming.proof(), &self.incoming.form()).await;
                self.json_with(StatusCode::CREATED, answer)
            }
            Route::Revoke => match revoke::revoke(context, self.authorization(), &self.incoming.form()).await {
                Ok(()) => respond::empty(StatusCode::OK),
                Err(failure) => error::oauth(&failure, &context.snapshot.issuer.origin),
            },
            Route::BackchannelLogout(provider) => {
                match upstream_logout::upstream_logout(context, provider, &self.incoming.form()).await {
                    Ok(()) => respond::empty(StatusCode::OK),
                    Err(failure) => error::plain(&failure),
                }
            }
            Route::Userinfo => {
                let form = self.incoming.form();
                self.userinfo(form.one("access_token").ok().flatten()).await
            }
            Route::Discovery
            | Route::Jwks
            | Route::LogoutCallback(_)
            | Route::SignedOut
            | Route::Asset(_)
            | Route::Home => self.method_not_allowed(),
        }
    }

    fn method_not_allowed(&self) -> Response {
        self.error(&PageError::new(405, "method_not_allowed", "not served by this method"))
    }

    fn authorization(&self) -> Option<&str> {
        self.incoming.header(header::AUTHORIZATION)
    }

    fn json(&self, answer: Result<impl Serialize, Unauthenticated>) -> Response {
        self.json_with(StatusCode::OK, answer)
    }

    fn json_with(&self, status: StatusCode, answer: Result<impl Serialize, Unauthenticated>) -> Response {
        match answer {
            Ok(body) => respond::json(status, &body),
            Err(failure) => error::oauth(&failure, &self.context.snapshot.issuer.origin),
        }
    }

    /// The same request by GET, so that the browser sends its cookies (they are `SameSite=Lax`).
    fn hop(&self) -> Response {
        let form = self.incoming.form();
        let mut query = self.incoming.query.encode();
        if !query.is_empty() && !form.pairs().is_empty() {
            query.push('&');
        }
        query.push_str(&form.encode());
        respond::see_other(&format!("{}{}?{query}", self.context.snapshot.issuer.origin, self.incoming.path))
    }

    /// A form of our own pages: refused when another site posts it. The interaction's secret id in the form, compared
    /// with the browser's cookie, is its CSRF token.
    async fn own_form<F: Future<Output = Response>>(&self, serve: impl FnOnce(Params) -> F) -> Response {
        let site = self.incoming.headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
        let origin = self.incoming.header(header::ORIGIN);
        let foreign = site.is_some_and(|site| site == "cross-site" || site == "same-site")
            || origin.is_some_and(|origin| origin != "null" && origin != self.context.snapshot.issuer.origin);
        if foreign {
            return self.error(&PageError::new(403, "csrf_failed", "the form was posted by another site"));
        }
        serve(self.incoming.form()).await
    }

    async fn userinfo(&self, in_body: Option<&str>) -> Response {
        let realm = &self.context.snapshot.issuer.origin;
        let header = |scheme| self.authorization().and_then(|header| strip_scheme(header, scheme));
        let proven = Scheme::Dpop { proof: self.incoming.proof(), method: self.incoming.method.as_str() };
        let in_header = header("bearer").map(|token| (token, Scheme::Bearer));
        let in_header = in_header.or_else(|| header("dpop").map(|token| (token, proven)));
        let (token, scheme) = match (in_header, in_body) {
            (Some(presented), None) => presented,
            (None, Some(token)) => (token, Scheme::Bearer),
            (Some(_), Some(_)) => {
                let text = "send the access token once: in the header or in the body";
                let failure = crate::op::error::OAuthError::new(ErrorCode::InvalidRequest, text);
                return error::bearer(&failure, realm);
            }
            (None, None) => return error::bearer_missing(realm),
        };
        match userinfo::userinfo(&self.context, token, scheme).await {
            Ok(Userinfo::Plain(claims)) => respond::json(StatusCode::OK, &claims),
            Ok(Userinfo::Signed(jwt)) => respond::text("application/jwt", jwt),
            Err(failure) => match scheme {
                Scheme::Bearer => error::bearer(&failure, realm),
                Scheme::Dpop { .. } => error::dpop(&failure, realm),
            },
        }
    }

    /// A static file. Caches keep what was asked for by its version of the moment, and nothing under another version: a page
    /// of the generation before must not leave today's colours behind under yesterday's address.
    fn asset(&self, name: &str) -> Response {
        let Some((kind, contents, version)) = self.context.snapshot.pages.asset(name) else {
            return self.error(&PageError::new(404, "not_found", "no such asset"));
        };
        let seconds = match self.incoming.query.one("v") {
            Ok(Some(asked)) if asked == version => ASSET_MAX_AGE,
            Ok(None) => DOCUMENT_MAX_AGE,
            _ => 0,
        };
        respond::public(kind, contents, seconds)
    }

    async fn home(&self) -> Response {
        let view = session::live(&self.context, &self.browser).await.ok().flatten();
        let name = view.map(|view| {
            let name = view.user.profile.get("name").and_then(|name| name.as_str());
            name.unwrap_or(&view.user.username).to_owned()
        });
        let sign_out = self.context.snapshot.issuer.path_of(&self.context.snapshot.config.endpoints.end_session);
        let page = pages::Home {
            issuer: self.context.snapshot.issuer.text.clone(),
            sign_out_path: name.is_some().then_some(sign_out),
            user_name: name,
        };
        self.page(StatusCode::OK, None, &page, &[])
    }

    /// Renders a page. `onward` are addresses, besides our own, that its form may lead to.
    fn page<V: View>(&self, status: StatusCode, ui_locales: Option<&str>, view: &V, onward: &[&str]) -> Response {
        let targets: Vec<url::Url> = onward.iter().filter_map(|uri| url::Url::parse(uri).ok()).collect();
        let pictures = self.context.snapshot.pages.pictures(view);
        self.page_under(&content_security_policy(&targets, pictures), status, ui_locales, view)
    }

    /// Renders a page that has these addresses in frames.
    fn framing<V: View>(&self, frames: &[url::Url], view: &V) -> Response {
        let policy = content_security_policy([], self.context.snapshot.pages.pictures(view));
        self.page_under(&format!("{policy}{}", frame_sources(frames)), StatusCode::OK, None, view)
    }

    /// Renders a page that is sent with this content security policy.
    fn page_under<V: View>(&self, policy: &str, status: StatusCode, ui_locales: Option<&str>, view: &V) -> Response {
        let accepted = self.incoming.header(header::ACCEPT_LANGUAGE);
        match self.context.snapshot.pages.render(Lang::negotiate(ui_locales, accepted), view) {
            Ok(html) => respond::page(status, html, policy),
            Err(error) => {
                tracing::error!(%error, trace_id = %self.context.trace_id, "a page can't be rendered");
                respond::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    fn error(&self, failure: &PageError) -> Response {
        let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if failure.status != 404 {
            let (reason, detail) = (failure.reason, &failure.detail);
            tracing::info!(event = "error_page", reason, detail, trace_id = %self.context.trace_id, "showed an error");
        }
        let view = pages::ErrorPage {
            status: failure.status,
            reason_code: failure.reason.to_owned(),
            trace_id: Some(self.context.trace_id.clone()),
            detail: None,
            client_name: failure.client.as_deref().map(|key| self.client_name(key, None)),
            provider_name: failure.provider.as_deref().map(|id| self.context.snapshot.provider_name(id).to_owned()),
            back_uri: failure.back.as_deref().and_then(WebUri::parse),
        };
        let mut response = self.page(status, None, &view, &[]);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }

    fn with_cookies(&self, mut response: Response, set: &[SetCookie]) -> Response {
        for cookie in set {
            if let Some(value) = cookies::write(cookie, &self.context.snapshot.issuer) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
        }
        response
    }

    fn outcome(&self, outcome: Outcome) -> Response {
        let response = match &outcome.next {
            Next::Provider(url) => self.leave(url),
            Next::App(answer) => self.answer(answer),
            Next::Error(failure) => self.error(failure),
            Next::SignIn(page) => self.sign_in(page),
            Next::Consent(page) => self.consent(page),
        };
        self.with_cookies(response, &outcome.cookies)
    }

    /// The answer to an app, in the response mode that it asked for.
    fn answer(&self, answer: &Answer) -> Response {
        let uri = &answer.to.redirect_uri;
        let posted = answer.to.mode == ResponseMode::FormPost;
        match posted.then(|| WebUri::parse(uri)).flatten() {
            Some(action) => {
                let fields = answer.fields.iter().map(|(name, value)| pages::Field::new(name, value)).collect();
                self.page(StatusCode::OK, None, &pages::FormPost { action, fields }, &[uri])
            }
            None => self.leave(&answer.url()),
        }
    }

    /// A form of ours: the interaction's secret id, bound to the browser's cookie, is its CSRF token.
    fn form(&self, path: &str, interaction: &str) -> PostForm {
        PostForm {
            action: self.context.snapshot.issuer.path_of(path),
            csrf: interaction.to_owned(),
            fields: Vec::new(),
        }
    }

    fn client_name(&self, key: &str, ui_locales: Option<&str>) -> String {
        let languages = self.incoming.header(header::ACCEPT_LANGUAGE).unwrap_or_default();
        let languages: Vec<String> = ui_locales
            .unwrap_or_default()
            .split_ascii_whitespace()
            .chain(languages.split(',').filter_map(|part| part.split(';').next()))
            .map(|tag| tag.trim().to_owned())
            .collect();
        self.context.snapshot.clients.get(key).map_or(key, |client| client.name_in(&languages)).to_owned()
    }

    fn sign_in(&self, page: &SignInPage) -> Response {
        let client = self.context.snapshot.clients.get(&page.client);
        let uri = |uri: Option<&String>| uri.and_then(|uri| WebUri::parse(uri));
        let view = pages::SignIn {
            client_name: self.client_name(&page.client, page.ui_locales.as_deref()),
            client_logo: uri(client.and_then(|client| client.logo_uri.as_ref())),
            client_uri: uri(client.and_then(|client| client.client_uri.as_ref())),
            providers: page
                .choices
                .iter()
                .map(|choice| pages::Provider {
                    name: choice.name.clone(),
                    action_value: choice.id.clone(),
                    last_used: choice.last_used,
                })
                .collect(),
            show_email_field: page.by_address,
            login_hint: page.login_hint.clone(),
            error: page.unknown_address.then(|| "domain_unknown".to_owned()),
            form: self.form(paths::SIGN_IN, &page.interaction),
        };
        self.page(StatusCode::OK, page.ui_locales.as_deref(), &view, &self.native(&page.client))
    }

    /// To another site. Browsers apply `form-action` to every redirect behind a form, and a provider or an app may send
    /// the browser on to hosts that nobody here knows: so they get a page that leads on by itself. Such browsers say so
    /// by fetch metadata; everybody else gets the redirect.
    fn leave(&self, url: &str) -> Response {
        let behind_form = self.incoming.method == Method::POST && self.incoming.headers.contains_key("sec-fetch-site");
        match behind_form.then(|| WebUri::parse(url)).flatten() {
            Some(to) => self.page(StatusCode::OK, None, &pages::Onward { to }, &[]),
            None => respond::see_other(url),
        }
    }

    /// Where the redirect behind a form may lead: to a native app's own scheme. Everything else leaves by [`Self::leave`].
    fn native(&self, client: &str) -> Vec<&str> {
        let uris = self.context.snapshot.clients.get(client).map(|client| client.redirect_uris.as_slice());
        uris.unwrap_or_default().iter().map(String::as_str).filter(|uri| WebUri::parse(uri).is_none()).collect()
    }

    fn consent(&self, page: &ConsentPage) -> Response {
        let client = self.context.snapshot.clients.get(&page.client);
        let uri = |uri: Option<&String>| uri.and_then(|uri| WebUri::parse(uri));
        let view = pages::Consent {
            client_name: self.client_name(&page.client, page.ui_locales.as_deref()),
            client_logo: uri(client.and_then(|client| client.logo_uri.as_ref())),
            user_name: page.user.clone(),
            scopes: page
                .scopes
                .iter()
                .map(|(name, description)| pages::Scope { name: name.clone(), description: description.clone() })
                .collect(),
            policy_uri: uri(client.and_then(|client| client.policy_uri.as_ref())),
            tos_uri: uri(client.and_then(|client| client.tos_uri.as_ref())),
            form: self.form(paths::CONSENT, &page.interaction),
        };
        self.page(StatusCode::OK, page.ui_locales.as_deref(), &view, &self.native(&page.client))
    }

    fn logout(&self, outcome: logout::Outcome) -> Response {
        let frames: Vec<WebUri> = outcome.next.frames().iter().filter_map(|url| WebUri::parse(url.as_str())).collect();
        let response = match &outcome.next {
            logout::Next::Redirect { to, .. } if frames.is_empty() => self.leave(to),
            logout::Next::Redirect { to: url, .. } => match Destination::parse(url) {
                Some(to) => self.framing(outcome.next.frames(), &pages::SigningOut { frames, to }),
                None => respond::see_other(url),
            },
            logout::Next::Error(failure) => self.error(failure),
            logout::Next::Done { client, .. } => {
                let client_uri =
                    client.as_ref().and_then(|key| self.context.snapshot.clients.get(key)?.client_uri.clone());
                let client_name = client.as_ref().map(|key| self.client_name(key, None));
                let back_uri = client_uri.as_deref().and_then(WebUri::parse);
                let view = pages::SignedOut { client_name, back_uri, frames };
                self.framing(outcome.next.frames(), &view)
            }
            logout::Next::Stay => respond::see_other(&self.context.snapshot.issuer.url_of("/")),
            logout::Next::Confirm { client, user, interaction } => {
                let view = pages::ConfirmSignOut {
                    client_name: client.as_ref().map(|key| self.client_name(key, None)),
                    user_name: user.clone(),
                    form: self.form(paths::CONFIRM_SIGN_OUT, interaction),
                };
                self.page(StatusCode::OK, None, &view, &[])
            }
        };
        self.with_cookies(response, &outcome.cookies)
    }
}
