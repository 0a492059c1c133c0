//! The parts of `broker.toml` that both importers write: ids, names, expressions, secrets, URIs, lifetimes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::config::check::open_providers::open_service;
use crate::config::check::urls::{Http, issuer, redirect_uri, web_url};
use crate::config::diagnostics::problem::did_you_mean;
use crate::config::language::scalar::Duration;
use crate::config::schema::json_schema;
use crate::import::document::{Mark, Table, Toml, inline};
use crate::protocol::PROTOCOL_CLAIMS;
use crate::protocol::STANDARD_CLAIMS;

/// Provider ids that are reserved for the broker's own sign-in methods.
const RESERVED_PROVIDERS: &[&str] = &["certificate", "break_glass"];

/// The placeholder for an unknown issuer.
pub(crate) const EXAMPLE_ISSUER: &str = "https://sso.example.com";

/// The ids of one section, made valid and unique.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    taken: BTreeSet<String>,
    /// Ids that are already valid, which are reserved for their owners.
    kept: BTreeSet<String>,
}

impl Ids {
    /// Ids of providers; the reserved ones are taken.
    pub(crate) fn of_providers() -> Self {
        Self { taken: RESERVED_PROVIDERS.iter().map(|id| (*id).to_owned()).collect(), kept: BTreeSet::new() }
    }

    /// Ids of a section whose entries have ids in the imported file; those that are already valid are kept.
    pub(crate) fn keeping(wanted: impl IntoIterator<Item = String>) -> Self {
        let valid = |id: &String| {
            id.len() <= 63
                && id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
        };
        Self { taken: BTreeSet::new(), kept: wanted.into_iter().filter(valid).collect() }
    }

    /// The closest free id: 1 to 63 of `a-z 0-9 _ -`, starting with a letter or digit.
    pub(crate) fn take(&mut self, wanted: &str, otherwise: &str) -> String {
        if self.kept.remove(wanted) {
            self.taken.insert(wanted.to_owned());
            return wanted.to_owned();
        }
        let mut id = String::new();
        for c in wanted.trim().to_lowercase().chars() {
            let c = if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
            let begins_badly = id.is_empty() && !c.is_ascii_alphanumeric();
            let repeats = c == '-' && id.ends_with('-');
            if !begins_badly && !repeats && id.len() < 56 {
                id.push(c);
            }
        }
        let id = id.trim_end_matches(['-', '_']);
        let id = if id.is_empty() { otherwise } else { id };
        let numbered = (2_u32..).map(|n| format!("{id}-{n}"));
        let free = std::iter::once(id.to_owned())
            .chain(numbered)
            .find(|id| !self.taken.contains(id) && !self.kept.contains(id));
        let free = free.unwrap_or_else(|| otherwise.to_owned());
        self.taken.insert(free.clone());
        free
    }
}

/// Names on the sign-in page: 3 to 127 characters, unique regardless of case.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// The name to write; `None` if the id serves as the name.
    pub(crate) fn take(&mut self, wanted: Option<&str>, id: &str) -> Option<String> {
        let clean: String = wanted.unwrap_or(id).chars().filter(|c| !c.is_control()).take(100).collect();
        let clean = clean.trim();
        let mut name = if clean.is_empty() { id.to_owned() } else { clean.to_owned() };
        if name.chars().count() < 3 {
            name = format!("{name} sign-in");
        }
        if self.0.contains(&name.to_lowercase()) {
            // This is unique because the id is, which has at most 56 characters.
            name = format!("{} ({id})", name.chars().take(64).collect::<String>());
        }
        self.0.insert(name.to_lowercase());
        (name != id).then_some(name)
    }
}

/// Whether a claims table of `[clients.X]` or `[providers.X]` can have the key, and if not, why.
pub(crate) fn claim_refused(name: &str, section: &str) -> Option<&'static str> {
    let protocol = if section == "Provider" { PROTOCOL_CLAIMS.get(..2).unwrap_or_default() } else { PROTOCOL_CLAIMS };
    if name.is_empty() || protocol.contains(&name) {
        return Some("the protocol sets it");
    }
    let schema = json_schema();
    let settings = schema.get("$defs").and_then(|all| all.get(section)).and_then(|one| one.get("properties"));
    let is_setting = settings.and_then(Value::as_object).is_some_and(|settings| settings.contains_key(name));
    (is_setting && !STANDARD_CLAIMS.contains(&name)).then_some("a setting of the section has that name")
}

/// The name of the variable if a text is nothing else: `$NAME`, `${NAME}`, `${env.NAME}`, `$(env:NAME)`.
pub(crate) fn variable(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let inner = inner.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(inner);
    let inner = inner.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or(inner);
    let inner = inner.strip_prefix("env.").or_else(|| inner.strip_prefix("env:")).unwrap_or(inner);
    let name = inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    name.then_some(inner)
}

/// The place where a secret has to be put.
pub(crate) fn secret_file(kind: &str, id: &str) -> Toml {
    inline([("file", format!("secrets/{kind}-{id}"))])
}

/// A secret in an environment variable.
pub(crate) fn secret_env(name: &str) -> Toml {
    inline([("env", name)])
}

/// The issuer line.
pub(crate) fn set_issuer(head: &mut Table, given: Option<&str>, found: Option<&str>, otherwise: &str) -> String {
    let fits = |text: &str| issuer(text, Http::Loopback).is_ok();
    let chosen = match (given, found) {
        (Some(given), _) => {
            if found.is_some_and(|found| found != given) {
                head.note(Mark::Changed, format!("the issuer was {}.", found.unwrap_or_default()));
            }
            given.to_owned()
        }
        (None, Some(found)) if fits(found) => found.to_owned(),
        (None, Some(found)) => {
            let secure = found.strip_prefix("http://").map(|rest| format!("https://{rest}")).filter(|url| fits(url));
            let way = "Apps identify the broker by its issuer: configure the new one in each app, or choose another with --issuer.";
            let why = "an issuer is an https URL (http on loopback only) without query and fragment.";
            head.note(Mark::Changed, format!("the issuer was {found}; {why} {way}"));
            secure.unwrap_or_else(|| otherwise.to_owned())
        }
        (None, None) => {
            head.note(Mark::ToDo, "write the URL at which users and apps reach the broker, or use --issuer.");
            otherwise.to_owned()
        }
    };
    head.set("issuer", chosen.as_str());
    chosen
}

/// The `allow` line, which combines the conditions. A provider where anyone can have an account refuses everybody until the
/// file states who may sign in.
pub(crate) fn set_allow(table: &mut Table, issuer: &str, conditions: &[String]) {
    if !conditions.is_empty() {
        table.set("allow", conditions.join(" && "));
    } else if open_service(issuer).is_some() {
        let example = "\"claims.email.domain() == 'corp.example' && claims.email_verified\"";
        table.note(
            Mark::ToDo,
            format!(
                "anyone can have an account at this provider. Restrict who may sign in, for example allow = {example}."
            ),
        );
        table.set("allow", "false");
    }
}

/// The comment about unknown keys. Their values are not shown, because they may be secret.
pub(crate) fn unknown_keys(value: &Value, known: &[&str]) -> Vec<String> {
    let unknown = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| !known.contains(&key.as_str()) && !is_nothing(value));
    unknown
        .map(|(key, _)| {
            let near = did_you_mean(key, known.iter().copied()).map(|near| format!("; {near}")).unwrap_or_default();
            format!("the key {key} is not known, and nothing of it was imported{near}")
        })
        .collect()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Redirect URIs, divided into those that are kept and those that are not, with the reason.
#[derive(Debug, Default)]
pub(crate) struct Uris {
    /// URIs that are kept.
    pub(crate) kept: Vec<String>,
    /// URIs that are not kept, with the reason.
    pub(crate) refused: Vec<(String, &'static str)>,
}

impl Uris {
    /// Divides the URIs. `native`: reverse-domain schemes are accepted.
    pub(crate) fn sort(uris: impl IntoIterator<Item = String>, native: bool) -> Self {
        let mut out = Self::default();
        for uri in crate::import::read::distinct(uris) {
            match redirect_uri(&uri, native) {
                Ok(()) => out.kept.push(uri),
                Err(expected) => out.refused.push((uri, expected)),
            }
        }
        out
    }

    /// Writes the list; URIs that are not kept become comments.
    pub(crate) fn write(self, table: &mut Table, key: &str) {
        for (uri, expected) in &self.refused {
            let what = if uri.contains('*') {
                "a wildcard lets anyone who controls a matching address receive authorization codes. List each URI that is in use"
            } else {
                "register a URI that meets this"
            };
            table.note(Mark::NotSupported, format!("`{uri}` in `{key}`; it must be {expected}; {what}."));
        }
        if !self.kept.is_empty() {
            table.set(key, self.kept);
        }
    }
}

/// Writes a web address if it is valid, otherwise a comment.
pub(crate) fn set_web_url(table: &mut Table, key: &str, url: Option<String>) {
    let Some(url) = url else { return };
    match web_url(&url, Http::Loopback) {
        Ok(_) => table.set(key, url),
        Err(expected) => table.note(Mark::NotSupported, format!("`{key}` {url}: it must be {expected}.")),
    }
}

/// The origins that `allowed_origins` accepts, and the other texts.
pub(crate) fn origins(texts: &[String]) -> (Vec<String>, Vec<String>) {
    let plain = |text: &String| {
        web_url(text, Http::Loopback).is_ok_and(|url| url.origin().ascii_serialization() == text.trim_end_matches('/'))
    };
    let (good, bad): (Vec<String>, Vec<String>) = texts.iter().cloned().partition(plain);
    let good = good.into_iter().map(|text| text.trim_end_matches('/').to_owned());
    (crate::import::read::distinct(good), bad)
}

/// Seconds as a duration of the configuration language.
pub(crate) fn duration(seconds: u64) -> String {
    Duration::from_secs(seconds).to_string()
}

/// The longest duration of the configuration language: 100 years.
pub(crate) const LONGEST: u64 = 100 * 365 * 86_400;
