//! One person, as they leave the broker.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::analysis::known::{Known, KnownLink};
use crate::analysis::people::wanted::{Claims, Wanted};
use crate::decision::account::{Account, AccountIds};

/// A known person with the claims that a plan needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// The username, or a pseudonym.
    pub username: String,
    /// The public subject, or a pseudonym.
    pub sub: String,
    /// Whether the account was disabled at run time.
    #[serde(default)]
    pub disabled: bool,
    /// The stored attributes.
    #[serde(default)]
    pub profile: Map<String, Value>,
    /// The upstream accounts.
    pub links: Vec<ExportedLink>,
}

/// An upstream account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExportedLink {
    /// Provider id.
    pub provider: String,
    /// The provider's issuer at the time.
    pub issuer: String,
    /// The upstream `sub`, or a pseudonym.
    pub subject: String,
    /// The wanted claims of the last sign-in.
    pub claims: Map<String, Value>,
    /// When they were received, in seconds since the Unix epoch.
    pub claims_at: i64,
}

impl Exported {
    /// A person with the claims that are wanted, under their own name.
    #[must_use]
    pub fn of(known: &Known, wanted: &Wanted) -> Self {
        let none = Claims::default();
        let links = known.links.iter().map(|link| ExportedLink {
            provider: link.provider.clone(),
            issuer: link.issuer.clone(),
            subject: link.subject.clone(),
            claims: select(&link.claims, wanted.0.get(&link.provider).unwrap_or(&none)),
            claims_at: link.claims_at,
        });
        Self {
            username: known.account.username.clone(),
            sub: known.account.ids.sub.clone(),
            disabled: known.account.disabled,
            profile: known.account.profile.iter().map(|(name, value)| (name.clone(), outline(value))).collect(),
            links: links.collect(),
        }
    }

    /// The person as a plan reads one. The internal id, which salts pairwise subjects, never leaves the broker; the subject
    /// stands in for it.
    #[must_use]
    pub fn into_known(self) -> Known {
        let ids = AccountIds { id: self.sub.clone(), sub: self.sub };
        let links = self.links.into_iter().map(|link| KnownLink {
            provider: link.provider,
            issuer: link.issuer,
            subject: link.subject,
            claims: link.claims,
            claims_at: link.claims_at,
        });
        let account = Account { username: self.username, ids, profile: self.profile, disabled: self.disabled };
        Known { account, links: links.collect() }
    }
}

fn select(claims: &Map<String, Value>, wanted: &Claims) -> Map<String, Value> {
    let select = |(name, value): (&String, &Value)| {
        let value = if wanted.all || wanted.groups.contains(name) || wanted.read.contains(name) {
            value.clone()
        } else if wanted.passed_on.contains(name) {
            outline(value)
        } else {
            return None;
        };
        Some((name.clone(), value))
    };
    claims.iter().filter_map(select).collect()
}

/// A value of the same type that says nothing else.
fn outline(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(_) => 1.into(),
        // An empty text is an absent claim (OIDC Core §5.3.2).
        Value::String(text) if text.is_empty() => value.clone(),
        Value::String(_) => "x".into(),
        Value::Array(items) => items.iter().map(outline).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), outline(value))).collect(),
    }
}
