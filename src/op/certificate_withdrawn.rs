//! A certificate that the file no longer attaches to the user who has it.

use std::time::Duration;

use crate::audit::{Action, Kind};
use crate::op::RequestContext;
use crate::op::certificate::attached;
use crate::op::logout::backchannel;
use crate::protocol::CERTIFICATE;
use crate::store::{AccountView, StoreError};

/// Detaches a certificate from the account that the file took it from, so that it counts like one that nobody has. `true` when
/// it did, and the accounts must be read anew.
///
/// # Errors
/// When the store can't be written.
pub(super) async fn detach(context: &RequestContext<'_>, view: &AccountView) -> Result<bool, StoreError> {
    let Some((user, link)) = view.linked.as_ref().filter(|(_, link)| link.key.provider == CERTIFICATE) else {
        return Ok(false);
    };
    if context.snapshot.policy.keeps_certificate(&link.key.subject, &user.username, attached(link)) {
        return Ok(false);
    }
    let event = context.event_about(Kind::AdminAction, user).action(Action::CertificateDetached);
    let event = event.detail("the configuration no longer attaches it to this user");
    let tell = backchannel::tell(context);
    let detached = context.store().detach_certificate(&user.id, &link.key, context.now, event.clone(), &tell).await?;
    if let Some(ended) = detached {
        context.announce(&[event.ended(ended.sessions, ended.grants)]);
        backchannel::session_ended(context, user, &ended.apps, Duration::ZERO);
    }
    Ok(true)
}
