//! `[providers.X]`, resolved.

use url::{Host, Url};

use crate::config::language::Config;
use crate::config::language::provider::{Provider as Declared, Reauth};
use crate::config::language::refresh::OnRefresh;
use crate::config::language::scalar::Duration;
use crate::config::resolved::preset;
use crate::protocol::paths::{CALLBACK, SIGNALS};

/// A provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its id: the key in the file.
    pub id: String,
    /// Its name on the pages.
    pub name: String,
    /// When false, nobody can sign in through it, and its sessions yield nothing.
    pub enabled: bool,
    /// Whether it is only for clients that name it.
    pub hidden: bool,
    /// Its issuer; `None` if the preset has none.
    pub issuer: Option<String>,
    /// The full URL of the callback, as registered with the provider.
    pub redirect_uri: String,
    /// The path of the callback on the broker's host, including the issuer's path. Several providers may share it.
    pub callback_path: String,
    /// The path that it posts security events to, including the issuer's path; `None` where it sends none.
    pub signals_path: Option<String>,
    /// Address domains that lead to this provider, in lower case; internationalised ones in their encoded form. `*.` before one
    /// stands for every domain below it.
    pub domains: Vec<String>,
    /// Whether its bearer tokens can be introspected here.
    pub introspect: bool,
    /// How `prompt=login` and `max_age` are fulfilled.
    pub reauth: Reauth,
    /// Where a refresh takes its claims from.
    pub on_refresh: OnRefresh,
    /// Limits of its sessions.
    pub session: SessionBounds,
}

/// How long the sessions of a provider last: `[session]`, shortened by the provider's own limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionBounds {
    /// A session ends after this time of inactivity.
    pub max_inactive: Duration,
    /// A session ends at this age.
    pub max_lifetime: Duration,
    /// A session ends when the upstream access token expires, if the provider states when that is.
    pub follow_upstream_expiry: bool,
}

impl SessionBounds {
    /// The limits of `[session]`.
    #[must_use]
    pub fn everyone(config: &Config) -> Self {
        let (max_inactive, max_lifetime) = (config.session.max_inactive, config.session.max_lifetime);
        Self { max_inactive, max_lifetime, follow_upstream_expiry: false }
    }

    fn of(config: &Config, declared: &Declared) -> Self {
        let (everyone, own) = (Self::everyone(config), &declared.session);
        let narrowed = |own: Option<Duration>, bound: Duration| own.map_or(bound, |own| own.min(bound));
        Self {
            max_inactive: narrowed(own.max_inactive, everyone.max_inactive),
            max_lifetime: narrowed(own.max_lifetime, everyone.max_lifetime),
            follow_upstream_expiry: own.follow_upstream_expiry,
        }
    }
}

impl Provider {
    /// Resolves the provider that the file declares as `id`.
    #[must_use]
    pub fn of(config: &Config, id: &str, declared: &Declared) -> Self {
        let callback = callback(&config.issuer, id, declared);
        Self {
            id: id.to_owned(),
            name: declared.name.clone().unwrap_or_else(|| id.to_owned()),
            enabled: declared.enabled,
            hidden: declared.hidden,
            issuer: preset::issuer(declared).map(|issuer| issuer.to_string()),
            redirect_uri: callback.uri,
            callback_path: callback.path,
            signals_path: signals_path(&config.issuer, id, declared),
            domains: declared.domains.iter().map(|domain| comparable(domain)).collect(),
            introspect: declared.introspect.is_on(),
            reauth: preset::reauth(declared),
            on_refresh: declared.on_refresh.clone(),
            session: SessionBounds::of(config, declared),
        }
    }

    /// How closely one of its `domains` fits the domain of an address: the longest counts, and a domain itself more than one with
    /// `*.`, which stands for every domain below it. `None` if none fits. Domains are compared without regard to case, and to
    /// whether they are written in their own script or encoded.
    #[must_use]
    pub fn fits_domain(&self, domain: &str) -> Option<usize> {
        let domain = comparable(domain);
        let fits = |own: &String| match own.strip_prefix('*') {
            Some(below) => domain.strip_suffix(below).filter(|rest| !rest.is_empty()).map(|_| below.len()),
            None => (*own == domain).then_some(usize::MAX),
        };
        self.domains.iter().filter_map(fits).max()
    }
}

/// Where a provider posts security events: below the issuer, by default at `/signals/ID`.
fn signals_path(issuer: &str, id: &str, declared: &Declared) -> Option<String> {
    let signals = declared.signals.as_ref()?;
    let below = signals.path.clone().unwrap_or_else(|| format!("{SIGNALS}{id}"));
    let base = Url::parse(issuer).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    Some(format!("{base}{below}"))
}

/// A domain in the form that is compared.
fn comparable(domain: &str) -> String {
    if let Some(below) = domain.strip_prefix("*.") {
        return format!("*.{}", comparable(below));
    }
    match Host::parse(domain) {
        Ok(Host::Domain(domain)) => domain,
        _ => domain.to_lowercase(),
    }
}

/// Where a provider sends the browser back to.
pub struct Callback {
    /// The full URL, as registered with the provider.
    pub uri: String,
    /// The path on the broker's host, including the issuer's path.
    pub path: String,
}

/// The callback of a provider: `redirect_uri` if it is set, otherwise below the issuer, by default at `/callback/ID`.
#[must_use]
pub fn callback(issuer: &str, id: &str, declared: &Declared) -> Callback {
    let below = declared.redirect_path.clone().unwrap_or_else(|| format!("{CALLBACK}{id}"));
    let uri = declared.redirect_uri.clone().unwrap_or_else(|| format!("{}{below}", issuer.trim_end_matches('/')));
    let path = Url::parse(&uri).map_or(below, |url| url.path().to_owned());
    Callback { uri, path }
}
