//! Explains a decision, rule by rule: either a decision about a known person, made again under the current policy, or a stored
//! one.
//!
//! An explanation contains claim values, because operators read it from their own store.

use std::fmt;

use chrono::DateTime;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use crate::analysis::known::{Known, KnownLink};
use crate::config::diagnostics::problem::printable;
use crate::decision::app::{AppRequest, authentication};
use crate::decision::pipeline::Decision;
use crate::decision::policy::Policy;
use crate::decision::trace::{Refusal, Source, Stage, Step, Trace};

/// The app that requests a sign-in.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Key of the client.
    pub client: &'a str,
    /// Scopes that it requests; empty for all that it may request.
    pub scopes: &'a [String],
    /// The person's subject at this app (OIDC Core §8).
    pub subject: &'a str,
}

/// The decision about one person through one of their upstream accounts.
#[derive(Debug)]
pub struct Explanation<'a> {
    username: &'a str,
    link: &'a KnownLink,
    asking: Option<Asking<'a>>,
    outcome: Result<Decision, Refusal>,
}

/// Makes the decision again, with the claims of the person's last sign-in through `link`.
#[must_use]
pub fn explain<'a>(
    policy: &Policy,
    known: &'a Known,
    link: &'a KnownLink,
    asking: Option<Asking<'a>>,
) -> Explanation<'a> {
    let (acr, amr) = authentication(&link.claims);
    let request = asking.map(|asking| {
        let permitted = policy.clients.get(asking.client).map(|client| client.scopes.as_slice());
        let scopes = if asking.scopes.is_empty() { permitted.unwrap_or_default() } else { asking.scopes };
        AppRequest { client: asking.client, scopes, acr: acr.as_deref(), amr: &amr, ..AppRequest::default() }
    });
    let outcome = known.decide(policy, link, request.as_ref());
    Explanation { username: &known.account.username, link, asking, outcome }
}

impl Explanation<'_> {
    fn trace(&self) -> &Trace {
        match &self.outcome {
            Ok(decision) => &decision.trace,
            Err(refusal) => &refusal.trace,
        }
    }
}

/// `provider`, `claims_at`, `trace`, `groups`, `roles`, `permissions` and `app`. The last four are null if the sign-in is
/// refused.
impl Serialize for Explanation<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let decision = self.outcome.as_ref().ok();
        let release = decision.and_then(|decision| decision.release.as_ref());
        let subject = self.asking.map(|asking| asking.subject);
        let mut json = serializer.serialize_map(None)?;
        json.serialize_entry("provider", &self.link.provider)?;
        json.serialize_entry("claims_at", &self.link.claims_at)?;
        json.serialize_entry("trace", self.trace())?;
        json.serialize_entry("groups", &decision.map(|decision| &decision.groups))?;
        json.serialize_entry("roles", &decision.map(|decision| &decision.granted.roles))?;
        json.serialize_entry("permissions", &decision.map(|decision| &decision.granted.permissions))?;
        let app = release.map(|release| {
            json!({
                "sub": subject, "scopes": release.scopes, "id_token": release.id_token, "userinfo": release.userinfo,
                "access_token": release.access_token,
            })
        });
        json.serialize_entry("app", &app)?;
        json.end()
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = time(self.link.claims_at);
        writeln!(f, "{} through {}, with the claims of {when}", printable(self.username), self.link.provider)?;
        indented(self.trace(), f)?;
        let Ok(decision) = &self.outcome else { return Ok(()) };
        writeln!(f, "  groups:      {}", names(&decision.groups))?;
        writeln!(f, "  roles:       {}", names(&decision.granted.roles))?;
        writeln!(f, "  permissions: {}", names(&decision.granted.permissions))?;
        let (Some(asking), Some(release)) = (&self.asking, &decision.release) else { return Ok(()) };
        writeln!(f, "  {} gets, with scope {}", asking.client, release.scopes.join(" "))?;
        writeln!(f, "    sub = {}", Value::from(asking.subject))?;
        let parts =
            [("ID token", &release.id_token), ("userinfo", &release.userinfo), ("access token", &release.access_token)];
        for (part, claims) in parts {
            writeln!(f, "    {part}")?;
            claims.iter().try_for_each(|(name, value)| writeln!(f, "      {} = {value}", printable(name)))?;
        }
        Ok(())
    }
}

/// A decision that was stored when it was made.
#[derive(Debug, Deserialize)]
pub struct Kept {
    steps: Vec<KeptStep>,
    refused: Option<String>,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    generation: u64,
}

/// A step, in the form in which [`Step`] is serialized.
#[derive(Debug, Deserialize)]
struct KeptStep {
    stage: Stage,
    text: String,
    path: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

impl From<KeptStep> for Step {
    fn from(kept: KeptStep) -> Self {
        let source = kept.path.map(|path| Source {
            path: path.into(),
            file: kept.file.unwrap_or_default().into(),
            line: kept.line.unwrap_or_default(),
        });
        Self { stage: kept.stage, text: kept.text.into(), source }
    }
}

impl Kept {
    /// Prints the decision, made at `at` (Unix seconds) for a client.
    #[must_use]
    pub fn print(self, at: i64, client: Option<&str>) -> String {
        let (provider, generation) = (&self.provider, self.generation);
        let app = client.map_or_else(|| "no app".to_owned(), |client| format!("app {client}"));
        let mut text = format!("{}, through {provider}, for {app}, configuration generation {generation}\n", time(at));
        let steps: Vec<Step> = self.steps.into_iter().map(Step::from).collect();
        steps.iter().for_each(|step| text.push_str(&format!("  {step}\n")));
        text.extend(self.refused.map(|reason| format!("  refused  {}\n", printable(&reason))));
        text
    }
}

fn indented(trace: &Trace, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    trace.to_string().lines().try_for_each(|line| writeln!(f, "  {line}"))
}

fn time(at: i64) -> String {
    DateTime::from_timestamp(at, 0).map(|time| time.to_rfc3339()).unwrap_or_default()
}

fn names(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { printable(&list.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::account::Account;
    use crate::decision::testing::compiled;

    const FILE: &str = "
issuer = \"https://sso.example\"
[providers.corp]
issuer = \"https://idp.example\"
client_id = \"c\"
token_endpoint_auth_method = \"none\"
create_roles = true
[clients.app]
client_secret_hashes = [\"sha256:5abb2af079f7982f95b776a5a94cddc53a025627d012274b5749a2f7e58102cc\"]
redirect_uris = [\"https://app.example/cb\"]
";

    #[test]
    fn what_a_provider_sent_stays_on_its_line_and_does_nothing_to_the_terminal() {
        let (_, policy) = compiled(FILE);
        let odd = "\u{1b}[2J\u{9b}31m\r\n  roles:       root\u{202e}";
        let claims = json!({ "sub": "1", "username": "x", "groups": [odd], "roles": [odd], "name": odd, "email": odd });
        let account = Account { username: odd.to_owned(), ..Account::default() };
        let link = KnownLink {
            provider: "corp".to_owned(),
            issuer: "https://idp.example".to_owned(),
            subject: "1".to_owned(),
            claims: claims.as_object().cloned().unwrap_or_default(),
            claims_at: 0,
        };
        let known = Known { account, links: vec![link.clone()] };
        let asking = Asking { client: "app", scopes: &[], subject: "s" };
        let printed = explain(&policy, &known, &link, Some(asking)).to_string();
        assert!(printed.contains("groups: ") && printed.contains("ID token"), "{printed}");
        let acts = |c: char| c != '\n' && !crate::config::diagnostics::problem::is_printable(c);
        assert!(!printed.lines().any(|line| line.trim_start().starts_with("roles:       root")), "{printed}");
        // Strings in JSON escape nearly all control characters; the commands' writer replaces the others.
        let names = printed.lines().filter(|line| !line.contains(" = "));
        assert!(!names.flat_map(str::chars).any(acts), "{printed}");
    }
}
