//! One event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::{Action, Kind, Pattern, Text};

/// How events name people (`[audit] identify`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identify {
    /// By username and `sub`.
    #[default]
    Username,
    /// By `sub` alone.
    Sub,
    /// Not at all.
    None,
}

/// Whom an event is about.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// The account's internal id: a key of the store, in neither the log nor the event.
    pub account: &'a str,
    /// The username.
    pub username: &'a str,
    /// The public subject.
    pub sub: &'a str,
}

/// Something that happened. Its fields are what the log line and the audit row have, under these names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// When, in seconds since the Unix epoch.
    pub at: i64,
    /// What happened.
    #[serde(rename = "event")]
    pub kind: Kind,
    /// What an administrator did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// What deserves a look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
    /// The reason code of a refusal or failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// The username, unless `[audit] identify` leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Text>,
    /// The public subject, unless `[audit] identify` leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Text>,
    /// Id of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Text>,
    /// Key of the client in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Text>,
    /// Where the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Text>,
    /// The session: the `sid` that apps see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Text>,
    /// Trace id of the request, as pages and other log lines show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Text>,
    /// Who acted, if it is not the person that the event is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Text>,
    /// The role that was created or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Text>,
    /// How many sessions ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// How many grants were revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<u64>,
    /// The configuration generation that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// More, in words of this broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Text>,
    /// The account's internal id, by which the store finds the events of a person.
    #[serde(skip)]
    pub account: Option<Text>,
    /// How it names people.
    #[serde(skip)]
    pub identify: Identify,
}

impl Event {
    /// An event of this kind, at this time, that names people so.
    #[must_use]
    pub const fn new(kind: Kind, at: i64, identify: Identify) -> Self {
        Self {
            at,
            kind,
            action: None,
            pattern: None,
            reason: None,
            user: None,
            sub: None,
            provider: None,
            client: None,
            address: None,
            sid: None,
            trace_id: None,
            actor: None,
            role: None,
            sessions: None,
            grants: None,
            generation: None,
            detail: None,
            account: None,
            identify,
        }
    }

    /// The same circumstances, another thing that happened in them.
    #[must_use]
    pub fn and(&self, kind: Kind) -> Self {
        Self { kind, ..self.clone() }
    }

    /// A pattern that the same circumstances complete.
    #[must_use]
    pub fn suspicious(&self, pattern: Pattern) -> Self {
        Self { pattern: Some(pattern), ..self.and(Kind::Suspicious) }
    }

    /// About this person.
    #[must_use]
    pub fn about(self, person: Person<'_>) -> Self {
        let identify = self.identify;
        Self {
            account: Some(person.account.into()),
            user: (identify == Identify::Username).then(|| person.username.into()),
            sub: (identify != Identify::None).then(|| person.sub.into()),
            ..self
        }
    }

    /// Done by this administrator to the person that the event is about.
    #[must_use]
    pub fn by(self, actor: &str) -> Self {
        let actor = (self.identify == Identify::Username).then(|| actor.into());
        Self { actor, ..self }
    }

    /// What an administrator did.
    #[must_use]
    pub fn action(self, action: Action) -> Self {
        Self { action: Some(action), ..self }
    }

    /// For this reason.
    #[must_use]
    pub fn reason(self, reason: &str) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// Through this provider; an empty id is none.
    #[must_use]
    pub fn provider(self, provider: &str) -> Self {
        Self { provider: (!provider.is_empty()).then(|| provider.into()), ..self }
    }

    /// For this client.
    #[must_use]
    pub fn client(self, client: &str) -> Self {
        Self { client: Some(client.into()), ..self }
    }

    /// From this address.
    #[must_use]
    pub fn address(self, address: Option<std::net::IpAddr>) -> Self {
        Self { address: address.map(|address| address.to_string().into()), ..self }
    }

    /// In this session.
    #[must_use]
    pub fn sid(self, sid: Option<&str>) -> Self {
        Self { sid: sid.map(Text::from), ..self }
    }

    /// In the request with this trace id.
    #[must_use]
    pub fn trace_id(self, trace_id: &str) -> Self {
        Self { trace_id: Some(trace_id.into()), ..self }
    }

    /// About this role.
    #[must_use]
    pub fn role(self, role: &str) -> Self {
        Self { role: Some(role.into()), ..self }
    }

    /// With what it ended.
    #[must_use]
    pub fn ended(self, sessions: u64, grants: u64) -> Self {
        let some = |number: u64| (number > 0).then_some(number);
        Self { sessions: some(sessions), grants: some(grants), ..self }
    }

    /// More, in words of this broker: no secret, token, code or claim value.
    #[must_use]
    pub fn detail(self, detail: impl AsRef<str>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// What happened, in words.
    #[must_use]
    pub fn message(&self) -> &'static str {
        let action = self.action.map(Action::message);
        action.or(self.pattern.map(Pattern::message)).unwrap_or(self.kind.message())
    }
}
