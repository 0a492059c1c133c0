//! The issuer identifier and the URLs derived from it. They are never derived from a request.

use url::Url;

use crate::config::check::paths::issuer_path;
use crate::config::language::address::is_loopback;
use crate::digest::sha256_hex;

/// The issuer and its base.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The identifier, character for character as configured (OIDC Discovery §3).
    pub text: String,
    /// Its origin, such as `https://sso.example.com`.
    pub origin: String,
    /// Its path without a trailing slash; empty for the root.
    pub path: String,
    /// Whether browsers reach it by https, and its cookies are therefore `Secure` and `__Host-`.
    pub secure: bool,
    /// How long browsers are asked to use only https for its host, in seconds (RFC 6797 §6.1); `None` if it is not https.
    pub https_only_for: Option<u32>,
    /// The names of its cookies.
    pub cookies: CookieNames,
}

/// Names of cookies: with the prefix `__Host-` if the browser accepts that (RFC 6265bis §4.1.3.2), and with a short name of the
/// issuer, so that brokers on the same host do not share cookies.
#[derive(Clone, Debug)]
pub struct CookieNames {
    /// The session.
    pub session: String,
    /// What binds a sign-in to the browser: the beginning of the name, which ends with a tag of the value.
    pub browser: String,
    /// The provider that was used last.
    pub provider: String,
    /// The request that waits for a sign-in.
    pub waiting: String,
    /// That the session may be one of the break-glass account.
    pub break_glass: String,
}

impl CookieNames {
    fn new(secure: bool, issuer: &str) -> Self {
        let tag: String = sha256_hex(issuer.as_bytes()).chars().take(8).collect();
        let prefix = if secure { "__Host-" } else { "" };
        let named = |name: &str| format!("{prefix}countersign-{name}-{tag}");
        Self {
            session: named("session"),
            browser: named("browser"),
            provider: named("provider"),
            waiting: named("waiting"),
            break_glass: named("break-glass"),
        }
    }
}

/// One year; five minutes on loopback, because other things are developed on the same host.
fn https_only_for(issuer: &Url) -> u32 {
    if issuer.host().is_some_and(|host| is_loopback(&host)) { 300 } else { 365 * 86_400 }
}

impl Issuer {
    /// Parses a checked issuer.
    ///
    /// # Errors
    /// If it is not an absolute URL.
    pub fn parse(text: &str) -> Result<Self, url::ParseError> {
        let url = Url::parse(text)?;
        let secure = url.scheme() == "https";
        Ok(Self {
            text: text.to_owned(),
            origin: url.origin().ascii_serialization(),
            path: issuer_path(&url).to_owned(),
            secure,
            https_only_for: secure.then(|| https_only_for(&url)),
            cookies: CookieNames::new(secure, text),
        })
    }

    /// A path of [`protocol::paths`](crate::protocol::paths), with the issuer's path before it.
    #[must_use]
    pub fn path_of(&self, path: &str) -> String {
        format!("{}{path}", self.path)
    }

    /// The URL of a path of [`protocol::paths`](crate::protocol::paths).
    #[must_use]
    pub fn url_of(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin, self.path)
    }
}
