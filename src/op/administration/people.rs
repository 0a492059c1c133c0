//! Finding and describing users.

use serde::Serialize;

use crate::decision::break_glass::account_key;
use crate::decision::username;
use crate::op::RequestContext;
use crate::op::administration::Failure;
use crate::op::administration::near::suggestion;
use crate::store::model::{Consent, Session, User};
use crate::store::{Person, SessionView, Store};

/// How many users may share a verified address before the answer stops naming them.
const NAMED: u32 = 10;
/// The most sessions that are described.
const SESSIONS: u32 = 1_000;

/// A user, in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The username.
    pub username: String,
    /// The public subject.
    pub sub: String,
    /// Whether the user is disabled, and by what.
    pub access: Access,
    /// Ids of the providers whose accounts are linked.
    pub providers: Vec<String>,
    /// When the account was made, in seconds since the Unix epoch.
    pub created_at: i64,
}

/// Whether a user may sign in, as far as the user alone decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Nothing disables the user.
    Enabled,
    /// Disabled by `users disable`.
    DisabledAtRuntime,
    /// Disabled by `enabled = false` in the file, which nothing here changes.
    DisabledInFile,
}

/// A user, with everything that is stored about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The user.
    #[serde(flatten)]
    pub summary: Summary,
    /// The upstream accounts.
    pub links: Vec<LinkSummary>,
    /// Sessions that have not ended, newest first.
    pub sessions: Vec<SessionSummary>,
    /// Remembered consents.
    pub consents: Vec<ConsentSummary>,
}

/// An upstream account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkSummary {
    /// Provider id.
    pub provider: String,
    /// The provider's issuer.
    pub issuer: String,
    /// The upstream `sub`.
    pub subject: String,
    /// When the provider last sent claims, in seconds since the Unix epoch.
    pub claims_at: i64,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionSummary {
    /// Its id, the `sid` that apps see.
    pub id: String,
    /// Whose it is.
    pub username: String,
    /// The provider that vouched.
    pub provider: String,
    /// When it was made, in seconds since the Unix epoch.
    pub created_at: i64,
    /// When it was last used.
    pub last_active: i64,
    /// When it ends at the latest.
    pub expires_at: i64,
}

/// A remembered consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsentSummary {
    /// Key of the client.
    pub client: String,
    /// The scopes that the user allowed.
    pub scopes: Vec<String>,
    /// Single claims that the user allowed.
    pub claims: Vec<String>,
    /// When, in seconds since the Unix epoch.
    pub granted_at: i64,
}

/// Finds a user by username, by `sub`, or by an address that a provider verified, in that order. Of a user and the break-glass
/// account with the same name, it finds the user.
///
/// # Errors
/// When there is none, when several share the address, or when the store is not available.
pub async fn find(context: &RequestContext<'_>, name: &str) -> Result<Person, Failure> {
    match find_in(context.store(), name).await {
        Err(Failure::NotFound(text)) => Err(Failure::NotFound(text + &suggestion(context.store(), name).await?)),
        found => found,
    }
}

/// As [`find`], in this store.
///
/// # Errors
/// As [`find`].
pub async fn find_in(store: &dyn Store, name: &str) -> Result<Person, Failure> {
    for key in [username::key(name), account_key(name)] {
        if let Some(person) = store.user(&key).await? {
            return Ok(person);
        }
    }
    if let Some(person) = store.user_by_sub(name).await? {
        return Ok(person);
    }
    let mut found = store.users_by_address(&name.to_lowercase(), NAMED).await?;
    match (found.pop(), found.is_empty()) {
        (Some(person), true) => Ok(person),
        (None, _) => Err(Failure::NotFound(format!("there is no user with the name, sub or verified address {name}"))),
        (Some(last), false) => {
            let names: Vec<&str> = found.iter().chain([&last]).map(|person| person.user.username.as_str()).collect();
            Err(Failure::Ambiguous(format!("several users have the address {name}: {}", names.join(", "))))
        }
    }
}

/// Describes a user.
///
/// # Errors
/// As [`find`].
pub async fn describe(context: &RequestContext<'_>, name: &str) -> Result<Description, Failure> {
    let person = find(context, name).await?;
    let consents = context.store().consents(&person.user.id).await?;
    let sessions = context.store().sessions(Some(&person.user.id), SESSIONS).await?;
    let links = person.links.iter().map(|link| LinkSummary {
        provider: link.key.provider.clone(),
        issuer: link.key.issuer.clone(),
        subject: link.key.subject.clone(),
        claims_at: link.claims_at,
    });
    Ok(Description {
        links: links.collect(),
        sessions: unexpired(context, sessions),
        consents: consents.into_iter().map(consent).collect(),
        summary: summary(context, &person),
    })
}

/// Users whose name comes after `after`, in order of their names.
///
/// # Errors
/// When the store is not available.
pub async fn list(context: &RequestContext<'_>, after: &str, limit: u32) -> Result<Vec<Summary>, Failure> {
    let people = context.store().users_by_name(&username::key(after), limit).await?;
    Ok(people.iter().map(|person| summary(context, person)).collect())
}

/// Sessions that have not ended, newest first; of one user when named.
///
/// # Errors
/// As [`find`].
pub async fn sessions(
    context: &RequestContext<'_>,
    user: Option<&str>,
    limit: u32,
) -> Result<Vec<SessionSummary>, Failure> {
    let user = match user {
        Some(name) => Some(find(context, name).await?.user.id),
        None => None,
    };
    Ok(unexpired(context, context.store().sessions(user.as_ref(), limit).await?))
}

fn summary(context: &RequestContext<'_>, person: &Person) -> Summary {
    let user = &person.user;
    let mut providers: Vec<String> = person.links.iter().map(|link| link.key.provider.clone()).collect();
    providers.dedup();
    Summary {
        username: user.username.clone(),
        sub: user.sub.clone(),
        access: access(context, user),
        providers,
        created_at: user.created_at,
    }
}

/// Whether the user may sign in, as far as the user alone decides it.
#[must_use]
pub fn access(context: &RequestContext<'_>, user: &User) -> Access {
    let declared = context.snapshot.policy.declared(&user.username);
    match (declared.is_some_and(|declared| !declared.enabled), user.disabled) {
        (true, _) => Access::DisabledInFile,
        (false, true) => Access::DisabledAtRuntime,
        (false, false) => Access::Enabled,
    }
}

fn unexpired(context: &RequestContext<'_>, sessions: Vec<SessionView>) -> Vec<SessionSummary> {
    let live = sessions.into_iter().filter(|view| view.session.is_live(context.now));
    live.map(|view| session(&view.session, &view.user)).collect()
}

fn session(session: &Session, user: &User) -> SessionSummary {
    SessionSummary {
        id: session.id.to_string(),
        username: user.username.clone(),
        provider: session.link.provider.clone(),
        created_at: session.created_at,
        last_active: session.last_active,
        expires_at: session.expires_at,
    }
}

fn consent(consent: Consent) -> ConsentSummary {
    ConsentSummary {
        client: consent.client,
        scopes: consent.scopes,
        claims: consent.claims,
        granted_at: consent.granted_at,
    }
}
