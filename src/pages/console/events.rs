//! Refusals, the audit trail, and single decisions.

use serde::Serialize;

use crate::analysis::explain::{Condition, Read};
use crate::pages::own::{Paging, Shell};
use crate::pages::views::{TraceLine, templates};

/// How often something happened.
#[derive(Clone, Debug, Serialize)]
pub struct Count {
    /// What: a reason code, a client, a provider.
    pub name: String,
    /// How often.
    pub count: u64,
    /// The path of the list of them.
    pub path: String,
}

/// A filter with a closed list of values.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Options {
    /// The value that is chosen; empty for any.
    pub chosen: String,
    /// The values.
    pub values: Vec<String>,
}

/// The filters of a list of events.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EventFilter {
    /// The path that the form is sent to.
    pub action: String,
    /// Kinds of events; none where the list has one kind only.
    pub kind: Option<Options>,
    /// Reason codes.
    pub reason: Options,
    /// Providers.
    pub provider: Options,
    /// A client, by its key.
    pub client: String,
    /// A person, by name, `sub` or address.
    pub user: String,
    /// An address.
    pub address: String,
    /// Whether the filter names a person whom the broker does not know.
    pub unknown_user: bool,
}

/// A list of events: the audit trail, or the refusals alone.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleEvents {
    /// The frame.
    pub shell: Shell,
    /// Whether only refusals are listed.
    pub refusals: bool,
    /// How many refusals there were lately, by reason; empty in the audit trail.
    pub counts: Vec<Count>,
    /// How many were counted at most, where there were more.
    pub counted_at_most: Option<u64>,
    /// The filters.
    pub filter: EventFilter,
    /// The events, newest first.
    pub events: Vec<EventRow>,
    /// The rest of the list.
    pub paging: Paging,
}

/// An event.
#[derive(Clone, Debug, Serialize)]
pub struct EventRow {
    /// When.
    pub at: i64,
    /// Its stable name: the kind, or what an administrator did.
    pub name: String,
    /// What happened, in the words of the log.
    pub message: String,
    /// The reason code.
    pub reason: Option<String>,
    /// Who.
    pub user: Option<String>,
    /// The path of the user's page.
    pub user_path: Option<String>,
    /// Key of the client.
    pub client: Option<String>,
    /// Id of the provider.
    pub provider: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
    /// Who acted.
    pub actor: Option<String>,
    /// More.
    pub detail: Option<String>,
    /// The path of the decision, where one is kept.
    pub trace_path: Option<String>,
    /// Whether it tells of a refusal or a failure.
    pub bad: bool,
}

/// A decision.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleTrace {
    /// The frame.
    pub shell: Shell,
    /// Its id.
    pub id: String,
    /// When.
    pub at: i64,
    /// Key of the client.
    pub client: Option<String>,
    /// Id of the provider.
    pub provider: String,
    /// The configuration generation.
    pub generation: u64,
    /// The user, where one was found.
    pub user: Option<String>,
    /// The path of the user's page.
    pub user_path: Option<String>,
    /// The reason code, where it refused.
    pub refused: Option<String>,
    /// Its steps.
    pub steps: Vec<TraceLine>,
    /// The condition that refused.
    pub refused_by: Option<Obstacle>,
    /// What would have to change, if exactly one condition stood in the way.
    pub change: Option<String>,
    /// How the provider failed.
    pub failure: Option<String>,
}

/// A condition that did not hold.
#[derive(Clone, Debug, Serialize)]
pub struct Obstacle {
    /// The expression.
    pub expression: String,
    /// What it read.
    pub values: Vec<ReadRow>,
    /// What came close to what it tests for.
    pub near_misses: Vec<String>,
}

/// A value that a condition read.
#[derive(Clone, Debug, Serialize)]
pub struct ReadRow {
    /// The variable.
    pub name: String,
    /// Its value as JSON; none where it is absent.
    pub value: Option<String>,
    /// How many items of a long list are left out.
    pub left_out: usize,
}

impl From<Condition> for Obstacle {
    fn from(condition: Condition) -> Self {
        Self {
            expression: condition.expression,
            values: condition.values.into_iter().map(ReadRow::from).collect(),
            near_misses: condition.near_misses,
        }
    }
}

impl From<Read> for ReadRow {
    fn from(read: Read) -> Self {
        Self { name: read.name, value: read.value.as_ref().map(ToString::to_string), left_out: read.left_out }
    }
}

templates! {
    ConsoleEvents => "console_events.html",
    ConsoleTrace => "console_trace.html",
}
