//! What is persisted, and the operations on it.
//!
//! [`Store`] is every operation, in a trait for each concern; each operation is one transaction. A backend owns how rows
//! look, how they are sealed and how they are swept. Policy, protocol and the clock stay outside: callers pass `now` and
//! decide. A new backend is a folder beside `sqlite` that implements these traits and passes `tests/store`.

pub mod accounts;
pub mod administration;
pub mod error;
pub mod grants;
pub mod ids;
pub mod key_file;
pub mod maintenance;
pub mod model;
pub mod one_time_ids;
pub mod pending;
pub mod seal;
pub mod sessions;
pub mod signing_keys;
pub mod sqlite;
pub mod traces;

pub use accounts::{AccountQuery, AccountView, Accounts, Person};
pub use administration::{Administration, Ended};
pub use error::{Result, StoreError};
pub use grants::{GrantView, Grants, Redeemed, Rotated, Rotation};
pub use maintenance::Maintenance;
pub use one_time_ids::OneTimeIds;
pub use pending::{PendingBound, PendingSignIns};
pub use sessions::{AccountWrite, AppSession, SessionView, Sessions, SignIn, SignInWritten, UpstreamSessions};
pub use signing_keys::SigningKeys;
pub use traces::Traces;

/// Every operation. A write that was answered survives the end of the process, and a power cut too, but for logins,
/// interactions, finished sign-ins, codes, activity and sweeping: of those a power cut may take the last, and then nothing
/// that was written after them is left either. A sign-in leaves nothing with an app before its code is redeemed, or a grant
/// saved, which waits for the disk, and with it all that it rests on.
pub trait Store:
    Accounts + Administration + Grants + Maintenance + OneTimeIds + PendingSignIns + Sessions + SigningKeys + Traces
{
}

impl<T> Store for T where
    T: Accounts + Administration + Grants + Maintenance + OneTimeIds + PendingSignIns + Sessions + SigningKeys + Traces
{
}
