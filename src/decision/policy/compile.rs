//! Compiles a checked configuration into the [`Policy`] of a generation.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::Config;
use crate::config::language::cel_source::cel_list;
use crate::config::language::certificates::Certificates;
use crate::config::language::client::Client;
use crate::config::language::provider::{ClaimTable, EmailVerified, LinkBy, Provider};
use crate::config::language::scalar::Expression;
use crate::config::resolved::{self, Resolved, preset};
use crate::decision::normal::Normal;
use crate::decision::policy::model::{
    BreakGlassPolicy, ClaimRule, ClientPolicy, Condition, ConsolePolicy, DeclaredUser, ExpressionProblem, Policy,
    ProviderPolicy, RoleRule, ScopePolicy,
};
use crate::decision::policy::pattern::Pattern;
use crate::decision::subject_rule::SubjectRule;
use crate::decision::trace::Source;
use crate::decision::username;
use crate::expression::{Compiled, Compiler, Place, Reads};
use crate::protocol::BREAK_GLASS;
use crate::protocol::{CERTIFICATE, SCOPE_CLAIMS};

/// The section that declares sign-in by certificate.
const CERTIFICATES: &str = "certificates";

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
                ClaimRule { name: name.clone(), alternatives, source: self.source(&path), by_default: false }
            })
            .collect()
    }
}

/// A key as a segment of a dotted path: quoted where TOML needs it.
#[must_use]
pub fn key_segment(key: &str) -> String {
    crate::config::language::toml_text::key(key)
}

impl Policy {
    /// Compiles a checked configuration. The compiler knows the lookup tables, and the expressions that `check` compiled.
    ///
    /// # Errors
    /// All expressions that do not compile.
    pub fn compile(
        config: &Config,
        resolved: &Resolved,
        compiler: &mut Compiler,
        locate: Locate<'_>,
    ) -> Result<Self, Vec<ExpressionProblem>> {
        let engine = compiler.engine();
        let mut build = Build { compiler, locate, problems: Vec::new() };
        let mut providers: BTreeMap<String, ProviderPolicy> = config
            .providers
            .iter()
            .map(|(id, provider)| (id.clone(), provider_policy(&mut build, config, id, provider)))
            .collect();
        if let Some(section) = &config.certificates {
            providers.insert(CERTIFICATE.to_owned(), certificate_policy(&mut build, section));
        }
        let clients = config
            .clients
            .iter()
            .filter_map(|(key, client)| {
                let resolved = resolved.clients.get(key)?;
                Some((key.clone(), client_policy(&mut build, client, resolved)))
            })
            .collect();
        let console = config.console.as_ref();
        let console = build.condition(Place::App, "console.require", console.map(|console| &console.require));
        let role_rules = role_rules(&mut build, config);
        let (users, links_by_sub, links_by_email) = users(&build, config);
        let policy = Self {
            engine,
            providers,
            break_glass: break_glass(&build, config),
            clients,
            console: console.map(|require| ConsolePolicy { reads: Reads::of([&require.expression]), require }),
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
            self_service_certificates: config.account.as_ref().is_some_and(|account| account.self_service_certificates),
        };
        if build.problems.is_empty() { Ok(policy) } else { Err(build.problems) }
    }
}

fn provider_policy(build: &mut Build<'_>, config: &Config, id: &str, provider: &Provider) -> ProviderPolicy {
    let path = format!("providers.{}", key_segment(id));
    let mut table = provider.claims.clone();
    table.extend(preset::claims(provider));
    let mut claims = build.rules(Place::Claims, &format!("{path}.claims"), &table);
    claims.sort_by_key(|rule| rule.name != "username");
    claims.iter_mut().for_each(|rule| rule.by_default = !provider.claims.contains_key(&rule.name));
    let link_with = (provider.link_by == LinkBy::VerifiedEmail).then(|| {
        let others = provider.link_with.iter().filter_map(|other| {
            let issuer = preset::issuer(config.providers.get(other)?)?;
            Some((other.clone(), issuer.to_string()))
        });
        (others.collect(), build.source(&format!("{path}.link_by")))
    });
    ProviderPolicy {
        id: id.to_owned(),
        enabled: provider.enabled,
        hidden: provider.hidden,
        issuer: preset::issuer(provider).as_deref().unwrap_or_default().to_owned(),
        reads: Reads::of(expressions(&claims)),
        claims,
        normal: Normal::of(&preset::Quirks::of(provider)),
        subject: subject(build, &path, provider),
        guards: guards(build, &path, provider),
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

/// What the lists of those who may enter stand for, as conditions.
fn guards(build: &mut Build<'_>, path: &str, provider: &Provider) -> Vec<(&'static str, Condition)> {
    let lists =
        [("tenants", "claims.tid", &provider.tenants), ("hosted_domains", "claims.hd", &provider.hosted_domains)];
    let listed = lists.into_iter().filter(|(_, _, names)| !names.is_empty());
    let guards = listed.filter_map(|(key, claim, names)| {
        let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        let expression = Expression(format!("{claim}.lower() in {}", cel_list(&names)));
        Some((key, build.condition(Place::Allow, &format!("{path}.{key}"), Some(&expression))?))
    });
    let guards = guards.collect::<Vec<_>>();
    guards.into_iter().chain(organizations(build, path, provider)).collect()
}

/// Membership in one of the listed organisations, whose names have no case.
fn organizations(build: &mut Build<'_>, path: &str, provider: &Provider) -> Option<(&'static str, Condition)> {
    const KEY: &str = "organizations";
    let names = Some(&provider.organizations).filter(|names| !names.is_empty())?;
    let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let expression = Expression(format!("claims.organizations.exists(o, o.lower() in {})", cel_list(&names)));
    Some((KEY, build.condition(Place::Allow, &format!("{path}.{KEY}"), Some(&expression))?))
}

/// The expression for the account's subject.
fn subject(build: &mut Build<'_>, path: &str, provider: &Provider) -> Option<SubjectRule> {
    let expression = preset::subject(provider)?;
    let engine = build.compiler.engine();
    Some(SubjectRule::new(build.compile(Place::Claims, &format!("{path}.subject"), &expression)?, engine))
}

/// Sign-in by certificate, as one of the providers: it names new users, and asserts nothing else of anybody. What an identity
/// provider said of the same user stays in the stored profile.
fn certificate_policy(build: &mut Build<'_>, section: &Certificates) -> ProviderPolicy {
    const USERNAME: &str = "certificates.username";
    let default = || Expression("cert.subject.cn".to_owned());
    let expression = section.username.clone().unwrap_or_else(default);
    let rule = ClaimRule {
        name: "username".to_owned(),
        alternatives: build.compile(Place::Certificate, USERNAME, &expression).into_iter().collect(),
        source: build.source(USERNAME),
        by_default: section.username.is_none(),
    };
    ProviderPolicy {
        id: CERTIFICATE.to_owned(),
        enabled: true,
        hidden: false,
        issuer: CERTIFICATE.to_owned(),
        reads: Reads::of(&rule.alternatives),
        claims: vec![rule],
        normal: Normal::default(),
        subject: None,
        guards: Vec::new(),
        allow: None,
        asserted_roles: Some((BTreeSet::new(), build.source(CERTIFICATES))),
        create_users: (section.create_users, build.source("certificates.create_users")),
        create_roles: false,
        email_verified: EmailVerified::Claim,
        link_with: None,
        sync: Some(BTreeSet::new()),
        source: build.source(CERTIFICATES),
    }
}

fn break_glass(build: &Build<'_>, config: &Config) -> Option<BreakGlassPolicy> {
    let declared = config.break_glass.as_ref()?;
    let source = build.source("break_glass");
    let provider = ProviderPolicy {
        id: BREAK_GLASS.to_owned(),
        enabled: true,
        hidden: true,
        issuer: String::new(),
        source: source.clone(),
        claims: Vec::new(),
        reads: Reads::of(std::iter::empty()),
        normal: Normal::default(),
        subject: None,
        guards: Vec::new(),
        allow: None,
        asserted_roles: None,
        create_users: (false, source.clone()),
        create_roles: false,
        email_verified: EmailVerified::Never,
        link_with: None,
        sync: None,
    };
    Some(BreakGlassPolicy {
        provider,
        username: username::normalize(&declared.username).unwrap_or_else(|| declared.username.clone()),
        clients: (declared.clients.clone(), build.source("break_glass.clients")),
        roles: declared.roles.clone(),
        groups: declared.groups.clone(),
        source,
    })
}

fn client_policy(build: &mut Build<'_>, client: &Client, resolved: &resolved::Client) -> ClientPolicy {
    let path = format!("clients.{}", key_segment(&resolved.key));
    let require = build.condition(Place::App, &format!("{path}.require"), client.require.as_ref());
    let claims = build.rules(Place::App, &format!("{path}.claims"), &client.claims);
    ClientPolicy {
        key: resolved.key.clone(),
        enabled: resolved.enabled,
        sector: resolved.pairwise_sector().map(str::to_owned),
        providers: resolved
            .providers
            .as_ref()
            .map(|providers| (providers.clone(), build.source(&format!("{path}.providers")))),
        reads: Reads::of(require.iter().map(|require| &require.expression).chain(expressions(&claims))),
        require,
        scopes: resolved.scopes.clone(),
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

fn role_rules(build: &mut Build<'_>, config: &Config) -> Vec<RoleRule> {
    let rules = config.role_rules.iter().enumerate().map(|(n, rule)| {
        let path = format!("role_rules[{n}]");
        let each = rule.each.zip(rule.matches.as_deref()).and_then(|(each, pattern)| {
            // `check` reports an invalid pattern; such a rule must not match everything.
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
        for fingerprint in &user.certificates {
            by_sub.insert((CERTIFICATE.to_owned(), fingerprint.to_ascii_lowercase()), key.clone());
        }
        let declared = DeclaredUser {
            username: username::normalize(name).unwrap_or_else(|| name.clone()),
            enabled: user.enabled,
            linked: !user.links.is_empty() || !user.certificates.is_empty(),
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
    let mut scopes: BTreeMap<String, ScopePolicy> = SCOPE_CLAIMS
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
