//! The accounts that exist in a test: the `given` ones and, for a refresh, the account itself.

use serde_json::Map;

use crate::config::language::mapping_test::{GivenAccount, MappingTest};
use crate::config::language::provider::EmailVerified;
use crate::decision::account::{Account, AccountFacts, AccountIds};
use crate::decision::pipeline::{Evidence, Mapped};
use crate::decision::policy::{Attached, Policy};
use crate::decision::username;

/// What the store would answer in this test.
pub(crate) fn facts(policy: &Policy, test: &MappingTest, evidence: &Evidence<'_>, mapped: &Mapped<'_>) -> AccountFacts {
    let question = mapped.question();
    let here = |given: &&GivenAccount| given.provider.as_deref() == Some(evidence.provider);
    let linked = test.given.iter().filter(here).find(|given| given.sub.as_deref() == Some(evidence.subject));
    let account = |given: &GivenAccount| account(policy, given);
    let linked = linked.map(account);
    if test.refresh {
        let declared = question.declared.as_ref().and_then(|key| policy.users.get(key));
        let name = declared.map(|user| user.username.clone());
        let name = name.or_else(|| mapped.attributes().username.as_deref().and_then(username::normalize));
        let known = || named(policy, name.unwrap_or_else(|| "someone".to_owned()));
        return AccountFacts { linked: Some(linked.unwrap_or_else(known)), ..AccountFacts::default() };
    }
    let declared = question.declared.as_deref().and_then(|key| {
        let named = test.given.iter().filter(|given| username::key(&given.username) == key);
        named.clone().find(here).or_else(|| named.clone().next())
    });
    let by_email = question.email.as_ref().map(|(email, others)| joinable(policy, test, email, others));
    let by_email = by_email.unwrap_or_default();
    let is = |given: &GivenAccount, account: &Account| account.username == username_of(given);
    let email_is_linked =
        matches!(by_email.as_slice(), [one] if test.given.iter().filter(here).any(|given| is(given, one)));
    let wanted = question.username_key.unwrap_or_default();
    let keys = test.given.iter().map(|given| username::key(&given.username));
    AccountFacts {
        linked,
        declared_is_linked: declared.is_some_and(|given| here(&given)),
        declared: declared.map(account),
        by_email,
        email_is_linked,
        attached: Attached::default(),
        taken: keys.filter(|key| key.starts_with(&wanted)).collect(),
        new: AccountIds { id: String::new(), sub: UNKNOWN_SUB.to_owned() },
    }
}

/// Accounts that may be linked by a verified address: those whose own provider is among `others` and verified it.
fn joinable(policy: &Policy, test: &MappingTest, email: &str, others: &[(String, String)]) -> Vec<Account> {
    let verified = |given: &GivenAccount| {
        let Some(provider) = given.provider.as_ref().and_then(|id| policy.providers.get(id)) else { return false };
        let trusted = others.iter().any(|(id, issuer)| *id == provider.id && *issuer == provider.issuer);
        trusted
            && match provider.email_verified {
                EmailVerified::Claim => given.email_verified,
                EmailVerified::Always => true,
                EmailVerified::Never => false,
            }
    };
    let mut accounts: Vec<Account> = Vec::new();
    for given in &test.given {
        let same = given.email.as_ref().is_some_and(|address| address.to_ascii_lowercase() == email);
        if same && verified(given) && !accounts.iter().any(|known| known.username == given.username) {
            accounts.push(account(policy, given));
        }
    }
    accounts
}

/// The subject of an account for which the file has none. A real one is random.
const UNKNOWN_SUB: &str = "(random)";

fn username_of(given: &GivenAccount) -> String {
    username::normalize(&given.username).unwrap_or_else(|| given.username.clone())
}

/// An account that exists under this name.
fn named(policy: &Policy, username: String) -> Account {
    let sub = policy.declared(&username).and_then(|user| user.sub.clone()).unwrap_or_else(|| UNKNOWN_SUB.to_owned());
    Account { username, ids: AccountIds { id: String::new(), sub }, ..Account::default() }
}

/// The account that a test gives.
fn account(policy: &Policy, given: &GivenAccount) -> Account {
    let mut profile = Map::new();
    if let Some(email) = &given.email {
        profile.insert("email".to_owned(), email.as_str().into());
        profile.insert("email_verified".to_owned(), given.email_verified.into());
    }
    Account { profile, ..named(policy, username_of(given)) }
}
