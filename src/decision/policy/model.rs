//! The compiled policy of one generation: the rules of the file about who may do what, ready to be evaluated.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::language::client::IdTokenClaims;
use crate::config::language::policy::{DefaultRolesWhen, Each, IgnoreCase, UsernameConflict};
use crate::config::language::provider::EmailVerified;
use crate::decision::normal::Normal;
use crate::decision::policy::pattern::Pattern;
use crate::decision::subject_rule::SubjectRule;
use crate::decision::trace::Source;
use crate::decision::username;
use crate::expression::{Compiled, Engine, Problem, Reads};
use crate::protocol::CERTIFICATE;

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
    /// Its expressions; the first that is present is used.
    pub alternatives: Vec<Compiled>,
    /// Where it is declared.
    pub source: Source,
    /// Whether it is a default mapping of a standard claim, which the file does not contain.
    pub by_default: bool,
}

/// A condition with its place.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The expression.
    pub expression: Compiled,
    /// Where it is declared.
    pub source: Source,
}

/// The part of `[providers.X]` that the policy needs.
#[derive(Clone, Debug)]
pub struct ProviderPolicy {
    /// The id.
    pub id: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether it is used only for clients that name it.
    pub hidden: bool,
    /// Its issuer.
    pub issuer: String,
    /// Where it is declared.
    pub source: Source,
    /// Attribute rules, ordered by name, `username` first.
    pub claims: Vec<ClaimRule>,
    /// The variables that these rules read.
    pub reads: Reads,
    /// The form in which its claims are read.
    pub normal: Normal,
    /// The account's subject, where it is an expression.
    pub subject: Option<SubjectRule>,
    /// The lists of those who may sign in, as conditions, by their keys in the file.
    pub guards: Vec<(&'static str, Condition)>,
    /// The condition for signing in.
    pub allow: Option<Condition>,
    /// Roles that it may assert.
    pub asserted_roles: Option<(BTreeSet<String>, Source)>,
    /// Whether a first sign-in creates an account.
    pub create_users: (bool, Source),
    /// Whether unknown role names become roles.
    pub create_roles: bool,
    /// How `email_verified` is determined.
    pub email_verified: EmailVerified,
    /// Providers (id, issuer) whose accounts a verified address may join.
    pub link_with: Option<(Vec<(String, String)>, Source)>,
    /// Attributes that each sign-in updates; `None` for all.
    pub sync: Option<BTreeSet<String>>,
}

/// A role rule.
#[derive(Clone, Debug)]
pub struct RoleRule {
    /// Where it is declared.
    pub source: Source,
    /// Its condition.
    pub when: Option<Condition>,
    /// The provider that it is limited to.
    pub provider: Option<String>,
    /// The list whose items it tests, with the pattern for a whole item.
    pub each: Option<(Each, Pattern)>,
    /// Roles to add, with placeholders.
    pub roles: Vec<String>,
}

/// The part of `[users.X]` that the policy needs.
#[derive(Clone, Debug)]
pub struct DeclaredUser {
    /// Its username, the key in the file.
    pub username: String,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Whether the file links upstream accounts to this user.
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

/// `[break_glass]`, as far as policy goes.
#[derive(Clone, Debug)]
pub struct BreakGlassPolicy {
    /// What stands in for the provider that vouches: an id that no provider of the file has, and nothing else.
    pub provider: ProviderPolicy,
    /// The account's name.
    pub username: String,
    /// Clients that it may enter, and where they are named.
    pub clients: (Vec<String>, Source),
    /// Its roles.
    pub roles: Vec<String>,
    /// Its groups.
    pub groups: Vec<String>,
    /// Where it is declared.
    pub source: Source,
}

/// The definition of a scope.
#[derive(Clone, Debug)]
pub struct ScopePolicy {
    /// Claims that it releases.
    pub claims: Vec<String>,
    /// Its description.
    pub description: Option<String>,
    /// Where it is declared.
    pub source: Source,
}

/// The part of `[clients.X]` that the policy needs.
#[derive(Clone, Debug)]
pub struct ClientPolicy {
    /// The key in the file.
    pub key: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// The sector of its pairwise subjects; `None` for public ones (OIDC Core §8).
    pub sector: Option<String>,
    /// Providers that it accepts; `None` for all that are not hidden.
    pub providers: Option<(Vec<String>, Source)>,
    /// The condition for using it.
    pub require: Option<Condition>,
    /// Scopes that it may request.
    pub scopes: Vec<String>,
    /// Its own claims.
    pub claims: Vec<ClaimRule>,
    /// The variables that these claims and `require` read.
    pub reads: Reads,
    /// Whether its ID tokens contain the claims of scopes.
    pub id_token_claims: IdTokenClaims,
    /// Additional claims of its access tokens.
    pub access_token_claims: Vec<String>,
    /// Where it is declared.
    pub source: Source,
}

impl ProviderPolicy {
    /// The conditions for signing in, in the order in which they are evaluated, by their keys in the file.
    pub fn conditions(&self) -> impl Iterator<Item = (&'static str, &Condition)> {
        let guards = self.guards.iter().map(|(name, condition)| (*name, condition));
        guards.chain(self.allow.iter().map(|allow| ("allow", allow)))
    }

    /// Whether it is sign-in by certificate, rather than an identity provider.
    #[must_use]
    pub fn is_certificate(&self) -> bool {
        self.id == CERTIFICATE
    }
}

/// How a certificate came to be a user's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attached {
    /// `users.X.certificates` names it.
    ByFile,
    /// The user attached it, on the account page.
    ByUser,
    /// The account was created by it.
    #[default]
    AtCreation,
}

impl ClientPolicy {
    /// Whether it accepts this provider. A hidden provider is accepted only if the client names it.
    #[must_use]
    pub fn accepts(&self, provider: &ProviderPolicy) -> bool {
        match &self.providers {
            Some((named, _)) => named.contains(&provider.id),
            None => !provider.hidden,
        }
    }
}

/// `[console]`: who may open the operators' console.
#[derive(Clone, Debug)]
pub struct ConsolePolicy {
    /// The condition.
    pub require: Condition,
    /// What it reads.
    pub reads: Reads,
}

/// The complete policy of one generation.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What all evaluations share.
    pub engine: Arc<Engine>,
    /// Providers by id.
    pub providers: BTreeMap<String, ProviderPolicy>,
    /// The break-glass account.
    pub break_glass: Option<BreakGlassPolicy>,
    /// Clients by key.
    pub clients: BTreeMap<String, ClientPolicy>,
    /// Who may open the console; `None` where there is none.
    pub console: Option<ConsolePolicy>,
    /// Scopes by name, including the built-in ones.
    pub scopes: BTreeMap<String, ScopePolicy>,
    /// Declared roles, with their permissions and their place in the file.
    pub roles: BTreeMap<String, (Vec<String>, Source)>,
    /// Role rules in order.
    pub role_rules: Vec<RoleRule>,
    /// The variables that their conditions read.
    pub rule_reads: Reads,
    /// Declared users by username key.
    pub users: HashMap<String, DeclaredUser>,
    /// Declared links: (provider, sub) → username key.
    pub links_by_sub: HashMap<(String, String), String>,
    /// Declared links: (provider, lower-case address) → username key.
    pub links_by_email: HashMap<(String, String), String>,
    /// Roles of users who have no other roles.
    pub default_roles: (Vec<String>, Source),
    /// When these roles are given.
    pub default_roles_when: DefaultRolesWhen,
    /// Values that are converted to lower case.
    pub ignore_case: Vec<IgnoreCase>,
    /// What happens if a username is taken.
    pub on_username_conflict: UsernameConflict,
    /// Usernames that nobody can get.
    pub reserved: Vec<(String, Source)>,
    /// Whether certificates that users attached themselves are accepted.
    pub self_service_certificates: bool,
}

impl Policy {
    /// Whether a client may have a scope: the scope must exist, and the client's `scopes` must contain it.
    #[must_use]
    pub fn may_have(&self, client: &ClientPolicy, scope: &str) -> bool {
        client.scopes.iter().any(|listed| listed == scope) && self.scopes.contains_key(scope)
    }

    /// Whether a certificate that was attached to this user still belongs to the user. The file has the last word: where it names
    /// the certificate for somebody, it is theirs.
    #[must_use]
    pub fn keeps_certificate(&self, fingerprint: &str, username: &str, attached: Attached) -> bool {
        match self.links_by_sub.get(&(CERTIFICATE.to_owned(), fingerprint.to_owned())) {
            Some(declared) => *declared == username::key(username),
            None => match attached {
                Attached::ByFile => false,
                Attached::ByUser => self.self_service_certificates,
                Attached::AtCreation => true,
            },
        }
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

/// A claim's value as a list of strings: a string becomes a list of one item.
///
/// # Errors
/// The type of the value, if it is neither.
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
