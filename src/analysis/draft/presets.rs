//! Which settings of a provider a form has: those that the chosen preset has, and any others that the entry has.

use serde::Deserialize as _;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

use crate::config::language::provider::Preset;

/// The presets that have a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// All of them; also entries that are no providers.
    Any,
    /// Those that support OpenID Connect.
    OpenId,
    /// These.
    These(&'static [Preset]),
}

impl Only {
    /// Whether it has this preset.
    #[must_use]
    pub fn has(self, preset: Preset) -> bool {
        match self {
            Self::Any => true,
            Self::OpenId => preset.is_openid(),
            Self::These(presets) => presets.contains(&preset),
        }
    }
}

/// Which entries need a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// None.
    Never,
    /// All.
    Always,
    /// Those with these presets, unless they do without already: `check` knows what may take its place.
    By(&'static [Preset]),
}

/// The preset with a name; the default for a name that is none.
#[must_use]
pub fn preset(name: &str) -> Preset {
    let read = Preset::deserialize(IntoDeserializer::<Error>::into_deserializer(name));
    read.unwrap_or_default()
}
