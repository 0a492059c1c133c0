//! Disabling, enabling and renaming users.

use crate::audit::{Action, Identify, Kind};
use crate::decision::break_glass::is_account_key;
use crate::decision::username;
use crate::op::RequestContext;
use crate::op::administration::people::{Access, access, find};
use crate::op::administration::{Failure, Report, acted, report};
use crate::op::logout::backchannel;
use crate::store::model::User;
use crate::store::{Ended, Tell};

/// Disables a user: all sessions end, all grants are revoked, and every sign-in is refused until the user is enabled.
///
/// # Errors
/// When there is no such user, or the store is not available.
pub async fn disable(context: &RequestContext<'_>, name: &str) -> Result<Report, Failure> {
    let user = find(context, name).await?.user;
    let done = disable_user(context, &user, None).await?;
    // Where the user was disabled before, nothing was left to end.
    Ok(done.unwrap_or_else(|| report(context, Some(&user), &Ended::default(), None)))
}

/// Disables this user, as [`disable`] does. `by` is the administrator, where one is known. `None` if it was done before.
///
/// # Errors
/// When the store is not available.
pub async fn disable_user(
    context: &RequestContext<'_>,
    user: &User,
    by: Option<&str>,
) -> Result<Option<Report>, Failure> {
    let event = acted(context.event_about(Kind::AdminAction, user).action(Action::UserDisabled), by);
    let tell = backchannel::tell(context);
    let ended = context.store().set_user_disabled(&user.id, true, context.now, event.clone(), &tell).await?;
    let Some(ended) = ended else { return Ok(None) };
    context.announce(&[event.ended(ended.sessions, ended.grants)]);
    Ok(Some(report(context, Some(user), &ended, None)))
}

/// Enables a user who was disabled at run time. Sessions and grants that ended are not restored.
///
/// # Errors
/// When there is no such user, the file disables the user, or the store is not available.
pub async fn enable(context: &RequestContext<'_>, name: &str) -> Result<(), Failure> {
    let user = find(context, name).await?.user;
    enable_user(context, &user, None).await.map(drop)
}

/// Enables this user, as [`enable`] does. `by` is the administrator, where one is known. `false` when nothing disabled the
/// user.
///
/// # Errors
/// When the file disables the user, or the store is not available.
pub async fn enable_user(context: &RequestContext<'_>, user: &User, by: Option<&str>) -> Result<bool, Failure> {
    if access(context, user) == Access::DisabledInFile {
        let text = format!("{} is disabled in the file: remove `enabled = false` there", user.username);
        return Err(Failure::Refused(text));
    }
    let event = acted(context.event_about(Kind::AdminAction, user).action(Action::UserEnabled), by);
    let (store, nobody) = (context.store(), Tell::default());
    let enabled = store.set_user_disabled(&user.id, false, context.now, event.clone(), &nobody).await?.is_some();
    if enabled {
        context.announce(&[event]);
    }
    Ok(enabled)
}

/// Gives a user another name, which apps see at the next token. The `sub`, sessions and grants stay.
///
/// # Errors
/// When there is no such user; when the name is not valid, reserved, taken, or declared in the file; when the store is not
/// available.
pub async fn rename(context: &RequestContext<'_>, name: &str, wanted: &str) -> Result<String, Failure> {
    let user = find(context, name).await?.user;
    if is_account_key(&user.username_key) {
        let text = format!("{} is the break-glass account, which has the name that the file gives it", user.username);
        return Err(Failure::Refused(text));
    }
    let Some(new) = username::normalize(wanted) else {
        let text = "a username has 1 to 255 characters, none of them a control or an invisible character";
        return Err(Failure::Refused(text.to_owned()));
    };
    let policy = &context.snapshot.policy;
    if let Some((reserved, _)) = policy.reserved.iter().find(|(reserved, _)| username::resembles(&new, reserved)) {
        return Err(Failure::Refused(format!("{new} is, or could be mistaken for, the reserved username {reserved}")));
    }
    let key = username::key(&new);
    if key != user.username_key && policy.users.contains_key(&key) {
        let text = format!("the file declares a user {new}: the renamed user would get the rights of that entry");
        return Err(Failure::Refused(text));
    }
    let event = context.event_about(Kind::AdminAction, &user).action(Action::UserRenamed);
    let named = context.snapshot.resolved.audit.identify == Identify::Username;
    let event = if named { event.detail(format!("now {new}")) } else { event };
    if !context.store().rename_user(&user.id, &new, &key, event.clone()).await? {
        return Err(Failure::Refused(format!("the username {new} belongs to another user")));
    }
    context.announce(&[event]);
    Ok(new)
}
