//! What the pages below `/console` show.
//!
//! Labels of settings are the keys of the file itself: whoever reads them knows `broker.toml`, and finds them there.

mod configuration;
mod events;
mod people;
pub(crate) mod samples;
pub(crate) mod samples_people;

pub use configuration::{
    ChangeRow, ConsoleClient, ConsoleClients, ConsoleConfiguration, ConsoleOverview, ConsoleProvider, ConsoleProviders,
    ConsoleRole, ConsoleRoles, EntryRow, GenerationRow, ProviderRow, ReplicaRow, RoleRow, RoleWay, RoleWayName,
    SettingRow, UnusableRow,
};
pub use events::{ConsoleEvents, ConsoleTrace, Count, EventFilter, EventRow, Obstacle, Options, ReadRow};
pub use people::{
    AppRow, ConsentRow, ConsoleSession, ConsoleSessions, ConsoleUser, ConsoleUsers, ConsoleWhy, LinkRow, NearUser,
    UnmatchedRow, UserRow,
};
