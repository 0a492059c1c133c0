//! What the pages below `/account` show.

use serde::Serialize;

use crate::pages::own::{Paging, Shell};
use crate::pages::views::View;

/// Who the broker thinks the visitor is.
#[derive(Clone, Debug, Serialize)]
pub struct AccountOverview {
    /// The frame.
    pub shell: Shell,
    /// The username.
    pub username: String,
    /// The name of the provider that vouched.
    pub provider_name: String,
    /// When the provider last said what follows.
    pub claims_at: i64,
    /// The attributes: name and value.
    pub attributes: Vec<Attribute>,
    /// The groups.
    pub groups: Vec<String>,
    /// The roles.
    pub roles: Vec<String>,
}

/// An attribute of a person.
#[derive(Clone, Debug, Serialize)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its value, a text as it is, anything else as JSON.
    pub value: String,
}

/// The sessions of the visitor.
#[derive(Clone, Debug, Serialize)]
pub struct AccountSessions {
    /// The frame.
    pub shell: Shell,
    /// The session in use; only on the first page.
    pub current: Option<SessionRow>,
    /// The others, newest first.
    pub others: Vec<SessionRow>,
    /// The path that ends all others.
    pub end_others_path: String,
    /// The rest of the list.
    pub paging: Paging,
}

/// A session on a page.
#[derive(Clone, Debug, Serialize)]
pub struct SessionRow {
    /// The browser, where it is known.
    pub browser: Option<String>,
    /// Its system, where it is known.
    pub system: Option<String>,
    /// What the browser says of itself, where neither is known.
    pub user_agent: Option<String>,
    /// The address that it was made from.
    pub address: Option<String>,
    /// The name of the provider that vouched.
    pub provider_name: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was last used.
    pub last_active: i64,
    /// When it ends at the latest.
    pub expires_at: i64,
    /// The path that ends it.
    pub end_path: String,
}

impl View for AccountOverview {
    const TEMPLATE: &'static str = "account_overview.html";
}

impl View for AccountSessions {
    const TEMPLATE: &'static str = "account_sessions.html";
}
