//! The people that a plan names: those of the store, of a sealed file, or of a running broker.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::analysis::known::Known;
use crate::analysis::people::{Exported, Pseudonyms, Restored, Wanted};
use crate::cli::admin::AdminListener;
use crate::cli::broker::LocalStore;
use crate::cli::people::sealed::SealedPeople;
use crate::decision::policy::Policy;

/// How many people are requested of a running broker at a time.
const PAGE: u32 = 500;

/// Where the people are.
pub(super) enum Source {
    /// In the store of the old configuration.
    Store(LocalStore),
    /// In a file of `people export`.
    Sealed(SealedPeople),
    /// At a running broker.
    Server(AdminListener),
    /// Nowhere, because of this.
    Nowhere(String),
}

/// People, one after the other.
pub(super) type People<'s> = Box<dyn Iterator<Item = Result<Known, String>> + 's>;

impl Source {
    /// The people, with the claims that these two policies read.
    pub(super) fn people<'s>(&'s self, old: &Policy, new: &Policy) -> Option<People<'s>> {
        match self {
            Self::Nowhere(_) => None,
            Self::Store(store) => Some(Box::new(store.people())),
            Self::Sealed(sealed) => {
                let pseudonyms = Pseudonyms::new(sealed.header.salt.as_bytes());
                let restored = Restored::from(&pseudonyms, &[old, new]);
                let people = sealed.people();
                Some(Box::new(people.map(move |person| person.map(|person| restored.person(person).into_known()))))
            }
            Self::Server(server) => {
                let wanted = Wanted::by(old).and(Wanted::by(new));
                Some(Box::new(Pages { server, wanted, page: VecDeque::new(), after: Some(String::new()) }))
            }
        }
    }

    /// The claims that a policy reads and the people do not have.
    pub(super) fn missing(&self, new: &Policy) -> Vec<String> {
        match self {
            Self::Sealed(sealed) => Wanted::by(new).beyond(&sealed.header.wanted),
            _ => Vec::new(),
        }
    }

    /// Why nobody is known.
    pub(super) fn nobody(&self) -> Option<&str> {
        match self {
            Self::Nowhere(why) => Some(why),
            _ => None,
        }
    }
}

/// The people of a running broker, page by page.
struct Pages<'s> {
    server: &'s AdminListener,
    wanted: Wanted,
    page: VecDeque<Exported>,
    /// Where the next page begins; `None` after the last one.
    after: Option<String>,
}

impl Pages<'_> {
    fn fetch(&mut self, after: &str) -> Result<(), String> {
        let body = json!({ "claims": self.wanted, "after": after, "limit": PAGE });
        let mut answer = self.server.post("/people/read", &body)?;
        let people = answer.get_mut("people").map(Value::take).unwrap_or_default();
        self.page = serde_json::from_value(people).map_err(|_| "the broker's answer is not understood".to_owned())?;
        self.after = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        Ok(())
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<Known, String>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.is_empty() {
            let after = self.after.take()?;
            if let Err(error) = self.fetch(&after) {
                return Some(Err(error));
            }
        }
        self.page.pop_front().map(|person| Ok(person.into_known()))
    }
}
