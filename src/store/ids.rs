//! Ids of stored records. Each kind has its own type, so that one can't be mistaken for another or for text from outside.

use serde::{Deserialize, Serialize};

use crate::env::{Random, RandomUnavailable};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id of a new record: 128 random bits.
            ///
            /// # Errors
            /// If the generator is not available.
            pub fn random(random: &dyn Random) -> Result<Self, RandomUnavailable> {
                random.id().map(Self)
            }

            /// The id with this text form, as it is in the store or in a token.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// Its text form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// Id of a [`User`](crate::store::model::User): internal, never shown.
    UserId;
    /// Id of a [`Session`](crate::store::model::Session); also the `sid` that apps see (OIDC Back-Channel Logout §2.1).
    SessionId;
    /// Id of a [`Grant`](crate::store::model::Grant); the part of an access token's `jti` before the dot.
    GrantId;
}
