//! Finds the account of a sign-in. The account is matched by issuer and `sub`, by a declared link or by a verified address, in
//! that order; otherwise it is created, or the sign-in is refused.

use serde_json::{Map, Value};

use crate::config::language::policy::UsernameConflict;
use crate::decision::claims::Attributes;
use crate::decision::policy::{Attached, DeclaredUser, Policy, ProviderPolicy};
use crate::decision::reason::Reason;
use crate::decision::trace::{Refusal, Stage, Trace};
use crate::decision::username;

/// What the subjects of an account are made of (OIDC Core §8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountIds {
    /// Its internal id, which is random and never shown: the salt of its pairwise subjects.
    pub id: String,
    /// Its public subject.
    pub sub: String,
}

/// An account that exists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// Its username.
    pub username: String,
    /// What its subjects are made of.
    pub ids: AccountIds,
    /// Its stored attributes.
    pub profile: Map<String, Value>,
    /// Whether it was disabled at run time.
    pub disabled: bool,
}

/// What the decision has to ask the store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountQuestion {
    /// Username key of the `[users]` entry that declares this upstream account.
    pub declared: Option<String>,
    /// A verified address and the providers (id, issuer) whose accounts it may join.
    pub email: Option<(String, Vec<(String, String)>)>,
    /// Key of the username that a new account would get.
    pub username_key: Option<String>,
}

/// The store's answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountFacts {
    /// The account that the upstream account is linked to.
    pub linked: Option<Account>,
    /// The account of the declared username.
    pub declared: Option<Account>,
    /// How a certificate was attached to that account; of no meaning for other links.
    pub attached: Attached,
    /// Whether the declared account already has an upstream account at this provider (same id and issuer).
    pub declared_is_linked: bool,
    /// Accounts with that verified address.
    pub by_email: Vec<Account>,
    /// Whether the only one of them already has an upstream account at this provider (same id and issuer).
    pub email_is_linked: bool,
    /// Keys of existing usernames that equal the requested one or begin with it.
    pub taken: Vec<String>,
    /// What the subjects of a new account will be made of.
    pub new: AccountIds,
}

/// How the account was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkedBy {
    /// By issuer and `sub`, at this provider.
    Subject,
    /// By a link that is declared in the file.
    Declared,
    /// By an address that both providers verified.
    VerifiedEmail,
    /// It did not exist before.
    Created,
}

impl LinkedBy {
    /// Its name in traces and tests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subject => "sub",
            Self::Declared => "declared",
            Self::VerifiedEmail => "email",
            Self::Created => "created",
        }
    }
}

/// The account of a sign-in.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountDecision {
    /// The account; `None` when it is to be created.
    pub existing: Option<Account>,
    /// Its username, or the username that it will be created with.
    pub username: String,
    /// What its subjects are made of.
    pub ids: AccountIds,
    /// A subject imported by the file, for an account that is to be created.
    pub imported_sub: Option<String>,
    /// How it was found.
    pub linked_by: LinkedBy,
    /// Whether it was found by an address. Such an account must not have another upstream account at this provider when the
    /// sign-in is written, because a provider may reassign the address of one person to another.
    pub by_address: bool,
}

/// The questions to the store that follow from these attributes.
#[must_use]
pub fn question(policy: &Policy, provider: &ProviderPolicy, subject: &str, attributes: &Attributes) -> AccountQuestion {
    let declared = declared_key(policy, provider, subject, attributes).map(|(key, _)| key.to_owned());
    let username_key = match declared.as_deref().and_then(|key| policy.users.get(key)) {
        Some(user) => Some(username::key(&user.username)),
        None => attributes.username.as_deref().and_then(username::normalize).map(|name| username::key(&name)),
    };
    let email =
        provider.link_with.as_ref().and_then(|(others, _)| Some((attributes.verified_email()?, others.clone())));
    AccountQuestion { declared, email, username_key }
}

/// The declared user that this upstream account belongs to, and whether it was found by `sub`.
fn declared_key<'p>(
    policy: &'p Policy,
    provider: &ProviderPolicy,
    subject: &str,
    attributes: &Attributes,
) -> Option<(&'p str, bool)> {
    if policy.users.is_empty() {
        return None;
    }
    let by_sub = policy.links_by_sub.get(&(provider.id.clone(), subject.to_owned()));
    let by_email = || policy.links_by_email.get(&(provider.id.clone(), attributes.verified_email()?));
    by_sub.map(|key| (key.as_str(), true)).or_else(|| by_email().map(|key| (key.as_str(), false)))
}

/// Chooses or creates the account.
///
/// # Errors
/// A refusal: the account is disabled, unknown and not to be created, or its username is not available.
pub fn decide(
    policy: &Policy,
    provider: &ProviderPolicy,
    subject: &str,
    attributes: &Attributes,
    facts: AccountFacts,
    mut trace: Trace,
) -> Result<(AccountDecision, Trace), Refusal> {
    let decision = if let Some(account) = facts.linked {
        if provider.is_certificate() && !policy.keeps_certificate(subject, &account.username, facts.attached) {
            let text = "the certificate is attached to the account no more";
            return Err(trace.refuse(Stage::Account, None, Reason::UserNotDeclared, text));
        }
        trace.add(Stage::Account, None, "matched by issuer and sub");
        found(account, LinkedBy::Subject)
    } else if let Some((key, by_sub)) = declared_key(policy, provider, subject, attributes)
        && let Some(user) = policy.users.get(key)
    {
        if !by_sub && facts.declared_is_linked {
            // An address is only used at the first sign-in: by now a former user's address may belong to somebody else.
            let text = "the declared address belongs to an account that is linked to this provider already";
            return Err(trace.refuse(Stage::Account, Some(&user.source), Reason::UsernameTaken, text));
        }
        let how = if by_sub { "sub" } else { "verified address" };
        trace.add(Stage::Account, Some(&user.source), format!("declared link by {how}"));
        match facts.declared {
            Some(account) => AccountDecision { by_address: !by_sub, ..found(account, LinkedBy::Declared) },
            None => AccountDecision {
                existing: None,
                username: user.username.clone(),
                ids: new_ids(facts.new, user.sub.as_ref()),
                imported_sub: user.sub.clone(),
                linked_by: LinkedBy::Declared,
                by_address: !by_sub,
            },
        }
    } else if let [account] = facts.by_email.as_slice()
        && !facts.email_is_linked
    {
        let source = provider.link_with.as_ref().map(|(_, source)| source);
        trace.add(Stage::Account, source, "joined by verified address");
        AccountDecision { by_address: true, ..found(account.clone(), LinkedBy::VerifiedEmail) }
    } else if facts.by_email.len() > 1 {
        let source = provider.link_with.as_ref().map(|(_, source)| source);
        return Err(trace.refuse(
            Stage::Account,
            source,
            Reason::EmailAmbiguous,
            "several accounts have this verified address",
        ));
    } else {
        if facts.email_is_linked {
            let source = provider.link_with.as_ref().map(|(_, source)| source);
            let text = "the account with this verified address has another upstream account here: not joined";
            trace.add(Stage::Account, source, text);
        }
        let (decision, traced) = create(policy, provider, attributes, &facts.taken, trace)?;
        trace = traced;
        AccountDecision { ids: new_ids(facts.new, decision.imported_sub.as_ref()), ..decision }
    };
    let trace = not_break_glass(policy, &decision, trace)?;
    enabled(policy, &decision, trace).map(|trace| (decision, trace))
}

/// An account that had the name of the break-glass account before the file declared it is refused, rather than taken for it by
/// an app.
fn not_break_glass(policy: &Policy, decision: &AccountDecision, trace: Trace) -> Result<Trace, Refusal> {
    match &policy.break_glass {
        Some(account) if username::key(&account.username) == username::key(&decision.username) => {
            let text = "the username is that of the break-glass account; rename the user (countersign users rename)";
            Err(trace.refuse(Stage::Account, Some(&account.source), Reason::UsernameReserved, text))
        }
        _ => Ok(trace),
    }
}

fn found(account: Account, linked_by: LinkedBy) -> AccountDecision {
    AccountDecision {
        username: account.username.clone(),
        ids: account.ids.clone(),
        existing: Some(account),
        imported_sub: None,
        linked_by,
        by_address: false,
    }
}

fn new_ids(new: AccountIds, imported_sub: Option<&String>) -> AccountIds {
    AccountIds { sub: imported_sub.cloned().unwrap_or(new.sub), ..new }
}

fn create(
    policy: &Policy,
    provider: &ProviderPolicy,
    attributes: &Attributes,
    taken: &[String],
    mut trace: Trace,
) -> Result<(AccountDecision, Trace), Refusal> {
    let (create_users, source) = &provider.create_users;
    let stage = Stage::Account;
    // A user whose entry links no upstream account is identified by username.
    let by_name = attributes.username.as_deref().and_then(|name| policy.declared(name));
    let by_name = by_name.filter(|user| !user.linked && !provider.is_certificate());
    if !create_users && by_name.is_none() {
        let text = "the user is not declared, and this provider creates no users";
        return Err(trace.refuse(stage, Some(source), Reason::UserNotDeclared, text));
    }
    let Some(raw) = &attributes.username else {
        let reason = if attributes.odd_username { Reason::ClaimMappingFailed } else { Reason::UsernameMissing };
        return Err(trace.refuse(stage, None, reason, "a new account needs a username"));
    };
    let Some(wanted) = username::normalize(raw) else {
        return Err(trace.refuse(
            stage,
            None,
            Reason::UsernameInvalid,
            "the username is empty, too long or has hidden characters",
        ));
    };
    if let Some((_, source)) = policy.reserved.iter().find(|(name, _)| username::resembles(&wanted, name)) {
        let source = source.clone();
        return Err(trace.refuse(stage, Some(&source), Reason::UsernameReserved, "the username is reserved"));
    }
    let username = match free_name(policy, &wanted, taken) {
        // A certificate gets no name that anybody has or will have, and no name like it.
        Some(name) if !provider.is_certificate() || (name == wanted && policy.declared(&name).is_none()) => name,
        _ => {
            let text = "the username belongs to someone else";
            return Err(trace.refuse(stage, None, Reason::UsernameTaken, text));
        }
    };
    let suffixed = username != wanted;
    trace.add(stage, Some(source), if suffixed { "created, with a suffix: the name was taken" } else { "created" });
    let imported_sub = policy.declared(&username).and_then(|user| user.sub.clone());
    let linked_by = LinkedBy::Created;
    let ids = AccountIds::default();
    Ok((AccountDecision { existing: None, username, ids, imported_sub, linked_by, by_address: false }, trace))
}

/// The requested username or, with `on_username_conflict = "suffix"`, the first numbered variant that is free.
fn free_name(policy: &Policy, wanted: &str, taken: &[String]) -> Option<String> {
    let free = |name: &str| {
        let key = username::key(name);
        // A username that the file links to another upstream account is taken, even before its owner has signed in.
        let owned = policy.users.get(&key).is_some_and(|user| user.linked);
        !owned && !taken.contains(&key)
    };
    if free(wanted) {
        return Some(wanted.to_owned());
    }
    if policy.on_username_conflict == UsernameConflict::Refuse {
        return None;
    }
    (2..=taken.len() + 3).map(|n| format!("{wanted}-{n}")).find(|name| free(name))
}

fn enabled(policy: &Policy, decision: &AccountDecision, trace: Trace) -> Result<Trace, Refusal> {
    if decision.existing.as_ref().is_some_and(|account| account.disabled) {
        return Err(trace.refuse(Stage::Account, None, Reason::UserDisabled, "the user is disabled at run time"));
    }
    match policy.declared(&decision.username) {
        Some(DeclaredUser { enabled: false, source, .. }) => {
            Err(trace.refuse(Stage::Account, Some(source), Reason::UserDisabled, "the user is disabled in the file"))
        }
        _ => Ok(trace),
    }
}

/// The stored profile after this sign-in: attributes listed in `sync` follow the provider, others keep their first value.
#[must_use]
pub fn synchronised(
    provider: &ProviderPolicy,
    stored: Option<&Map<String, Value>>,
    fresh: Map<String, Value>,
) -> Map<String, Value> {
    let (Some(stored), Some(sync)) = (stored, &provider.sync) else { return fresh };
    // A verified flag belongs to one particular address or number, so both are kept or replaced together.
    let goes_with = |name: &str| match name {
        "email_verified" => "email",
        "phone_number_verified" => "phone_number",
        _ => "",
    };
    let follows = |name: &str| match goes_with(name) {
        "" => sync.contains(name) || !stored.contains_key(name),
        subject => sync.contains(subject) || !stored.contains_key(subject),
    };
    let kept = stored.iter().filter(|(name, _)| !follows(name));
    let kept = kept.map(|(name, value)| (name.clone(), value.clone()));
    kept.chain(fresh.into_iter().filter(|(name, _)| follows(name))).collect()
}
