//! The ways in which a simulated provider can be broken, to see what the broker makes of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A way in which a provider fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Everything but its sign-in page answers 503.
    Down,
    /// The token endpoint refuses the broker's credentials.
    Credentials,
    /// The token endpoint answers with a page, as a proxy in front of it may.
    Page,
    /// ID tokens have expired, as with a clock that is wrong.
    Expired,
    /// ID tokens are for another client.
    Audience,
    /// ID tokens do not verify with the published keys.
    Signature,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Down, Self::Credentials, Self::Page, Self::Expired, Self::Audience, Self::Signature];

    /// The name in forms and in the keys of texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Credentials => "credentials",
            Self::Page => "page",
            Self::Expired => "expired",
            Self::Audience => "audience",
            Self::Signature => "signature",
        }
    }
}

/// Which providers are broken, and how.
#[derive(Debug, Default)]
pub struct Faults(Mutex<BTreeMap<String, Fault>>);

impl Faults {
    /// How a provider is broken; `None` if it works.
    #[must_use]
    pub fn of(&self, provider: &str) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(provider).copied()
    }

    /// Whether a provider is broken in this way.
    #[must_use]
    pub fn is(&self, provider: &str, fault: Fault) -> bool {
        self.of(provider) == Some(fault)
    }

    /// Breaks a provider by the name of a fault; any other name repairs it.
    pub fn set(&self, provider: &str, name: &str) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match Fault::ALL.into_iter().find(|fault| fault.name() == name) {
            Some(fault) => drop(faults.insert(provider.to_owned(), fault)),
            None => drop(faults.remove(provider)),
        }
    }
}
