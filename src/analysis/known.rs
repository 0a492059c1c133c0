//! People known to the broker, with the claims of their last sign-ins.

use serde_json::{Map, Value};

use crate::decision::account::{Account, AccountFacts};
use crate::decision::app::AppRequest;
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::policy::Policy;
use crate::decision::trace::Refusal;

/// A person known to the broker.
#[derive(Clone, Debug)]
pub struct Known {
    /// The account.
    pub account: Account,
    /// The upstream accounts.
    pub links: Vec<KnownLink>,
}

/// An upstream account with the claims of its last sign-in.
#[derive(Clone, Debug)]
pub struct KnownLink {
    /// Provider id.
    pub provider: String,
    /// The provider's issuer at the time.
    pub issuer: String,
    /// The upstream `sub`.
    pub subject: String,
    /// The upstream claims.
    pub claims: Map<String, Value>,
    /// When these claims were received, in Unix seconds.
    pub claims_at: i64,
}

impl Known {
    /// The decision about this person with the claims of one of their upstream accounts, as at a refresh.
    ///
    /// # Errors
    /// A refusal.
    pub fn decide(
        &self,
        policy: &Policy,
        link: &KnownLink,
        request: Option<&AppRequest<'_>>,
    ) -> Result<Decision, Refusal> {
        let evidence = Evidence {
            provider: &link.provider,
            issuer: Some(&link.issuer),
            subject: &link.subject,
            claims: &link.claims,
        };
        let facts = AccountFacts { linked: Some(self.account.clone()), ..AccountFacts::default() };
        begin(policy, &evidence)?.decide(facts, request)
    }
}
