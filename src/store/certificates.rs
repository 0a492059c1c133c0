//! Client certificates of users: links like those to providers, whose subject is the certificate's fingerprint.

use async_trait::async_trait;

use crate::audit::Event;
use crate::store::ids::UserId;
use crate::store::model::{Grant, Link, LinkKey, StoredTrace};
use crate::store::{AccountWrite, Ended, Result, Tell};

/// Everything that is written when a certificate is exchanged for tokens, in one transaction.
#[derive(Clone, Debug)]
pub struct CertificateGrant {
    /// The account.
    pub account: AccountWrite,
    /// Its link, made or refreshed; `None` leaves the link as it is.
    pub link: Option<Link>,
    /// The grant, which is bound to no session.
    pub grant: Grant,
    /// The decision.
    pub trace: StoredTrace,
    /// What is recorded of it.
    pub events: Vec<Event>,
}

/// Client certificates of users.
///
/// Each operation is one transaction, in which its events are recorded, unless nothing was changed. `now` is in seconds since
/// the Unix epoch.
#[async_trait]
pub trait Certificates: Send + Sync {
    /// Writes the grant of a certificate. `false`, and nothing was written, when another sign-in took the username, the link or
    /// the subject in between, when the link is gone, or when the account was disabled: decide again. The decisions that are
    /// kept of one account without a sign-in are bounded in number; the oldest go first.
    async fn grant_by_certificate(&self, written: CertificateGrant) -> Result<bool>;

    /// Attaches a certificate to a user who has access. `false` when it is attached to anybody already, or the user is gone or
    /// disabled.
    async fn attach_certificate(&self, link: Link, event: Event) -> Result<bool>;

    /// Detaches a certificate from a user, ends the sessions that it made and revokes its grants; the event has what ended.
    /// `None` when it is not attached to this user.
    async fn detach_certificate(
        &self,
        user_id: &UserId,
        key: &LinkKey,
        now: i64,
        event: Event,
        tell: &Tell,
    ) -> Result<Option<Ended>>;

    /// The links of a user at this provider id, in the order in which they were made.
    async fn links_at(&self, user_id: &UserId, provider: &str) -> Result<Vec<Link>>;
}
