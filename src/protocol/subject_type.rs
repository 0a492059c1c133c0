//! Subject identifier types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How `sub` is derived (OIDC Core §8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// The same `sub` for every client.
    #[default]
    Public,
    /// A different `sub` for each sector.
    Pairwise,
}

impl SubjectType {
    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Pairwise => "pairwise",
        }
    }
}
