//! Explanations as commands print them.

use std::fmt;

use chrono::DateTime;
use serde_json::{Map, Value};

use crate::analysis::explain::condition::{Condition, Read};
use crate::analysis::explain::{AppClaims, Explanation, Kept, Unmatched};
use crate::config::diagnostics::problem::printable;
use crate::decision::trace::Trace;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = time(self.claims_at);
        writeln!(f, "{} through {}, with the claims of {when}", printable(&self.username), self.provider)?;
        indented(&self.trace, f)?;
        because(f, self.refused_by.as_ref(), self.change.as_deref())?;
        if !self.unmatched.is_empty() {
            writeln!(f, "  rules that did not match:")?;
            self.unmatched.iter().try_for_each(|rule| write!(f, "{rule}"))?;
        }
        let Some(person) = &self.person else { return Ok(()) };
        writeln!(f, "  groups:      {}", names(&person.groups))?;
        writeln!(f, "  roles:       {}", names(&person.roles))?;
        writeln!(f, "  permissions: {}", names(&person.permissions))?;
        match (&self.client, &self.app) {
            (Some(client), Some(app)) => released(f, client, app),
            _ => Ok(()),
        }
    }
}

/// The condition that refused, and what would have to change.
fn because(f: &mut fmt::Formatter<'_>, refused_by: Option<&Condition>, change: Option<&str>) -> fmt::Result {
    if let Some(condition) = refused_by {
        write!(f, "{condition}")?;
    }
    change.map_or(Ok(()), |change| writeln!(f, "           {}", printable(change)))
}

fn released(f: &mut fmt::Formatter<'_>, client: &str, app: &AppClaims) -> fmt::Result {
    writeln!(f, "  {client} gets, with scope {}", app.scopes.join(" "))?;
    writeln!(f, "    sub = {}", Value::from(app.sub.as_str()))?;
    let parts = [("ID token", &app.id_token), ("userinfo", &app.userinfo), ("access token", &app.access_token)];
    parts.into_iter().try_for_each(|(part, claims)| claims_of(f, part, claims))
}

fn claims_of(f: &mut fmt::Formatter<'_>, part: &str, claims: &Map<String, Value>) -> fmt::Result {
    writeln!(f, "    {part}")?;
    claims.iter().try_for_each(|(name, value)| writeln!(f, "      {} = {value}", printable(name)))
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.near_misses.iter().try_for_each(|miss| writeln!(f, "           {}", printable(miss)))?;
        writeln!(f, "           expression: {}", printable(&self.expression))?;
        self.values.iter().try_for_each(|read| writeln!(f, "           {read}"))
    }
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {value}", printable(&self.name))?,
            None => write!(f, "{} is absent", printable(&self.name))?,
        }
        if self.left_out > 0 {
            write!(f, " and {} more", self.left_out)?;
        }
        Ok(())
    }
}

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles = printable(&self.roles.join(", "));
        writeln!(f, "  roles    no {roles}: {}  [{}]", printable(&self.text), self.source)?;
        self.condition.iter().try_for_each(|condition| write!(f, "{condition}"))
    }
}

impl Kept {
    /// Prints the decision, made at `at` (Unix seconds) for a client.
    #[must_use]
    pub fn print(&self, at: i64, client: Option<&str>) -> String {
        let app = client.map_or_else(|| "no app".to_owned(), |client| format!("app {client}"));
        let (provider, generation) = (&self.provider, self.generation);
        format!("{}, through {provider}, for {app}, configuration generation {generation}\n{self}", time(at))
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))?;
        if let Some(failure) = &self.failure {
            writeln!(f, "  provider {}", printable(failure))?;
        }
        if let Some(reason) = &self.refused {
            writeln!(f, "  refused  {}", printable(reason))?;
        }
        because(f, self.refused_by.as_ref(), self.change.as_deref())
    }
}

fn indented(trace: &Trace, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    trace.to_string().lines().try_for_each(|line| writeln!(f, "  {line}"))
}

/// A time as commands print it.
pub(super) fn time(at: i64) -> String {
    DateTime::from_timestamp(at, 0).map(|time| time.to_rfc3339()).unwrap_or_default()
}

fn names(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { printable(&list.join(", ")) }
}
