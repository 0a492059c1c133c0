//! `[providers.X] introspect`: which of a provider's own tokens may be introspected at the broker.

use schemars::JsonSchema;
use serde::Deserialize;

/// `introspect`: whether the provider's bearer tokens can be introspected here, or for which further audiences.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Introspect {
    /// Whether the tokens that it issued to the broker, or for it, can be introspected here.
    Own(bool),
    /// Those, and the tokens for further audiences.
    Further(IntrospectSettings),
}

/// `introspect = { ... }`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntrospectSettings {
    /// Audiences (`aud`) besides the broker's client id: tokens for one of them can be introspected here too, whichever app the
    /// provider issued them to.
    #[schemars(length(min = 1))]
    pub audiences: Vec<String>,
}

impl Default for Introspect {
    fn default() -> Self {
        Self::Own(false)
    }
}

impl Introspect {
    /// Whether any of the provider's tokens can be introspected here.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        matches!(self, Self::Own(true) | Self::Further(_))
    }

    /// The audiences besides the broker's client id.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        match self {
            Self::Own(_) => &[],
            Self::Further(settings) => &settings.audiences,
        }
    }
}
