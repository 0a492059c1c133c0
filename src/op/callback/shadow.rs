//! A canary: a second configuration that sees live sign-ins and decides nothing. What it would have decided otherwise is
//! logged, by names of roles, claims and reasons, never by value.

use serde_json::{Map, Value};

use crate::decision::account::AccountFacts;
use crate::decision::app::AppRequest;
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::policy::Policy;
use crate::decision::trace::Refusal;

/// What a second configuration would have decided otherwise.
#[must_use]
pub fn differences(
    shadow: &Policy,
    evidence: &Evidence<'_>,
    facts: AccountFacts,
    request: Option<&AppRequest<'_>>,
    live: Result<&Decision, &Refusal>,
) -> Vec<String> {
    let other = begin(shadow, evidence).and_then(|mapped| mapped.decide(facts, request));
    match (live, &other) {
        (Err(live), Err(other)) if live.reason == other.reason => Vec::new(),
        (Err(live), Err(other)) => vec![format!("refused as {} instead of {}", other.reason, live.reason)],
        (Err(live), Ok(_)) => vec![format!("let in instead of refused as {}", live.reason)],
        (Ok(_), Err(other)) => vec![format!("refused as {} instead of let in", other.reason)],
        (Ok(live), Ok(other)) => decisions(live, other),
    }
}

fn decisions(live: &Decision, other: &Decision) -> Vec<String> {
    let mut found = Vec::new();
    if live.account.username != other.account.username || live.account.linked_by != other.account.linked_by {
        found.push("another account".to_owned());
    }
    lists("role", &live.granted.roles, &other.granted.roles, &mut found);
    let count = |decision: &Decision| decision.groups.len();
    if live.groups != other.groups {
        found.push(format!("{} groups instead of {}", count(other), count(live)));
    }
    if let (Some(live), Some(other)) = (&live.release, &other.release) {
        lists("scope", &live.scopes, &other.scopes, &mut found);
        claims("ID token", &live.id_token, &other.id_token, &mut found);
        claims("userinfo", &live.userinfo, &other.userinfo, &mut found);
        claims("access token", &live.access_token, &other.access_token, &mut found);
    }
    found
}

fn lists(kind: &str, live: &[String], other: &[String], found: &mut Vec<String>) {
    found.extend(other.iter().filter(|name| !live.contains(name)).map(|name| format!("{kind} {name} gained")));
    found.extend(live.iter().filter(|name| !other.contains(name)).map(|name| format!("{kind} {name} lost")));
}

fn claims(place: &str, live: &Map<String, Value>, other: &Map<String, Value>, found: &mut Vec<String>) {
    for (name, value) in other {
        match live.get(name) {
            None => found.push(format!("{place}: claim {name} gained")),
            Some(before) if before != value => found.push(format!("{place}: claim {name} differs")),
            Some(_) => {}
        }
    }
    found.extend(
        live.keys().filter(|name| !other.contains_key(*name)).map(|name| format!("{place}: claim {name} lost")),
    );
}
