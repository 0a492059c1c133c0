//! Subject identifier types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How `sub` is made (OIDC Core §8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// The same `sub` for every client.
    #[default]
    Public,
    /// Another `sub` for every sector.
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
