//! The issuer identifier and the URLs that follow from it. Never derived from a request.

use url::Url;

use crate::config::language::server::Endpoints;

/// The issuer and its base.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The identifier, character for character as configured (OIDC Discovery §3).
    pub text: String,
    /// Its origin, such as `https://sso.example.com`.
    pub origin: String,
    /// Its path without a trailing slash; empty for the root.
    pub path: String,
    /// Whether browsers reach it by https, and so cookies are `Secure` and `__Host-`.
    pub secure: bool,
    /// What its cookies are called.
    pub cookies: CookieNames,
}

/// Names of cookies: `__Host-` prefixed where the browser takes that (RFC 6265bis §4.1.3.2), and with a short name of the
/// issuer, so that brokers on one host stay apart.
#[derive(Clone, Debug)]
pub struct CookieNames {
    /// The session.
    pub session: String,
    /// What binds a sign-in to the browser.
    pub browser: String,
    /// The provider that was used last.
    pub provider: String,
}

impl CookieNames {
    fn new(secure: bool, issuer: &str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, issuer.as_bytes());
        let tag: String = digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let prefix = if secure { "__Host-" } else { "" };
        let named = |name: &str| format!("{prefix}countersign-{name}-{tag}");
        Self { session: named("session"), browser: named("browser"), provider: named("provider") }
    }
}

impl Issuer {
    /// Parses a checked issuer.
    ///
    /// # Errors
    /// When it is no absolute URL.
    pub fn parse(text: &str) -> Result<Self, url::ParseError> {
        let url = Url::parse(text)?;
        let secure = url.scheme() == "https";
        Ok(Self {
            text: text.to_owned(),
            origin: url.origin().ascii_serialization(),
            path: url.path().trim_end_matches('/').to_owned(),
            secure,
            cookies: CookieNames::new(secure, text),
        })
    }

    /// The path of an endpoint on this host.
    #[must_use]
    pub fn path_of(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.path)
    }

    /// The URL of an endpoint.
    #[must_use]
    pub fn url_of(&self, endpoint: &str) -> String {
        format!("{}{}{endpoint}", self.origin, self.path)
    }
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/.well-known/openid-configuration` and RFC 8414's.
    Discovery,
    /// The authorization endpoint.
    Authorize,
    /// The token endpoint.
    Token,
    /// The userinfo endpoint.
    Userinfo,
    /// RP-initiated logout.
    EndSession,
    /// The broker's keys.
    Jwks,
    /// Token introspection.
    Introspect,
    /// Token revocation.
    Revoke,
    /// Pushed authorization requests.
    Push,
    /// A provider's callback; several providers may share it.
    Callback(Vec<String>),
    /// The return from a provider's logout.
    LogoutCallback(String),
    /// Where a provider says that somebody signed out there.
    BackchannelLogout(String),
    /// The sign-in page's form.
    SignIn,
    /// The consent page's form.
    Consent,
    /// The form that confirms a sign-out.
    ConfirmSignOut,
    /// The signed-out page.
    SignedOut,
    /// An embedded asset.
    Asset(String),
    /// The page at the root.
    Home,
}

/// Fixed paths, below the issuer's.
pub mod paths {
    /// The sign-in page's form.
    pub const SIGN_IN: &str = "/sign-in";
    /// The consent page's form.
    pub const CONSENT: &str = "/consent";
    /// The form that confirms a sign-out.
    pub const CONFIRM_SIGN_OUT: &str = "/logout/confirm";
    /// The signed-out page.
    pub const SIGNED_OUT: &str = "/logout/done";
    /// Before a provider id: the return from its logout.
    pub const LOGOUT_CALLBACK: &str = "/logout/callback/";
    /// Before a provider id: where it posts its logout tokens.
    pub const BACKCHANNEL_LOGOUT: &str = "/backchannel-logout/";
    /// Before a provider id: its callback, unless configured.
    pub const CALLBACK: &str = "/callback/";
    /// Before an asset's name.
    pub const STATIC: &str = "/static/";
    /// OIDC Discovery §4.
    pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
    /// RFC 8414 §3.
    pub const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";
}

/// The exact paths of fixed routes.
#[must_use]
pub fn fixed_routes(issuer: &Issuer, endpoints: &Endpoints) -> Vec<(String, Route)> {
    let mut routes: Vec<(String, Route)> = [
        (paths::OPENID_CONFIGURATION, Route::Discovery),
        (endpoints.authorization.as_str(), Route::Authorize),
        (endpoints.token.as_str(), Route::Token),
        (endpoints.userinfo.as_str(), Route::Userinfo),
        (endpoints.end_session.as_str(), Route::EndSession),
        (endpoints.jwks.as_str(), Route::Jwks),
        (endpoints.introspection.as_str(), Route::Introspect),
        (endpoints.revocation.as_str(), Route::Revoke),
        (endpoints.pushed_authorization_request.as_str(), Route::Push),
        (paths::SIGN_IN, Route::SignIn),
        (paths::CONSENT, Route::Consent),
        (paths::CONFIRM_SIGN_OUT, Route::ConfirmSignOut),
        (paths::SIGNED_OUT, Route::SignedOut),
        ("/", Route::Home),
        ("", Route::Home),
    ]
    .into_iter()
    .map(|(path, route)| (issuer.path_of(path), route))
    .collect();
    // RFC 8414 §3.1 puts the well-known part before the issuer's path.
    routes.push((format!("{}{}", paths::OAUTH_METADATA, issuer.path), Route::Discovery));
    routes
}
