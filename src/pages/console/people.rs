//! Users, the decisions on them, and sessions.

use serde::Serialize;

use crate::analysis::explain::Unmatched;
use crate::pages::console::events::Obstacle;
use crate::pages::json;
use crate::pages::own::{Paging, Shell};
use crate::pages::views::{TraceLine, templates};

/// Users that a search finds.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleUsers {
    /// The frame.
    pub shell: Shell,
    /// What was searched for.
    pub query: String,
    /// Those who were found.
    pub users: Vec<UserRow>,
    /// Where nobody was found: those whose names are nearly what was searched for.
    pub near: Vec<NearUser>,
    /// The rest of the list.
    pub paging: Paging,
}

/// A user whose name is nearly what was searched for.
#[derive(Clone, Debug, Serialize)]
pub struct NearUser {
    /// The username.
    pub username: String,
    /// The path of a search for it.
    pub path: String,
}

/// A user in a list.
#[derive(Clone, Debug, Serialize)]
pub struct UserRow {
    /// The username.
    pub username: String,
    /// The public subject.
    pub sub: String,
    /// `enabled`, `disabled_at_runtime` or `disabled_in_file`.
    pub access: &'static str,
    /// Names of the providers whose accounts are linked.
    pub providers: Vec<String>,
    /// The verified address that the search found.
    pub address: Option<String>,
    /// When the account was made.
    pub created_at: i64,
    /// The path of the user's page.
    pub path: String,
}

/// One user.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleUser {
    /// The frame.
    pub shell: Shell,
    /// What the list shows.
    pub user: UserRow,
    /// Where the file declares the user.
    pub place: Option<String>,
    /// Stored attributes: name and value.
    pub attributes: Vec<(String, String)>,
    /// The upstream accounts.
    pub links: Vec<LinkRow>,
    /// The newest sessions.
    pub sessions: Vec<ConsoleSession>,
    /// The path of all sessions, where there are more.
    pub sessions_path: Option<String>,
    /// Remembered consents.
    pub consents: Vec<ConsentRow>,
    /// How many further consents there are.
    pub more_consents: usize,
    /// The path of the events about the user.
    pub events_path: String,
    /// The path that disables the user, or enables them again; none where the file disables them.
    pub access_path: Option<String>,
    /// The path that ends all sessions, where there are any.
    pub end_sessions_path: Option<String>,
}

/// An upstream account.
#[derive(Clone, Debug, Serialize)]
pub struct LinkRow {
    /// The provider's name.
    pub provider_name: String,
    /// The provider's issuer at the time.
    pub issuer: String,
    /// The upstream `sub`.
    pub subject: String,
    /// The address that the provider verified.
    pub verified_email: Option<String>,
    /// When the provider last sent claims.
    pub claims_at: i64,
    /// When the link was made.
    pub created_at: i64,
    /// Whether the provider is still declared so: otherwise nobody signs in through the link.
    pub valid: bool,
    /// The path of the decision on the user through this account.
    pub why_path: String,
}

/// A remembered consent.
#[derive(Clone, Debug, Serialize)]
pub struct ConsentRow {
    /// The client's name.
    pub client_name: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// When.
    pub granted_at: i64,
    /// The path that revokes it.
    pub revoke_path: String,
}

/// The decision on a user, made again with the claims of the last sign-in, and the apps that the user may enter.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleWhy {
    /// The frame.
    pub shell: Shell,
    /// The user.
    pub user: UserRow,
    /// The provider's name.
    pub provider_name: String,
    /// When the provider sent the claims.
    pub claims_at: i64,
    /// The app that asks.
    pub app_name: Option<String>,
    /// The reason code, where the decision is a refusal.
    pub refused: Option<String>,
    /// The steps.
    pub steps: Vec<TraceLine>,
    /// The condition that refused.
    pub refused_by: Option<Obstacle>,
    /// What would have to change, if exactly one condition stood in the way.
    pub change: Option<String>,
    /// The role rules that did not match, those that came closest first.
    pub unmatched: Vec<UnmatchedRow>,
    /// The groups.
    pub groups: Vec<String>,
    /// The roles.
    pub roles: Vec<String>,
    /// The permissions.
    pub permissions: Vec<String>,
    /// What the app gets in the ID token, beside the claims of the protocol.
    #[serde(serialize_with = "optional_html")]
    pub claims: Option<serde_json::Value>,
    /// The apps, and whether the user may enter them; on the page without an app.
    pub apps: Vec<AppRow>,
    /// The rest of the apps.
    pub paging: Paging,
    /// The path of the page without an app.
    pub path: String,
}

/// A role rule that did not match.
#[derive(Clone, Debug, Serialize)]
pub struct UnmatchedRow {
    /// Why, in words.
    pub text: String,
    /// The roles that it would have added.
    pub roles: Vec<String>,
    /// Where it is written.
    pub place: String,
    /// The condition that did not hold.
    pub condition: Option<Obstacle>,
}

impl From<Unmatched> for UnmatchedRow {
    fn from(rule: Unmatched) -> Self {
        Self {
            text: rule.text,
            roles: rule.roles,
            place: rule.source.to_string(),
            condition: rule.condition.map(Obstacle::from),
        }
    }
}

/// Whether a user may enter an app.
#[derive(Clone, Debug, Serialize)]
pub struct AppRow {
    /// The app's name.
    pub name: String,
    /// Its key.
    pub key: String,
    /// The reason code, where the user may not.
    pub refused: Option<String>,
    /// The path of the decision.
    pub path: String,
}

/// Sessions.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleSessions {
    /// The frame.
    pub shell: Shell,
    /// The user whose sessions they are, where they are of one.
    pub user: Option<UserRow>,
    /// Newest first.
    pub sessions: Vec<ConsoleSession>,
    /// The rest of the list.
    pub paging: Paging,
}

/// A session.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleSession {
    /// Its id: the `sid` that apps see.
    pub id: String,
    /// Whose it is.
    pub username: String,
    /// The path of the user's page.
    pub user_path: String,
    /// The browser, its system and its address, as far as they are known.
    pub device: Option<String>,
    /// The provider's name.
    pub provider_name: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was last used.
    pub last_active: i64,
    /// When it ends at the latest.
    pub expires_at: i64,
    /// Whether it is the one that the visitor uses.
    pub own: bool,
    /// The path that ends it.
    pub end_path: String,
}

fn optional_html<S: serde::Serializer>(claims: &Option<serde_json::Value>, serializer: S) -> Result<S::Ok, S::Error> {
    match claims {
        Some(claims) => json::as_html(claims, serializer),
        None => serializer.serialize_none(),
    }
}

templates! {
    ConsoleSessions => "console_sessions.html",
    ConsoleUser => "console_user.html",
    ConsoleUsers => "console_users.html",
    ConsoleWhy => "console_why.html",
}
