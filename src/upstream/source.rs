//! Where a provider's documents are found, and where calls for it may go.

use url::Url;

use crate::outbound::OutboundPolicy;
use crate::upstream::tenants::{TEMPLATE, Tenants};

/// Where a provider's documents are found, and how it may be called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The provider's id.
    pub id: String,
    /// The issuer, character for character.
    pub issuer: String,
    /// The issuer that the discovery document names may end with a slash or not: the file has the address of that document, or
    /// the provider's quirks say so.
    pub optional_slash: bool,
    /// Whether the provider signs ID tokens, so that it has a key set.
    pub openid: bool,
    /// Whether `iss` in its responses can be compared: a provider whose issuer nobody knows may name any.
    pub names_issuer: bool,
    /// Each tenant is an issuer of its own.
    pub tenants: Option<Tenants>,
    /// The issuer as a URL.
    pub issuer_url: Url,
    /// Where discovery and back-channel calls go instead.
    pub backchannel: Option<Url>,
    /// Endpoints that the operator wrote.
    pub manual: ManualEndpoints,
    /// The keys of its security event tokens, where they are others than those of its ID tokens.
    pub signals_jwks: Option<Url>,
    /// Where calls may go.
    pub policy: OutboundPolicy,
}

impl Source {
    /// Whether `issuer` is how the provider may name itself: the issuer in the file or, where it does not matter, the same with
    /// or without a slash at its end, because both have the same discovery document.
    #[must_use]
    pub fn may_be_named(&self, issuer: &str) -> bool {
        let bare = |text: &'_ str| text.strip_suffix('/').unwrap_or(text).to_owned();
        issuer == self.issuer
            || (self.optional_slash && bare(issuer) == bare(&self.issuer))
            || self.tenants.as_ref().is_some_and(|tenants| tenants.may_be_named(issuer))
    }

    /// Whether a token with this `iss` and `tid` is of the provider whose discovery document names `named`.
    pub(crate) fn issued(&self, named: &str, iss: &str, tid: Option<&str>) -> bool {
        match &self.tenants {
            Some(tenants) if iss != named => tenants.issued(named, iss, tid),
            _ => iss == named && !named.contains(TEMPLATE),
        }
    }

    /// Whether a key that names this issuer in its key set may sign tokens of `iss`.
    pub(crate) fn signs(&self, key: Option<&str>, iss: Option<&str>, tid: Option<&str>) -> bool {
        match (&self.tenants, key) {
            (Some(tenants), Some(key)) => tenants.signs(key, iss, tid),
            _ => true,
        }
    }

    /// Whether a response that names this issuer is of the provider whose discovery document names `named`.
    #[must_use]
    pub fn answers(&self, named: &str, iss: &str) -> bool {
        iss == named || self.tenants.as_ref().is_some_and(|tenants| tenants.may_be_named(iss))
    }

    /// The URLs that the operator wrote.
    pub fn written(&self) -> impl Iterator<Item = &Url> {
        let own = [Some(&self.issuer_url), self.backchannel.as_ref(), self.signals_jwks.as_ref()];
        own.into_iter().flatten().chain(self.manual.urls())
    }
}

/// Endpoints that the operator wrote. They go before discovered ones; discovery is skipped when authorization, token and
/// key set are all written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ManualEndpoints {
    /// `authorization_endpoint`
    pub authorization: Option<Url>,
    /// `token_endpoint`
    pub token: Option<Url>,
    /// `userinfo_endpoint`
    pub userinfo: Option<Url>,
    /// `jwks_uri`
    pub jwks: Option<Url>,
}

impl ManualEndpoints {
    pub(crate) fn urls(&self) -> impl Iterator<Item = &Url> {
        [&self.authorization, &self.token, &self.userinfo, &self.jwks].into_iter().flatten()
    }
}
