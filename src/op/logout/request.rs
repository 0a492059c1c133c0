//! A valid logout request, as data (OIDC RP-Initiated Logout 1.0 §2).

use serde::{Deserialize, Serialize};

/// A valid logout request, stored while the user confirms it or is at the provider's logout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutRequest {
    /// Key of the client that asks, where one is known.
    pub client: Option<String>,
    /// Registered URI to return to.
    pub back: Option<String>,
    /// `state`, returned as sent.
    pub state: Option<String>,
}
