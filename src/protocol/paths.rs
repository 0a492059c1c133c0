//! Every path that the broker serves or reserves, below the path of its issuer. `check`, the router, discovery and CORS
//! read this table; the paths of one configuration, and conflicts between them, are in
//! [`config::check::paths`](crate::config::check::paths).

/// An endpoint whose path `[endpoints]` sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The authorization endpoint (RFC 6749 §3.1).
    Authorization,
    /// The token endpoint (RFC 6749 §3.2).
    Token,
    /// The userinfo endpoint (OIDC Core §5.3).
    Userinfo,
    /// The end session endpoint (OIDC RP-Initiated Logout §2).
    EndSession,
    /// The broker's public keys (RFC 7517 §5).
    Jwks,
    /// The introspection endpoint (RFC 7662 §2).
    Introspection,
    /// The revocation endpoint (RFC 7009 §2).
    Revocation,
    /// The device authorization endpoint (RFC 8628 §3.1).
    DeviceAuthorization,
    /// The pushed authorization request endpoint (RFC 9126 §2).
    PushedAuthorizationRequest,
    /// The client registration endpoint (RFC 7591 §3).
    Registration,
}

impl Endpoint {
    /// Every endpoint, in the order of `[endpoints]`.
    pub const ALL: [Self; 10] = [
        Self::Authorization,
        Self::Token,
        Self::Userinfo,
        Self::EndSession,
        Self::Jwks,
        Self::Introspection,
        Self::Revocation,
        Self::DeviceAuthorization,
        Self::PushedAuthorizationRequest,
        Self::Registration,
    ];

    /// Its key in `[endpoints]`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Token => "token",
            Self::Userinfo => "userinfo",
            Self::EndSession => "end_session",
            Self::Jwks => "jwks",
            Self::Introspection => "introspection",
            Self::Revocation => "revocation",
            Self::DeviceAuthorization => "device_authorization",
            Self::PushedAuthorizationRequest => "pushed_authorization_request",
            Self::Registration => "registration",
        }
    }

    /// Its path unless `[endpoints]` sets another.
    #[must_use]
    pub const fn default_path(self) -> &'static str {
        match self {
            Self::Authorization => "/oauth2/authorize",
            Self::Token => "/oauth2/token",
            Self::Userinfo => "/oauth2/userinfo",
            Self::EndSession => "/oauth2/logout",
            Self::Jwks => "/oauth2/jwks",
            Self::Introspection => "/oauth2/introspect",
            Self::Revocation => "/oauth2/revoke",
            Self::DeviceAuthorization => "/oauth2/device",
            Self::PushedAuthorizationRequest => "/oauth2/par",
            Self::Registration => "/oauth2/register",
        }
    }

    /// Its name in the discovery document (OIDC Discovery §3, RFC 8414 §2, RFC 8628 §4, RFC 9126 §5).
    #[must_use]
    pub const fn metadata_name(self) -> &'static str {
        match self {
            Self::Authorization => "authorization_endpoint",
            Self::Token => "token_endpoint",
            Self::Userinfo => "userinfo_endpoint",
            Self::EndSession => "end_session_endpoint",
            Self::Jwks => "jwks_uri",
            Self::Introspection => "introspection_endpoint",
            Self::Revocation => "revocation_endpoint",
            Self::DeviceAuthorization => "device_authorization_endpoint",
            Self::PushedAuthorizationRequest => "pushed_authorization_request_endpoint",
            Self::Registration => "registration_endpoint",
        }
    }

    /// Whether this version serves it. The paths of endpoints that are not served are reserved.
    #[must_use]
    pub const fn is_served(self) -> bool {
        !matches!(self, Self::DeviceAuthorization | Self::Registration)
    }
}

/// A page of the broker, or a form of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The page at the issuer itself.
    Home,
    /// The sign-in page's form.
    SignIn,
    /// The consent page's form.
    Consent,
    /// The form that confirms a sign-out.
    ConfirmSignOut,
    /// The signed-out page.
    SignedOut,
}

impl Page {
    /// Every page.
    pub const ALL: [Self; 5] = [Self::Home, Self::SignIn, Self::Consent, Self::ConfirmSignOut, Self::SignedOut];

    /// Its path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::SignIn => "/sign-in",
            Self::Consent => "/consent",
            Self::ConfirmSignOut => "/logout/confirm",
            Self::SignedOut => "/logout/done",
        }
    }

    /// What it is, for messages.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Home => "the start page",
            Self::SignIn => "the form of the sign-in page",
            Self::Consent => "the form of the consent page",
            Self::ConfirmSignOut => "the form that confirms a sign-out",
            Self::SignedOut => "the signed-out page",
        }
    }
}

/// The discovery document (OIDC Discovery §4).
pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
/// The same document (RFC 8414 §3.1); the issuer's path follows it.
pub const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";

/// The broker's public keys as a client of its providers (RFC 7523 §2.2, RFC 7517 §5).
pub const CLIENT_JWKS: &str = "/oauth2/rp-jwks";
/// The prefix of a provider's callback, unless configured; the provider's id follows.
pub const CALLBACK: &str = "/callback/";
/// The prefix of the return from a provider's logout; the provider's id follows.
pub const LOGOUT_CALLBACK: &str = "/logout/callback/";
/// The prefix of the address for a provider's logout tokens (OIDC Back-Channel Logout §2.5); the provider's id follows.
pub const BACKCHANNEL_LOGOUT: &str = "/backchannel-logout/";
/// The prefix of the address that a provider loads in a frame at a sign-out (OIDC Front-Channel Logout §2); the provider's id
/// follows.
pub const FRONTCHANNEL_LOGOUT: &str = "/frontchannel-logout/";
/// The prefix of the address for a provider's security events (RFC 8935), unless configured; the provider's id follows.
pub const SIGNALS: &str = "/signals/";
/// The break-glass page, unless configured.
pub const BREAK_GLASS: &str = "/login";
/// The prefix of static files; the file's name follows.
pub const STATIC: &str = "/static/";

/// A path that the broker reserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The path.
    pub path: &'static str,
    /// Whether everything below it is reserved too.
    pub below: bool,
    /// What it is reserved for, for messages.
    pub purpose: &'static str,
}

const fn tree(path: &'static str, purpose: &'static str) -> Reserved {
    Reserved { path, below: true, purpose }
}

const fn single(path: &'static str, purpose: &'static str) -> Reserved {
    Reserved { path, below: false, purpose }
}

/// The paths below [`CALLBACK`]: an endpoint can't have one, the callback of a provider can.
pub const CALLBACKS: Reserved = tree("/callback", "the callbacks of providers");

/// The paths below [`SIGNALS`], which `providers.X.signals.path` may have too.
pub const SIGNALS_BELOW: Reserved = tree("/signals", "the security events of providers");

/// The paths that no endpoint and no callback may have, besides those of [`Page`]. The last ones are for future
/// features.
pub const RESERVED: [Reserved; 11] = [
    single(CLIENT_JWKS, "the broker's keys as a client of its providers"),
    tree("/.well-known", "well-known documents"),
    tree("/static", "static files"),
    tree("/logout/callback", "the return from a provider's logout"),
    tree("/backchannel-logout", "the logout tokens of providers"),
    tree("/frontchannel-logout", "the front-channel logout of providers"),
    SIGNALS_BELOW,
    tree("/account", "the account page"),
    tree("/console", "the console"),
    single(BREAK_GLASS, "the break-glass page"),
    single("/device", "the page for device codes"),
];
