//! Explains a decision, rule by rule: either a decision about a known person, made again under the current policy, or a stored
//! one.
//!
//! An explanation is plain data, which commands print and pages render. It contains claim values, because people read it about
//! themselves, and operators from their own store.

mod change;
mod condition;
mod kept;
mod print;
mod readings;
mod refusing;
mod unmatched;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::analysis::known::{Known, KnownLink};
use crate::decision::account::AccountFacts;
use crate::decision::app::{AppRequest, authentication};
use crate::decision::claims;
use crate::decision::pipeline::{Decision, Evidence};
use crate::decision::policy::Policy;
use crate::decision::reason::Reason;
use crate::decision::roles::permitted;
use crate::decision::trace::Trace;

pub use condition::{Condition, Read};
pub use kept::Kept;
pub use readings::{Reading, Readings};
pub use refusing::refusing;
pub use unmatched::Unmatched;

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

/// What an app would get.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AppClaims {
    /// The person's subject at this app.
    pub sub: String,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// Claims of the ID token.
    pub id_token: Map<String, Value>,
    /// Claims of userinfo.
    pub userinfo: Map<String, Value>,
    /// Claims of the access token.
    pub access_token: Map<String, Value>,
}

/// Whom a decision admits as what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Person {
    /// Upstream and local groups.
    pub groups: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Permissions of those roles.
    pub permissions: Vec<String>,
}

/// The decision on one person through one of their upstream accounts, and why it is what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The username.
    pub username: String,
    /// Id of the provider that vouched.
    pub provider: String,
    /// When the claims were obtained, in seconds since the Unix epoch.
    pub claims_at: i64,
    /// Key of the client that asks, if one does.
    pub client: Option<String>,
    /// The decision, step by step, with the reason of a refusal.
    pub trace: Trace,
    /// The condition that refused, with the values that it read.
    pub refused_by: Option<Condition>,
    /// What would have to change, if exactly one condition stood in the way.
    pub change: Option<String>,
    /// The role rules that did not match, those that came closest first.
    pub unmatched: Vec<Unmatched>,
    /// Who the person is, where the sign-in was not refused before that was known.
    pub person: Option<Person>,
    /// What the app gets; `None` without an app, or if it is refused.
    pub app: Option<AppClaims>,
}

impl Explanation {
    /// Why the person is refused; `None` if the person is let in.
    #[must_use]
    pub fn refused(&self) -> Option<Reason> {
        self.trace.refused
    }
}

/// Makes the decision again, with the claims of the person's last sign-in through `link`.
#[must_use]
pub fn explain(policy: &Policy, known: &Known, link: &KnownLink, asking: Option<Asking<'_>>) -> Explanation {
    let (acr, amr) = authentication(&link.claims);
    let request = asking.map(|asking| {
        let permitted = policy.clients.get(asking.client).map(|client| client.scopes.as_slice());
        let scopes = if asking.scopes.is_empty() { permitted.unwrap_or_default() } else { asking.scopes };
        AppRequest { client: asking.client, scopes, acr: acr.as_deref(), amr: &amr, ..AppRequest::default() }
    });
    let outcome = known.decide(policy, link, request.as_ref());
    let evidence =
        Evidence { provider: &link.provider, issuer: Some(&link.issuer), subject: &link.subject, claims: &link.claims };
    let facts = || AccountFacts { linked: Some(known.account.clone()), ..AccountFacts::default() };
    let refusal = outcome.as_ref().err();
    let refused_by =
        refusal.and_then(|refusal| refusing::condition(policy, &evidence, facts(), request.as_ref(), refusal));
    let change = refusal.and_then(|refusal| change::needed(policy, &evidence, &facts(), request.as_ref(), refusal));
    let without_app = if outcome.is_err() { known.decide(policy, link, None).ok() } else { None };
    let admitted = outcome.as_ref().ok().or(without_app.as_ref());
    let unmatched = admitted.map(|decision| unmatched(policy, link, decision)).unwrap_or_default();
    let person = admitted.map(|decision| Person {
        groups: decision.groups.clone(),
        roles: decision.granted.roles.clone(),
        permissions: decision.granted.permissions.clone(),
    });
    let (trace, release) = match outcome {
        Ok(decision) => (decision.trace, decision.release),
        Err(refusal) => (refusal.trace, None),
    };
    let app = release.zip(asking).map(|(release, asking)| AppClaims {
        sub: asking.subject.to_owned(),
        scopes: release.scopes,
        id_token: release.id_token,
        userinfo: release.userinfo,
        access_token: release.access_token,
    });
    Explanation {
        username: known.account.username.clone(),
        provider: link.provider.clone(),
        claims_at: link.claims_at,
        client: asking.map(|asking| asking.client.to_owned()),
        trace,
        refused_by,
        change,
        unmatched,
        person,
        app,
    }
}

/// The role rules that did not match.
fn unmatched(policy: &Policy, link: &KnownLink, decision: &Decision) -> Vec<Unmatched> {
    let Some(provider) = policy.providers.get(&link.provider) else { return Vec::new() };
    let Ok((attributes, _)) = claims::attributes(policy, provider, &link.claims, Trace::default()) else {
        return Vec::new();
    };
    let asserted = permitted(policy, provider, &attributes.roles, &mut Trace::default());
    unmatched::rules(policy, provider, &unmatched::facts(decision, &attributes.roles), &asserted)
}

/// `provider`, `claims_at`, `trace`, `refused_by`, `change`, `unmatched`, `groups`, `roles`, `permissions` and `app`.
impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let person = self.person.as_ref();
        let mut json = serializer.serialize_map(None)?;
        json.serialize_entry("provider", &self.provider)?;
        json.serialize_entry("claims_at", &self.claims_at)?;
        json.serialize_entry("trace", &self.trace)?;
        json.serialize_entry("refused_by", &self.refused_by)?;
        json.serialize_entry("change", &self.change)?;
        json.serialize_entry("unmatched", &self.unmatched)?;
        json.serialize_entry("groups", &person.map(|person| &person.groups))?;
        json.serialize_entry("roles", &person.map(|person| &person.roles))?;
        json.serialize_entry("permissions", &person.map(|person| &person.permissions))?;
        json.serialize_entry("app", &self.app)?;
        json.end()
    }
}
#[cfg(test)]
mod tests {
    use serde_json::json;

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

    const RULES: &str = "
issuer = \"https://sso.example\"
[providers.corp]
issuer = \"https://idp.example\"
client_id = \"c\"
token_endpoint_auth_method = \"none\"
allow = \"claims.hd == 'corp.example'\"
[roles.admin]
[roles.far]
[roles.red]
[[role_rules]]
when = \"'moon' in groups\"
roles = [\"far\"]
[[role_rules]]
when = \"'platform' in groups\"
roles = [\"admin\"]
[[role_rules]]
each = \"groups\"
matches = \"team-(?P<team>.+)\"
roles = [\"{team}\"]
[clients.app]
client_secret_hashes = [\"sha256:5abb2af079f7982f95b776a5a94cddc53a025627d012274b5749a2f7e58102cc\"]
redirect_uris = [\"https://app.example/cb\"]
require = \"'admin' in roles\"
";

    fn person(claims: Value) -> (Known, KnownLink) {
        let account = Account { username: "alice".to_owned(), ..Account::default() };
        let link = KnownLink {
            provider: "corp".to_owned(),
            issuer: "https://idp.example".to_owned(),
            subject: "1".to_owned(),
            claims: claims.as_object().cloned().unwrap_or_default(),
            claims_at: 0,
        };
        (Known { account, links: vec![link.clone()] }, link)
    }

    #[test]
    fn a_refusal_names_its_condition_its_values_the_near_miss_and_what_would_have_to_change() {
        let (_, policy) = compiled(RULES);
        let claims = json!({ "sub": "1", "hd": "corp.example", "groups": ["/platform", "staff"] });
        let (known, link) = person(claims);
        let asking = Asking { client: "app", scopes: &[], subject: "s" };
        let explained = explain(&policy, &known, &link, Some(asking));
        assert_eq!(explained.refused(), Some(Reason::ClientRequirementNotMet));
        let refused_by = explained.refused_by.as_ref().map(|by| (by.expression.as_str(), by.values.len()));
        assert_eq!(refused_by, Some(("'admin' in roles", 1)));
        let change = explained.change.as_deref().unwrap_or_default();
        assert!(change.contains("clients.app.require"), "{change}");
        let near: Vec<_> = explained.unmatched.iter().map(|rule| rule.roles.join(",")).collect();
        assert_eq!(near, ["admin", "far", "{team}"], "the one that came close is first");
        let text = explained.to_string();
        assert!(text.contains("'/platform' is not 'platform'"), "{text}");
        assert!(text.contains("groups = [\"/platform\",\"staff\"]"), "{text}");
        assert!(text.contains("no group matches team-"), "{text}");
        assert_eq!(explained.person.map(|person| person.groups.len()), Some(2));
    }

    #[test]
    fn two_conditions_in_the_way_name_no_single_change() {
        let (_, policy) = compiled(RULES);
        let (known, link) = person(json!({ "sub": "1", "hd": "corp.exampl", "groups": [] }));
        let asking = Asking { client: "app", scopes: &[], subject: "s" };
        let explained = explain(&policy, &known, &link, Some(asking));
        assert_eq!(explained.refused(), Some(Reason::NotAllowed));
        assert_eq!(explained.change, None);
        assert!(explained.to_string().contains("'corp.exampl' is not 'corp.example'"), "{explained}");
        let alone = explain(&policy, &known, &link, None);
        assert!(alone.change.is_some_and(|change| change.contains("providers.corp.allow")));
    }

    #[test]
    fn who_is_let_in_is_refused_by_nothing() {
        let (_, policy) = compiled(RULES);
        let (known, link) = person(json!({ "sub": "1", "hd": "corp.example", "groups": ["platform", "team-red"] }));
        let asking = Asking { client: "app", scopes: &[], subject: "s" };
        let explained = explain(&policy, &known, &link, Some(asking));
        assert_eq!((explained.refused(), explained.refused_by, explained.change), (None, None, None));
        assert_eq!(explained.person.map(|person| person.roles), Some(vec!["admin".to_owned(), "red".to_owned()]));
        assert_eq!(explained.unmatched.len(), 1);
    }
}
