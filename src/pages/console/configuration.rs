//! Providers, clients, roles and generations of the configuration.

use serde::Serialize;

use crate::pages::console::events::Count;
use crate::pages::own::{Paging, Shell};
use crate::pages::views::templates;

/// The first page.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleOverview {
    /// The frame.
    pub shell: Shell,
    /// The issuer.
    pub issuer: String,
    /// The number of the generation that serves.
    pub generation: u64,
    /// Its hash.
    pub hash: String,
    /// What is wrong with the files, where they differ from what serves.
    pub problems: Option<String>,
    /// How many providers the file declares.
    pub providers: usize,
    /// How many clients.
    pub clients: usize,
    /// How many roles.
    pub roles: usize,
    /// Providers whose last call failed.
    pub failing: Vec<ProviderRow>,
    /// The refusals of the last days, by reason.
    pub refusals: Vec<Count>,
    /// By client.
    pub refusals_by_client: Vec<Count>,
    /// By provider.
    pub refusals_by_provider: Vec<Count>,
}

/// The providers.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleProviders {
    /// The frame.
    pub shell: Shell,
    /// In order of their ids.
    pub providers: Vec<ProviderRow>,
    /// The rest of the list.
    pub paging: Paging,
}

/// A provider.
#[derive(Clone, Debug, Serialize)]
pub struct ProviderRow {
    /// Its id.
    pub id: String,
    /// Its name on the pages.
    pub name: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether it is offered only by clients that name it.
    pub hidden: bool,
    /// Its issuer.
    pub issuer: String,
    /// The broker's client id there.
    pub client_id: String,
    /// Where discovery and back-channel calls go instead of to the issuer.
    pub backchannel_url: Option<String>,
    /// The whole URL of the callback.
    pub redirect_uri: String,
    /// Whether it makes accounts.
    pub create_users: bool,
    /// Whether unknown names become System roles.
    pub create_roles: bool,
    /// `ok`, `failing`, or `unknown` before the first call.
    pub health: &'static str,
    /// When it last answered as it should.
    pub last_success: Option<i64>,
    /// When it last did not.
    pub failed_at: Option<i64>,
    /// How it failed then.
    pub last_error: Option<String>,
    /// The path of its own page.
    pub path: String,
}

/// One provider.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleProvider {
    /// The frame.
    pub shell: Shell,
    /// What the list shows of it.
    pub provider: ProviderRow,
    /// Endpoints of its discovery document that can't be used.
    pub unusable: Vec<UnusableRow>,
    /// What the file says of it.
    pub settings: Vec<SettingRow>,
}

/// An endpoint that can't be used.
#[derive(Clone, Debug, Serialize)]
pub struct UnusableRow {
    /// Its name in the discovery document.
    pub endpoint: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A setting.
#[derive(Clone, Debug, Serialize)]
pub struct SettingRow {
    /// Its key, below the entry that the page shows.
    pub key: String,
    /// Its value in TOML syntax, secrets masked.
    pub value: String,
    /// Where it is written.
    pub place: String,
}

/// The clients.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleClients {
    /// The frame.
    pub shell: Shell,
    /// In order of their keys.
    pub clients: Vec<EntryRow>,
    /// The rest of the list.
    pub paging: Paging,
}

/// An entry of the file in a list.
#[derive(Clone, Debug, Serialize)]
pub struct EntryRow {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// The condition on those who use it.
    pub require: Option<String>,
    /// The path of its own page.
    pub path: String,
}

/// One client.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleClient {
    /// The frame.
    pub shell: Shell,
    /// What the list shows of it.
    pub client: EntryRow,
    /// Its client id.
    pub client_id: String,
    /// What holds for it by default or by derivation: keys and values.
    pub resolved: Vec<SettingRow>,
    /// What the file says of it.
    pub settings: Vec<SettingRow>,
    /// The path of the refusals of its users.
    pub refusals_path: String,
    /// The path that revokes all that it was granted.
    pub revoke_path: String,
}

/// The roles.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleRoles {
    /// The frame.
    pub shell: Shell,
    /// In order of their names.
    pub roles: Vec<RoleRow>,
    /// The rest of the list.
    pub paging: Paging,
}

/// A role.
#[derive(Clone, Debug, Serialize)]
pub struct RoleRow {
    /// Its name.
    pub name: String,
    /// Whether a provider made it: it has no permissions until the file declares it.
    pub system: bool,
    /// What it is for.
    pub description: Option<String>,
    /// Its permissions.
    pub permissions: Vec<String>,
    /// Where it is declared.
    pub place: Option<String>,
    /// The path of its own page.
    pub path: String,
}

/// One role, and what leads to it.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleRole {
    /// The frame.
    pub shell: Shell,
    /// The role.
    pub role: RoleRow,
    /// What can lead to it.
    pub ways: Vec<RoleWay>,
}

/// A way to a role.
#[derive(Clone, Debug, Serialize)]
pub struct RoleWay {
    /// Its description, as `countersign reach` prints it.
    pub text: String,
    /// Its place in the file.
    pub place: String,
    /// The groups or roles that it tests for.
    pub names: Vec<RoleWayName>,
}

/// A group or role that a way tests for.
#[derive(Clone, Debug, Serialize)]
pub struct RoleWayName {
    /// `group` or `role`, with its name.
    pub name: String,
    /// Where it comes from.
    pub from: Vec<String>,
}

/// Generations of the configuration.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleConfiguration {
    /// The frame.
    pub shell: Shell,
    /// The processes that were seen lately.
    pub replicas: Vec<ReplicaRow>,
    /// Whether they run different configurations.
    pub differ: bool,
    /// What is wrong with the files, where they differ from what serves.
    pub problems: Option<String>,
    /// The generations, newest first.
    pub generations: Vec<GenerationRow>,
}

/// A process.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaRow {
    /// Its host.
    pub host: String,
    /// The beginning of its id.
    pub id: String,
    /// Whether it is the one that made this page.
    pub this: bool,
    /// The hash of what it runs.
    pub hash: String,
    /// The number of that generation.
    pub generation: i64,
    /// When it started.
    pub started_at: i64,
    /// When it was last seen.
    pub seen_at: i64,
}

/// A generation.
#[derive(Clone, Debug, Serialize)]
pub struct GenerationRow {
    /// `started`, `applied` or `refused`.
    pub happened: &'static str,
    /// Its number in its process.
    pub number: i64,
    /// Its hash; empty where it was refused.
    pub hash: String,
    /// The process's host.
    pub host: String,
    /// When.
    pub at: i64,
    /// What changed.
    pub changes: Vec<ChangeRow>,
    /// How many further changes there are.
    pub more: usize,
    /// Problems or warnings.
    pub problems: String,
}

/// A setting that changed.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeRow {
    /// Its path.
    pub path: String,
    /// Its value before; none where it was not set.
    pub before: Option<String>,
    /// Its value since.
    pub after: Option<String>,
}

templates! {
    ConsoleClient => "console_client.html",
    ConsoleClients => "console_clients.html",
    ConsoleConfiguration => "console_configuration.html",
    ConsoleOverview => "console_overview.html",
    ConsoleProvider => "console_provider.html",
    ConsoleProviders => "console_providers.html",
    ConsoleRole => "console_role.html",
    ConsoleRoles => "console_roles.html",
}
