//! What is persisted, and the operations on it.
//!
//! [`Store`] combines all operations, in one trait for each concern; each operation is one transaction. A backend owns how rows
//! are laid out, encrypted and swept. Policy, protocol and the clock stay outside: callers pass `now` and make the decisions. A
//! new backend is a folder beside `sqlite` that implements these traits and passes `tests/store`.

pub mod accounts;
pub mod administration;
pub mod audit;
mod bounds;
pub mod certificates;
mod encoding;
pub mod error;
mod event_index;
pub mod grants;
pub mod history;
pub mod ids;
pub mod key_file;
pub mod listings;
pub mod maintenance;
pub mod model;
pub mod notices;
pub mod one_time_ids;
pub mod pending;
pub mod postgres;
mod rows;
pub mod seal;
mod seal_check;
pub mod self_service;
pub mod sessions;
pub mod signing_keys;
pub mod sqlite;
pub mod traces;
pub mod transfer;

pub use accounts::{AccountQuery, AccountView, Accounts, Person};
pub use administration::{Administration, Ended};
pub use audit::{Audit, ChainEnds, EventPage, EventQuery};
pub use certificates::{CertificateGrant, Certificates};
pub use error::{Result, StoreError};
pub use grants::{GrantView, Grants, Redeemed, Rotated, Rotation};
pub use history::{History, Replica, StoredGeneration};
pub use listings::Listings;
pub use maintenance::Maintenance;
pub use notices::{LogoutNotices, NoticeHold, StoredNotice, Tell};
pub use one_time_ids::OneTimeIds;
pub use pending::{PendingBound, PendingSignIns};
pub use self_service::SelfService;
pub use sessions::{
    AccountWrite, AppSession, ChangedClaims, EndOnce, FromUpstream, SessionView, Sessions, SignIn, SignInWritten,
    UpstreamSessions,
};
pub use signing_keys::SigningKeys;
pub use traces::Traces;

/// All operations. A write that has returned survives the end of the process. It also survives a power cut, with the exception
/// of logins, interactions, finished sign-ins, codes, activity and sweeping: a power cut may lose the last of those, and then
/// everything written after them is lost as well. A sign-in has no effect at an app before its code is redeemed or a grant is
/// saved, and that write waits until it and everything that it is based on is on disk.
pub trait Store:
    Accounts
    + Administration
    + Audit
    + Certificates
    + Grants
    + History
    + Listings
    + LogoutNotices
    + Maintenance
    + OneTimeIds
    + PendingSignIns
    + SelfService
    + Sessions
    + SigningKeys
    + Traces
{
}

impl<T> Store for T where
    T: Accounts
        + Administration
        + Audit
        + Certificates
        + Grants
        + History
        + Listings
        + LogoutNotices
        + Maintenance
        + OneTimeIds
        + PendingSignIns
        + SelfService
        + Sessions
        + SigningKeys
        + Traces
{
}
