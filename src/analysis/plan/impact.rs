//! Whom a change affects. Each known person's last upstream claims are evaluated with both policies, and the decisions
//! are compared: roles, apps, claims by name, and whether the sign-in is refused.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::analysis::known::{Known, KnownLink};
use crate::analysis::plan::difference::{Change, Kind};
use crate::analysis::plan::renames::Renames;
use crate::analysis::plan::side::{Notice, Side, Weight};
use crate::config::diagnostics::problem::printable;
use crate::decision::account::AccountFacts;
use crate::decision::app::{AppRequest, Release, authentication, release};
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::policy::{Policy, key_segment};
use crate::decision::reason::Reason;
use crate::decision::trace::{Refusal, Stage, Trace};
use crate::decision::username;

/// What a change does to people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct People {
    /// How many people are known.
    pub known: usize,
    /// How many of their upstream accounts were evaluated.
    pub replayed: usize,
    /// The people who are affected, by username.
    pub affected: Vec<Affected>,
}

/// The effects on one person through one provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Affected {
    /// The account's username.
    pub username: String,
    /// The provider.
    pub provider: String,
    /// Why the sign-in would be refused, if it was not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shut_out: Option<Why>,
    /// The sign-in would no longer be refused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub let_in: bool,
    /// The person could no longer sign in with any upstream account.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub locked_out: bool,
    /// Roles that are gained.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles_gained: Vec<String>,
    /// Roles that are lost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles_lost: Vec<String>,
    /// Apps that the person gains.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub apps_gained: Vec<String>,
    /// Apps that the person loses, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub apps_lost: BTreeMap<String, Why>,
    /// Claims that differ, by app.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, ClaimChanges>,
}

/// Why something is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Why {
    /// The reason's code.
    pub reason: &'static str,
    /// The line that refuses; empty if none does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
}

/// Claims of one app that differ, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClaimChanges {
    /// Claims that the app did not get before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gained: Vec<String>,
    /// Claims that it no longer gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// Claims with another value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

impl Affected {
    fn is_empty(&self) -> bool {
        let named = Self { username: self.username.clone(), provider: self.provider.clone(), ..Self::default() };
        *self == named
    }
}

/// Collects the effects, one person at a time.
pub(crate) struct Impact<'a> {
    old: Side<'a>,
    new: Side<'a>,
    /// Clients to check even if nothing else changes for the person.
    touched: BTreeSet<&'a str>,
    people: People,
    notices: Vec<Notice>,
    repointed: BTreeMap<String, usize>,
    renames: &'a Renames,
    /// Accounts that are linked at a provider with another id.
    renamed: BTreeMap<String, usize>,
}

impl<'a> Impact<'a> {
    pub(crate) fn new(old: Side<'a>, new: Side<'a>, changes: &[Change], renames: &'a Renames) -> Self {
        let every = old.policy.engine.tables() != new.policy.engine.tables()
            || changes.iter().any(|change| ["scopes.", "resources."].iter().any(|s| change.entry.starts_with(s)));
        let entry = |key: &str| format!("clients.{}", key_segment(key));
        let touched = all_clients(old.policy, new.policy)
            .filter(|key| every || changes.iter().any(|change| change.entry == entry(key)))
            .collect();
        let (people, notices, repointed) = (People::default(), Vec::new(), BTreeMap::new());
        let renamed = renames.keys().map(|id| (id.clone(), 0)).collect();
        let mut impact = Self { old, new, touched, people, notices, repointed, renames, renamed };
        impact.removed_providers(changes);
        impact
    }

    fn removed_providers(&mut self, changes: &[Change]) {
        for change in changes.iter().filter(|change| change.kind == Kind::Removed) {
            if let Some(provider) = change.entry.strip_prefix("providers.") {
                let text =
                    format!("provider {provider} is removed: its users are kept, but can no longer sign in through it");
                self.notices.push(Notice { weight: Weight::Warning, kind: "provider_removed", text });
            }
        }
    }

    /// Evaluates one person with both policies.
    pub(crate) fn add(&mut self, known: &Known) {
        self.people.known += 1;
        self.declared_name(known);
        let mut affected = Vec::new();
        let (mut before, mut after) = (0_usize, 0_usize);
        for link in &known.links {
            self.people.replayed += 1;
            self.repoint(link);
            let old = known.decide(self.old.policy, link, None);
            let new = match self.renames.get(&link.provider) {
                Some(id) => moved(known, self.new.policy, link, id),
                None => known.decide(self.new.policy, link, None),
            };
            if let Some(accounts) = self.renamed.get_mut(&link.provider) {
                *accounts += usize::from(old.is_ok() && new.is_err());
            }
            before += usize::from(old.is_ok());
            after += usize::from(new.is_ok());
            let entry = self.compare(known, link, &old, &new);
            if !entry.is_empty() {
                affected.push(entry);
            }
        }
        for entry in &mut affected {
            entry.locked_out = entry.shut_out.is_some() && before > 0 && after == 0;
        }
        self.people.affected.append(&mut affected);
    }

    /// The people and notices that were collected.
    pub(crate) fn finish(mut self) -> (People, Vec<Notice>) {
        self.people.affected.sort_by(|a, b| (&a.username, &a.provider).cmp(&(&b.username, &b.provider)));
        for (provider, links) in &self.repointed {
            let accounts = count(*links, "account", "accounts");
            let text = format!(
                "provider {provider} gets another issuer, which makes it another provider: {accounts} can no longer sign in through it"
            );
            self.notices.push(Notice { weight: Weight::Warning, kind: "provider_repointed", text });
        }
        for (before, accounts) in &self.renamed {
            self.notices.push(renamed(before, self.renames.get(before).map_or("", String::as_str), *accounts));
        }
        self.notices.extend(locked_out(&self.people));
        (self.people, self.notices)
    }

    fn repoint(&mut self, link: &KnownLink) {
        let issuer =
            |policy: &Policy| policy.providers.get(&link.provider).map(|provider| provider.issuer == link.issuer);
        if issuer(self.old.policy) == Some(true) && issuer(self.new.policy) == Some(false) {
            *self.repointed.entry(link.provider.clone()).or_default() += 1;
        }
    }

    /// Warns of a new entry in `[users]` for an account that already exists.
    fn declared_name(&mut self, known: &Known) {
        let name = &known.account.username;
        let Some(user) = self.new.policy.declared(name) else { return };
        let before = self.old.policy.declared(name);
        if let Some(sub) = user.sub.as_ref().filter(|sub| **sub != known.account.ids.sub)
            && before.and_then(|user| user.sub.as_ref()) != Some(sub)
        {
            let text = format!(
                "users.{} imports a sub, but the account exists and has another: the sub of an account never changes [{}]",
                key_segment(name),
                user.source
            );
            self.notices.push(Notice { weight: Weight::Refused, kind: "sub_changes", text });
        }
        let key = username::key(name);
        let theirs = |link: &KnownLink| {
            let by_sub = self.new.policy.links_by_sub.get(&(link.provider.clone(), link.subject.clone()));
            let email = link.claims.get("email").and_then(Value::as_str).map(str::to_ascii_lowercase);
            let by_email = email.and_then(|email| self.new.policy.links_by_email.get(&(link.provider.clone(), email)));
            by_sub.or(by_email) == Some(&key)
        };
        if before.is_none() && user.linked && !known.links.is_empty() && !known.links.iter().any(theirs) {
            let text = format!(
                "users.{} is declared with links, but an account of that name exists and has none of them: it would get the groups and roles of the entry [{}]",
                key_segment(name),
                user.source
            );
            self.notices.push(Notice { weight: Weight::Warning, kind: "name_in_use", text });
        }
    }

    fn compare(
        &self,
        known: &Known,
        link: &KnownLink,
        old: &Result<Decision, Refusal>,
        new: &Result<Decision, Refusal>,
    ) -> Affected {
        let mut affected = Affected {
            username: known.account.username.clone(),
            provider: link.provider.clone(),
            ..Affected::default()
        };
        match (old, new) {
            (Err(_), Err(_)) => {}
            (Err(_), Ok(_)) => affected.let_in = true,
            (Ok(_), Err(refusal)) => affected.shut_out = Some(why(refusal)),
            (Ok(old), Ok(new)) => {
                affected.roles_gained = without(&new.granted.roles, &old.granted.roles);
                affected.roles_lost = without(&old.granted.roles, &new.granted.roles);
                let same = old.profile == new.profile && old.groups == new.groups && old.granted == new.granted;
                let touched = &self.touched;
                let asked = all_clients(self.old.policy, self.new.policy).filter(|key| !same || touched.contains(key));
                let facts = Facts::of(link);
                for client in asked {
                    let (before, after) =
                        (facts.ask(self.old.policy, old, client), facts.ask(self.new.policy, new, client));
                    compare_app(client, &before, &after, &mut affected);
                }
            }
        }
        affected
    }
}

/// The people who can't sign in any more with any upstream account.
fn locked_out(people: &People) -> Option<Notice> {
    let mut locked: Vec<&str> = people.affected.iter().filter(|a| a.locked_out).map(|a| a.username.as_str()).collect();
    locked.dedup();
    let some: Vec<String> = locked.iter().take(5).map(|name| printable(name)).collect();
    let more = if locked.len() > some.len() { ", ..." } else { "" };
    let (who, verb) = match locked.len() {
        0 => return None,
        1 => ("1 person".to_owned(), "loses"),
        several => (format!("{several} people"), "lose"),
    };
    let text = format!("{who} {verb} their only way in: {}{more}", some.join(", "));
    Some(Notice { weight: Weight::Lockout, kind: "locked_out", text })
}

/// What it means that a provider gets another id.
fn renamed(before: &str, after: &str, accounts: usize) -> Notice {
    let whom = match accounts {
        0 => "nobody who is known is affected".to_owned(),
        _ => format!("{} that it links would not be found", count(accounts, "account", "accounts")),
    };
    let text = format!(
        "provider {before} is renamed to {after}: accounts are linked by the id of the provider, and {whom}. Keep the id, and set \
         `name`, which is what people see"
    );
    Notice { weight: Weight::Warning, kind: "provider_renamed", text }
}

/// The decision on somebody who comes through a provider that has another id now: their link is not found, and their username
/// is taken by the account that they had.
fn moved(known: &Known, policy: &Policy, link: &KnownLink, id: &str) -> Result<Decision, Refusal> {
    let evidence = Evidence { provider: id, issuer: Some(&link.issuer), subject: &link.subject, claims: &link.claims };
    let mapped = begin(policy, &evidence)?;
    let key = username::key(&known.account.username);
    let declared = mapped.question().declared.filter(|declared| *declared == key).map(|_| known.account.clone());
    let facts = AccountFacts { declared, taken: vec![key], ..AccountFacts::default() };
    let decision = mapped.decide(facts, None)?;
    match decision.account.existing {
        Some(_) => Ok(decision),
        // A new account, with another subject, is not this person any more.
        None => {
            let source = policy.providers.get(id).map(|provider| &provider.source);
            Err(Trace::default().refuse(Stage::Account, source, Reason::UsernameTaken, "the account has another sub"))
        }
    }
}

fn compare_app(client: &str, old: &Result<Release, Refusal>, new: &Result<Release, Refusal>, affected: &mut Affected) {
    match (old, new) {
        (Err(_), Err(_)) => {}
        (Err(_), Ok(_)) => affected.apps_gained.push(client.to_owned()),
        (Ok(_), Err(refusal)) => {
            affected.apps_lost.insert(client.to_owned(), why(refusal));
        }
        (Ok(old), Ok(new)) => {
            let mut changes = ClaimChanges::default();
            for (old, new) in
                [(&old.id_token, &new.id_token), (&old.userinfo, &new.userinfo), (&old.access_token, &new.access_token)]
            {
                claim_changes(old, new, &mut changes);
            }
            if changes != ClaimChanges::default() {
                affected.claims.insert(client.to_owned(), changes);
            }
        }
    }
}

fn claim_changes(old: &Map<String, Value>, new: &Map<String, Value>, changes: &mut ClaimChanges) {
    let mut note = |list: fn(&mut ClaimChanges) -> &mut Vec<String>, name: &String| {
        let list = list(changes);
        if !list.contains(name) {
            list.push(name.clone());
        }
    };
    for (name, value) in new {
        match old.get(name) {
            None => note(|changes| &mut changes.gained, name),
            Some(before) if before != value => note(|changes| &mut changes.changed, name),
            Some(_) => {}
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        note(|changes| &mut changes.lost, name);
    }
}

/// The person's last sign-in.
struct Facts {
    acr: Option<String>,
    amr: Vec<String>,
}

impl Facts {
    fn of(link: &KnownLink) -> Self {
        let (acr, amr) = authentication(&link.claims);
        Self { acr, amr }
    }

    /// The claims of an app that requests everything that it may.
    fn ask(&self, policy: &Policy, decision: &Decision, key: &str) -> Result<Release, Refusal> {
        let scopes = policy.clients.get(key).map(|client| client.scopes.as_slice()).unwrap_or_default();
        let request =
            AppRequest { client: key, scopes, acr: self.acr.as_deref(), amr: &self.amr, ..AppRequest::default() };
        let provider = policy.providers.get(&decision.provider);
        let Some(provider) = provider else {
            // The provider of a decision exists, so that this is unreachable.
            return Err(Trace::default().refuse(Stage::Claims, None, Reason::ProviderRemoved, ""));
        };
        release(policy, provider, &decision.subject(), &request, Trace::default()).map(|(release, _)| release)
    }
}

fn all_clients<'p>(old: &'p Policy, new: &'p Policy) -> impl Iterator<Item = &'p str> {
    let keys: BTreeSet<&str> = old.clients.keys().chain(new.clients.keys()).map(String::as_str).collect();
    keys.into_iter()
}

/// "1 person", "2 people".
fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn without(these: &[String], those: &[String]) -> Vec<String> {
    these.iter().filter(|name| !those.contains(name)).cloned().collect()
}

fn why(refusal: &Refusal) -> Why {
    let source = refusal.trace.steps.last().and_then(|step| step.source.as_ref());
    let place = source.map(ToString::to_string).unwrap_or_default();
    Why { reason: refusal.reason.code(), place }
}
