//! Proposes lines of `[providers.X]` for a provider that no preset describes: from the claims that it sent when somebody signed
//! in or, before anybody has, from its discovery document.
//!
//! Only what the file does not map yet is proposed, and only expressions that compile and, where claims are known, give a value
//! of the attribute's type. `names` has the names under which providers send an attribute, `shape` the expression for the form
//! that a value has, `product` the addresses of known products, `written` the TOML.

mod model;
mod names;
mod product;
mod sent;
mod shape;
#[cfg(test)]
mod tests;
mod written;

use std::collections::BTreeSet;

pub use model::{Proposal, Seen};

use crate::config::Config;
use crate::config::language::cel_source::cel_member;
use crate::config::language::provider::{Preset, Provider};
use crate::config::resolved::preset;
use crate::decision::policy::Policy;
use model::with;

/// The lines that the file lacks for what is known of the provider `id`.
#[must_use]
pub fn propose(policy: &Policy, config: &Config, id: &str, seen: &Seen<'_>) -> Proposal {
    let (Some(declared), Some(known)) = (config.providers.get(id), policy.providers.get(id)) else {
        return Proposal::default();
    };
    let mut proposal = Proposal::default();
    if declared.preset == Preset::Generic {
        proposal.preset = seen.issuer.and_then(product::of);
    }
    match (seen.claims, seen.listed) {
        (Some(claims), _) => sent::propose(&mut proposal, policy, (declared, known), claims),
        (None, Some(listed)) => by_name(&mut proposal, declared, listed),
        (None, None) => {}
    }
    scopes(&mut proposal, declared, seen);
    proposal
}

/// What a discovery document tells: names without values.
fn by_name(proposal: &mut Proposal, declared: &Provider, listed: &[String]) {
    let defaults = preset::claims(declared);
    for attribute in ["username", "groups", "roles", "email"] {
        let Some(rule) = defaults.get(attribute) else { continue };
        let reads = |name: &String| rule.as_slice().iter().any(|read| read.as_str() == cel_member("claims", name));
        if listed.iter().any(reads) {
            continue;
        }
        let aliases = names::of(attribute);
        let found = aliases.iter().find_map(|alias| listed.iter().find(|name| names::local(name) == *alias));
        if let Some(name) = found {
            if attribute == "groups" && names::may_be_distinguished(&names::local(name)) {
                proposal.distinguished_names = with(preset::written_or_preset(declared).distinguished_names, name);
            }
            let why = format!("claims_supported has {name:?}");
            proposal.map(attribute, cel_member("claims", name), why);
        }
    }
}

/// The scopes with which the provider gives what is lacking.
fn scopes(proposal: &mut Proposal, declared: &Provider, seen: &Seen<'_>) {
    // A client of Keycloak has the scope `roles` by default.
    let keycloak = proposal.preset.as_ref().map_or(declared.preset, |(preset, _)| *preset) == Preset::Keycloak;
    let (mut scopes, optional) = preset::scopes(declared);
    let asked: BTreeSet<&String> = scopes.iter().chain(&optional).collect();
    let comes = |name: &str| seen.claims.is_some_and(|claims| claims.contains_key(name)) || proposal.has(name);
    let lacking = |name: &&str| {
        let offered = seen.scopes.is_some_and(|offered| offered.iter().any(|scope| scope == name));
        offered && !asked.contains(&(*name).to_owned()) && !(seen.claims.is_some() && comes(name))
    };
    let more: Vec<String> = ["groups", "roles"]
        .into_iter()
        .filter(|name| !declared.claims.contains_key(*name))
        .filter(|name| !keycloak || *name != "roles")
        .filter(lacking)
        .map(str::to_owned)
        .collect();
    if !more.is_empty() {
        let why = format!("scopes_supported has {}", more.join(" and "));
        scopes.extend(more);
        proposal.scopes = Some((scopes, why));
    }
}
