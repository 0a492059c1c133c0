//! The compiled policy of one generation: what the file says about who may do what, ready to be evaluated.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use crate::config::language::client::IdTokenClaims;
use crate::config::language::policy::{DefaultRolesWhen, Each, IgnoreCase, UsernameConflict};
use crate::config::language::provider::EmailVerified;
use crate::decision::policy::pattern::Pattern;
use crate::decision::trace::Source;
use crate::decision::username;
use crate::expression::{Compiled, Engine, Problem, Reads};

/// An expression that does not compile.
#[derive(Clone, Debug)]
pub struct ExpressionProblem {
    /// Dotted path of the expression.
    pub path: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// An attribute or app claim with its alternatives.
#[derive(Clone, Debug)]
pub struct ClaimRule {
    /// Its name.
    pub name: String,
    /// Expressions, of which the first that is present counts.
    pub alternatives: Vec<Compiled>,
    /// Where it is written.
    pub source: Source,
    /// The file does not have it: it maps a standard claim because nothing else is said.
    pub by_default: bool,
}

/// A condition with its place.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The expression.
    pub expression: Compiled,
    /// Where it is written.
    pub source: Source,
}

/// `[providers.X]`, as far as policy goes.
#[derive(Clone, Debug)]
pub struct ProviderPolicy {
    /// The id.
    pub id: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether it vouches only for users of clients that name it.
    pub hidden: bool,
    /// Its issuer.
    pub issuer: String,
    /// Where it is declared.
    pub source: Source,
    /// Attribute rules, in order of name, `username` first.
    pub claims: Vec<ClaimRule>,
    /// What these read.
    pub reads: Reads,
    /// Who may enter.
    pub allow: Option<Condition>,
    /// Roles that it may assert.
    pub asserted_roles: Option<(BTreeSet<String>, Source)>,
    /// Whether it makes accounts.
    pub create_users: (bool, Source),
    /// Whether it makes roles.
    pub create_roles: bool,
    /// What `email_verified` is taken from.
    pub email_verified: EmailVerified,
    /// Providers (id, issuer) whose accounts a verified address may join.
    pub link_with: Option<(Vec<(String, String)>, Source)>,
    /// Attributes that a sign-in refreshes; `None` for all.
    pub sync: Option<BTreeSet<String>>,
}

/// A role rule.
#[derive(Clone, Debug)]
pub struct RoleRule {
    /// Where it is written.
    pub source: Source,
    /// Its condition.
    pub when: Option<Condition>,
    /// Only for this provider.
    pub provider: Option<String>,
    /// The list it goes through, with the pattern for a whole item.
    pub each: Option<(Each, Pattern)>,
    /// Roles to add, with placeholders.
    pub roles: Vec<String>,
}

/// `[users.X]`, as far as policy goes.
#[derive(Clone, Debug)]
pub struct DeclaredUser {
    /// Its username, the key in the file.
    pub username: String,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Whether the file says which upstream accounts it is.
    pub linked: bool,
    /// An imported subject.
    pub sub: Option<String>,
    /// Local groups.
    pub groups: Vec<String>,
    /// Local roles.
    pub roles: Vec<String>,
    /// Where it is declared.
    pub source: Source,
}

/// A scope.
#[derive(Clone, Debug)]
pub struct ScopePolicy {
    /// Claims that it releases.
    pub claims: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Where it is declared.
    pub source: Source,
}

/// `[clients.X]`, as far as policy goes.
#[derive(Clone, Debug)]
pub struct ClientPolicy {
    /// The key in the file.
    pub key: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// Providers that may vouch; `None` for all that are not hidden.
    pub providers: Option<(Vec<String>, Source)>,
    /// Who may use it.
    pub require: Option<Condition>,
    /// Scopes that it may ask for.
    pub scopes: Vec<String>,
    /// Its own claims.
    pub claims: Vec<ClaimRule>,
    /// What these and `require` read.
    pub reads: Reads,
    /// Whether its ID tokens carry the claims of scopes.
    pub id_token_claims: IdTokenClaims,
    /// Claims of its access tokens.
    pub access_token_claims: Vec<String>,
    /// Where it is declared.
    pub source: Source,
}

impl ClientPolicy {
    /// Whether this provider may vouch for its users. A hidden one only where the client names it.
    #[must_use]
    pub fn accepts(&self, provider: &ProviderPolicy) -> bool {
        match &self.providers {
            Some((named, _)) => named.contains(&provider.id),
            None => !provider.hidden,
        }
    }
}

/// The whole policy of one generation.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What expressions share.
    pub engine: Arc<Engine>,
    /// Providers by id.
    pub providers: BTreeMap<String, ProviderPolicy>,
    /// Clients by key.
    pub clients: BTreeMap<String, ClientPolicy>,
    /// Scopes by name, built in ones too.
    pub scopes: BTreeMap<String, ScopePolicy>,
    /// Declared roles: permissions and place.
    pub roles: BTreeMap<String, (Vec<String>, Source)>,
    /// Role rules in order.
    pub role_rules: Vec<RoleRule>,
    /// What their conditions read.
    pub rule_reads: Reads,
    /// Declared users by username key.
    pub users: HashMap<String, DeclaredUser>,
    /// Declared links: (provider, sub) → username key.
    pub links_by_sub: HashMap<(String, String), String>,
    /// Declared links: (provider, lower-case address) → username key.
    pub links_by_email: HashMap<(String, String), String>,
    /// Roles of those who got none otherwise.
    pub default_roles: (Vec<String>, Source),
    /// When they are given.
    pub default_roles_when: DefaultRolesWhen,
    /// Values folded to lower case.
    pub ignore_case: Vec<IgnoreCase>,
    /// What happens when a name is taken.
    pub on_username_conflict: UsernameConflict,
    /// Names out of reach.
    pub reserved: Vec<(String, Source)>,
}

impl Policy {
    /// Whether a client may have a scope: the scope exists, and the client's `scopes` list it.
    #[must_use]
    pub fn may_have(&self, client: &ClientPolicy, scope: &str) -> bool {
        client.scopes.iter().any(|listed| listed == scope) && self.scopes.contains_key(scope)
    }

    /// The declared user of a username.
    #[must_use]
    pub fn declared(&self, name: &str) -> Option<&DeclaredUser> {
        if self.users.is_empty() {
            return None;
        }
        self.users.get(&username::key(name))
    }
}

/// A claim's value as a list of strings: a string is a list of one.
///
/// # Errors
/// When it is neither, with the type that it is.
pub fn string_list(value: Value) -> Result<Vec<String>, &'static str> {
    match value {
        Value::String(one) => Ok(vec![one]),
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err("a list with something other than strings"),
            })
            .collect(),
        Value::Object(_) => Err("an object"),
        Value::Bool(_) => Err("a boolean"),
        Value::Number(_) => Err("a number"),
        Value::Null => Ok(Vec::new()),
    }
}
