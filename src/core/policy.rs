//! The compiled policy: what the file says about who may do what, ready to be evaluated.
//!
//! [`Policy::compile`] is the only constructor. It assumes a configuration that passed `check`; what it can still find
//! wrong are expressions, which it reports all at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::expression::{Compiled, Compiler, Engine, Place, Problem, Reads};
use super::trace::Source;
use super::username;
use crate::config::Config;
use crate::config::client::{Client, IdTokenClaims};
use crate::config::policy::{DefaultRolesWhen, Each, IgnoreCase, UsernameConflict};
use crate::config::provider::{ClaimTable, EmailVerified, LinkBy, Preset, Provider};
use crate::config::scalar::Expression;

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
    /// Not offered unless asked for.
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

/// The pattern of a role rule with `each`, against whole items.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As written, without what makes it match whole items.
    pub text: String,
    regex: Regex,
    /// What every item that matches begins with: most items of most users fall at this.
    prefix: String,
}

impl Pattern {
    /// # Errors
    /// When the text is no regular expression.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        Ok(Self { text: text.to_owned(), regex: whole_value(text)?, prefix: literal_prefix(text) })
    }

    /// Whether an item begins as every match does. The first and last byte of that tell most others apart without a call.
    #[inline]
    #[must_use]
    pub fn may_match(&self, item: &str) -> bool {
        let (item, prefix) = (item.as_bytes(), self.prefix.as_bytes());
        let (Some(first), Some(last)) = (prefix.first(), prefix.last()) else { return true };
        item.first() == Some(first) && item.get(prefix.len() - 1) == Some(last) && item.starts_with(prefix)
    }

    /// The named captures of an item that matches from its first to its last character.
    #[must_use]
    pub fn captures<'i>(&'i self, item: &'i str) -> Option<BTreeMap<&'i str, &'i str>> {
        if !self.may_match(item) || !self.regex.is_match(item) {
            return None;
        }
        let found = self.regex.captures(item)?;
        let names = self.regex.capture_names().flatten();
        Some(names.filter_map(|name| Some((name, found.name(name)?.as_str()))).collect())
    }
}

/// The literal text that a pattern begins with, as far as that is plain to see; empty where it is not.
fn literal_prefix(pattern: &str) -> String {
    let text = pattern.strip_prefix('^').unwrap_or(pattern);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '/' | '@');
    let end = text.find(|c| !plain(c)).unwrap_or(text.len());
    let (literal, rest) = text.split_at(end);
    // An alternation anywhere may offer another beginning; a quantifier is about the character before it.
    if pattern.contains('|') && !alternates_only_in_groups(pattern) {
        return String::new();
    }
    let mut literal = literal.to_owned();
    if rest.starts_with(['?', '*', '{', '+']) {
        literal.pop();
    }
    literal
}

fn alternates_only_in_groups(pattern: &str) -> bool {
    let (mut depth, mut escaped) = (0_usize, false);
    for c in pattern.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // A bracket in a class can't be told from a group here: then nothing is assumed.
            '[' if pattern.contains("[(") || pattern.contains("[)") => return false,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return false,
            _ => {}
        }
    }
    true
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
    /// Providers that may vouch; `None` for all.
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

/// Finds the place of a dotted path.
pub type Locate<'a> = &'a dyn Fn(&str) -> Option<Source>;

struct Build<'a> {
    compiler: &'a mut Compiler,
    locate: Locate<'a>,
    problems: Vec<ExpressionProblem>,
}

impl Build<'_> {
    fn source(&self, path: &str) -> Source {
        (self.locate)(path).unwrap_or_else(|| Source::default_of(path))
    }

    fn compile(&mut self, place: Place, path: &str, expression: &Expression) -> Option<Compiled> {
        match self.compiler.compile(place, expression.as_str()) {
            Ok(compiled) => Some(compiled),
            Err(problems) => {
                let path = path.to_owned();
                self.problems
                    .extend(problems.into_iter().map(|problem| ExpressionProblem { path: path.clone(), problem }));
                None
            }
        }
    }

    fn condition(&mut self, place: Place, path: &str, expression: Option<&Expression>) -> Option<Condition> {
        let expression = self.compile(place, path, expression?)?;
        Some(Condition { expression, source: self.source(path) })
    }

    fn rules(&mut self, place: Place, path: &str, table: &ClaimTable) -> Vec<ClaimRule> {
        table
            .iter()
            .map(|(name, alternatives)| {
                let path = format!("{path}.{}", key_segment(name));
                let many = alternatives.as_slice().len() > 1;
                let compiled = alternatives.as_slice().iter().enumerate().filter_map(|(n, expression)| {
                    let path = if many { format!("{path}[{n}]") } else { path.clone() };
                    self.compile(place, &path, expression)
                });
                let alternatives = compiled.collect();
                ClaimRule { name: name.clone(), alternatives, source: self.source(&path) }
            })
            .collect()
    }
}

/// A key as a segment of a dotted path: quoted where TOML needs it.
#[must_use]
pub fn key_segment(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_owned() } else { format!("{key:?}") }
}

/// Attributes that are mapped unless the file says otherwise: the claim of that name.
const DEFAULT_ATTRIBUTES: &[&str] =
    &["name", "given_name", "family_name", "email", "email_verified", "picture", "locale", "groups", "roles"];

impl Policy {
    /// Compiles a checked configuration. The compiler knows the lookup tables, and the expressions that `check` compiled.
    ///
    /// # Errors
    /// Every expression that does not compile.
    pub fn compile(
        config: &Config,
        compiler: &mut Compiler,
        locate: Locate<'_>,
    ) -> Result<Self, Vec<ExpressionProblem>> {
        let engine = compiler.engine();
        let mut build = Build { compiler, locate, problems: Vec::new() };
        let providers = config
            .providers
            .iter()
            .map(|(id, provider)| (id.clone(), provider_policy(&mut build, config, id, provider)))
            .collect();
        let clients =
            config.clients.iter().map(|(key, client)| (key.clone(), client_policy(&mut build, key, client))).collect();
        let role_rules = role_rules(&mut build, config);
        let (users, links_by_sub, links_by_email) = users(&build, config);
        let policy = Self {
            engine,
            providers,
            clients,
            scopes: scopes(&build, config),
            roles: config
                .roles
                .iter()
                .map(|(name, role)| {
                    let source = build.source(&format!("roles.{}", key_segment(name)));
                    (name.clone(), (role.permissions.clone(), source))
                })
                .collect(),
            rule_reads: Reads::of(role_rules.iter().filter_map(|rule| rule.when.as_ref()).map(|when| &when.expression)),
            role_rules,
            users,
            links_by_sub,
            links_by_email,
            default_roles: (config.policy.default_roles.clone(), build.source("policy.default_roles")),
            default_roles_when: config.policy.default_roles_when,
            ignore_case: config.policy.ignore_case.clone(),
            on_username_conflict: config.policy.on_username_conflict,
            reserved: reserved(&build, config),
        };
        if build.problems.is_empty() { Ok(policy) } else { Err(build.problems) }
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

fn provider_policy(build: &mut Build<'_>, config: &Config, id: &str, provider: &Provider) -> ProviderPolicy {
    let path = format!("providers.{}", key_segment(id));
    let mut table = provider.claims.clone();
    for (name, expression) in default_attributes(provider.preset) {
        table.entry(name).or_insert(expression);
    }
    let mut claims = build.rules(Place::Claims, &format!("{path}.claims"), &table);
    claims.sort_by_key(|rule| rule.name != "username");
    let link_with = (provider.link_by == LinkBy::VerifiedEmail).then(|| {
        let others = provider.link_with.iter().filter_map(|other| {
            let issuer = config.providers.get(other)?.issuer.clone()?;
            Some((other.clone(), issuer))
        });
        (others.collect(), build.source(&format!("{path}.link_by")))
    });
    ProviderPolicy {
        id: id.to_owned(),
        enabled: provider.enabled,
        hidden: provider.hidden,
        issuer: provider.issuer.clone().unwrap_or_default(),
        reads: Reads::of(expressions(&claims)),
        claims,
        allow: build.condition(Place::Allow, &format!("{path}.allow"), provider.allow.as_ref()),
        asserted_roles: provider
            .asserted_roles
            .as_ref()
            .map(|roles| (roles.iter().cloned().collect(), build.source(&format!("{path}.asserted_roles")))),
        create_users: (provider.create_users, build.source(&format!("{path}.create_users"))),
        create_roles: provider.create_roles,
        email_verified: provider.email_verified,
        link_with,
        sync: provider.sync.as_ref().map(|names| names.iter().cloned().collect()),
        source: build.source(&path),
    }
}

/// What a preset maps where the file is silent.
fn default_attributes(preset: Preset) -> Vec<(String, crate::config::scalar::OneOrMany<Expression>)> {
    use crate::config::scalar::OneOrMany;
    let expression = |text: &str| Expression(text.to_owned());
    let mut defaults: Vec<(String, OneOrMany<Expression>)> = DEFAULT_ATTRIBUTES
        .iter()
        .map(|name| ((*name).to_owned(), OneOrMany::One(expression(&format!("claims.{name}")))))
        .collect();
    let username = OneOrMany::Many(vec![expression("claims.username"), expression("claims.preferred_username")]);
    defaults.push(("username".to_owned(), username));
    if preset == Preset::Keycloak {
        let roles = OneOrMany::Many(vec![expression("claims.roles"), expression("claims.realm_access.roles")]);
        defaults.retain(|(name, _)| name != "roles");
        defaults.push(("roles".to_owned(), roles));
    }
    defaults
}

fn client_policy(build: &mut Build<'_>, key: &str, client: &Client) -> ClientPolicy {
    let path = format!("clients.{}", key_segment(key));
    let require = build.condition(Place::App, &format!("{path}.require"), client.require.as_ref());
    let claims = build.rules(Place::App, &format!("{path}.claims"), &client.claims);
    ClientPolicy {
        key: key.to_owned(),
        enabled: client.enabled.unwrap_or(true),
        providers: client
            .providers
            .as_ref()
            .map(|providers| (providers.clone(), build.source(&format!("{path}.providers")))),
        reads: Reads::of(require.iter().map(|require| &require.expression).chain(expressions(&claims))),
        require,
        scopes: client.scopes.clone().unwrap_or_else(default_scopes),
        claims,
        id_token_claims: client.id_token_claims,
        access_token_claims: client.access_token_claims.clone(),
        source: build.source(&path),
    }
}

/// The expressions of rules.
fn expressions(rules: &[ClaimRule]) -> impl Iterator<Item = &Compiled> {
    rules.iter().flat_map(|rule| &rule.alternatives)
}

/// Scopes that a client may ask for unless it says otherwise.
#[must_use]
pub fn default_scopes() -> Vec<String> {
    ["openid", "profile", "email", "groups"].map(str::to_owned).to_vec()
}

fn role_rules(build: &mut Build<'_>, config: &Config) -> Vec<RoleRule> {
    let rules = config.role_rules.iter().enumerate().map(|(n, rule)| {
        let path = format!("role_rules[{n}]");
        let each = rule.each.zip(rule.matches.as_deref()).and_then(|(each, pattern)| {
            // `check` reports a pattern that is none; such a rule must not match everything.
            Some((each, Pattern::new(pattern).ok()?))
        });
        RoleRule {
            source: build.source(&path),
            when: build.condition(Place::When, &format!("{path}.when"), rule.when.as_ref()),
            provider: rule.provider.clone(),
            roles: if rule.matches.is_some() && each.is_none() { Vec::new() } else { rule.roles.clone() },
            each,
        }
    });
    rules.collect()
}

/// A pattern that must match a value from its first to its last character.
///
/// # Errors
/// When the pattern is no regular expression.
pub fn whole_value(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(pattern)?;
    regex::RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(1 << 20).build()
}

type Users = (HashMap<String, DeclaredUser>, HashMap<(String, String), String>, HashMap<(String, String), String>);

fn users(build: &Build<'_>, config: &Config) -> Users {
    let (mut users, mut by_sub, mut by_email) = (HashMap::new(), HashMap::new(), HashMap::new());
    for (name, user) in &config.users {
        let key = username::key(name);
        for link in &user.links {
            if let Some(sub) = &link.sub {
                by_sub.insert((link.provider.clone(), sub.clone()), key.clone());
            }
            if let Some(email) = &link.email {
                by_email.insert((link.provider.clone(), email.to_ascii_lowercase()), key.clone());
            }
        }
        let declared = DeclaredUser {
            username: username::normalize(name).unwrap_or_else(|| name.clone()),
            enabled: user.enabled,
            linked: !user.links.is_empty(),
            sub: user.sub.clone(),
            groups: user.groups.clone(),
            roles: user.roles.clone(),
            source: build.source(&format!("users.{}", key_segment(name))),
        };
        users.insert(key, declared);
    }
    (users, by_sub, by_email)
}

/// The built-in scopes (OIDC Core §5.4) and those of the file, which may replace them.
fn scopes(build: &Build<'_>, config: &Config) -> BTreeMap<String, ScopePolicy> {
    const BUILT_IN: &[(&str, &[&str])] = &[
        ("openid", &[]),
        (
            "profile",
            &[
                "name",
                "family_name",
                "given_name",
                "middle_name",
                "nickname",
                "preferred_username",
                "profile",
                "picture",
                "website",
                "gender",
                "birthdate",
                "zoneinfo",
                "locale",
                "updated_at",
            ],
        ),
        ("email", &["email", "email_verified"]),
        ("address", &["address"]),
        ("phone", &["phone_number", "phone_number_verified"]),
        ("groups", &["groups"]),
        ("roles", &["roles"]),
        ("offline_access", &[]),
    ];
    let mut scopes: BTreeMap<String, ScopePolicy> = BUILT_IN
        .iter()
        .map(|(name, claims)| {
            let claims = claims.iter().map(|claim| (*claim).to_owned()).collect();
            let source = Source::default_of(&format!("scopes.{name}"));
            ((*name).to_owned(), ScopePolicy { claims, description: None, source })
        })
        .collect();
    for (name, scope) in &config.scopes {
        let source = build.source(&format!("scopes.{}", key_segment(name)));
        let policy = ScopePolicy { claims: scope.claims.clone(), description: scope.description.clone(), source };
        scopes.insert(name.clone(), policy);
    }
    for resource in config.resources.values() {
        for scope in &resource.scopes {
            scopes.entry(scope.clone()).or_insert_with(|| ScopePolicy {
                claims: Vec::new(),
                description: None,
                source: Source::default_of(&format!("scopes.{scope}")),
            });
        }
    }
    scopes
}

fn reserved(build: &Build<'_>, config: &Config) -> Vec<(String, Source)> {
    let path = "policy.reserved_usernames";
    let mut names: Vec<(String, Source)> = match &config.policy.reserved_usernames {
        Some(names) => names.iter().map(|name| (name.clone(), build.source(path))).collect(),
        None => Vec::new(),
    };
    if let Some(break_glass) = &config.break_glass {
        names.push((break_glass.username.clone(), build.source("break_glass.username")));
    }
    names
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
