//! An event's line in the log.

use crate::audit::{Action, Event, Kind, Pattern};

impl Event {
    /// Writes the event's line in the log.
    pub fn log(&self) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    event = self.kind.name(),
                    action = self.action.map(Action::name),
                    pattern = self.pattern.map(Pattern::name),
                    reason = self.reason.as_deref(),
                    user = self.user.as_deref(),
                    sub = self.sub.as_deref(),
                    provider = self.provider.as_deref(),
                    client = self.client.as_deref(),
                    address = self.address.as_deref(),
                    sid = self.sid.as_deref(),
                    trace_id = self.trace_id.as_deref(),
                    actor = self.actor.as_deref(),
                    role = self.role.as_deref(),
                    sessions = self.sessions,
                    grants = self.grants,
                    generation = self.generation,
                    detail = self.detail.as_deref(),
                    "{}",
                    self.message()
                )
            };
        }
        match self.kind {
            Kind::Refusal
            | Kind::UpstreamFailure
            | Kind::AdminAction
            | Kind::BreakGlass
            | Kind::CertificateIgnored
            | Kind::Suspicious => line!(warn),
            Kind::ReloadFailed => line!(error),
            Kind::SignIn
            | Kind::AccountCreated
            | Kind::AccountLinked
            | Kind::RoleCreated
            | Kind::RoleChanged
            | Kind::TokenIssued
            | Kind::TokenRefreshed
            | Kind::TokenRevoked
            | Kind::ConsentRevoked
            | Kind::CertificateAttached
            | Kind::CertificateDetached
            | Kind::Logout
            | Kind::Signal
            | Kind::Reload
            | Kind::KeysRotated => line!(info),
        }
    }
}
