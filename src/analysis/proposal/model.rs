//! What is known of a provider, and what is proposed for it.

use serde_json::{Map, Value};

use crate::config::language::provider::Preset;

/// What is known of a provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// The claims of a sign-in, as they came.
    pub claims: Option<&'a Map<String, Value>>,
    /// `claims_supported` of its discovery document (OIDC Discovery §3).
    pub listed: Option<&'a [String]>,
    /// `scopes_supported` of its discovery document.
    pub scopes: Option<&'a [String]>,
    /// Its issuer.
    pub issuer: Option<&'a str>,
}

/// Lines for `[providers.X]`, with the reason for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    pub(super) preset: Option<(Preset, String)>,
    pub(super) scopes: Option<(Vec<String>, String)>,
    pub(super) claims: Vec<Mapping>,
    pub(super) booleans: Vec<String>,
    pub(super) distinguished_names: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// A line of `[providers.X.claims]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) attribute: &'static str,
    pub(super) expression: String,
    pub(super) why: String,
}

impl Proposal {
    /// Whether there is nothing to propose.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn has(&self, attribute: &str) -> bool {
        self.claims.iter().any(|mapping| mapping.attribute == attribute)
    }

    pub(super) fn map(&mut self, attribute: &'static str, expression: String, why: impl Into<String>) {
        self.claims.push(Mapping { attribute, expression, why: why.into() });
    }
}

/// A list of a quirk with one name more.
pub(super) fn with(before: Option<Vec<String>>, name: &str) -> Vec<String> {
    let mut names = before.unwrap_or_default();
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
    names
}
