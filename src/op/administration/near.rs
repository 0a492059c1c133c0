//! Users whose names resemble what an operator typed.
//!
//! However many users there are, little is read: the names that differ by one edit are looked up one by one, and of those that
//! begin in the same way only the first few are compared. For operators alone: to others this would tell who has an account.

use std::collections::BTreeSet;

use crate::decision::username;
use crate::store::{Result, Store};

/// The most names that are suggested.
const MOST: usize = 3;
/// The most characters of what was typed.
const LONGEST: usize = 64;
/// How many of the names that begin in the same way are compared.
const COMPARED: u32 = 50;
/// The characters of usernames in ASCII, in their folded form.
const USUAL: &str = "abcdefghijklmnopqrstuvwxyz0123456789._-@";

/// The usernames nearest to what was typed, the nearest first: one edit away, two at the end of a longer name, or begun but not
/// finished.
///
/// # Errors
/// When the store is not available.
pub async fn near(store: &dyn Store, typed: &str) -> Result<Vec<String>> {
    let wanted = username::key(typed);
    let length = wanted.chars().count();
    if !(2..=LONGEST).contains(&length) {
        return Ok(Vec::new());
    }
    let edited: Vec<String> = one_edit_away(&wanted).into_iter().collect();
    let mut names = store.usernames_of(&edited).await?;
    let prefix: String = wanted.chars().take(length.div_ceil(2).max(length.saturating_sub(2))).collect();
    let begun = store.users_named(&prefix, None, COMPARED).await?;
    names.extend(begun.into_iter().map(|person| person.user.username));
    let allowed = if length < 5 { 1 } else { 2 };
    let ranked = names.into_iter().filter_map(|name| {
        let key = username::key(&name);
        let distance = strsim::osa_distance(&wanted, &key);
        (distance <= allowed || (length > 2 && key.starts_with(&wanted))).then_some((distance, name))
    });
    let ranked: BTreeSet<(usize, String)> = ranked.collect();
    Ok(ranked.into_iter().take(MOST).map(|(_, name)| name).collect())
}

/// The same as the end of a sentence: `; did you mean alice or alina?`, or nothing.
///
/// # Errors
/// When the store is not available.
pub async fn suggestion(store: &dyn Store, typed: &str) -> Result<String> {
    let names = near(store, typed).await?;
    Ok(if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(" or ")) })
}

/// What differs from a key by one character too many, missing, wrong, or in the wrong place.
fn one_edit_away(key: &str) -> BTreeSet<String> {
    let characters: Vec<char> = key.chars().collect();
    let alphabet: BTreeSet<char> = USUAL.chars().chain(characters.iter().copied()).collect();
    let mut found = BTreeSet::new();
    for at in 0..=characters.len() {
        let (before, after) = characters.split_at(at);
        let with = |middle: &[char], rest: &[char]| before.iter().chain(middle).chain(rest).collect::<String>();
        for one in &alphabet {
            found.insert(with(&[*one], after));
        }
        let Some((wrong, rest)) = after.split_first() else { continue };
        found.insert(with(&[], rest));
        for one in &alphabet {
            found.insert(with(&[*one], rest));
        }
        if let Some((next, rest)) = rest.split_first() {
            found.insert(with(&[*next, *wrong], rest));
        }
    }
    found.remove(key);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_edit_is_among_them_and_no_other() {
        let found = one_edit_away("alcie");
        for near in ["alice", "lcie", "alcies", "xalcie", "alkie", "alci", "alc.ie"] {
            assert!(found.contains(near), "{near}");
        }
        assert!(found.iter().all(|one| strsim::osa_distance("alcie", one) == 1));
        assert!(one_edit_away("zëo").contains("zoë") && !found.contains("alcie"));
        assert!(one_edit_away(&"x".repeat(LONGEST)).len() < 6_000);
    }
}
