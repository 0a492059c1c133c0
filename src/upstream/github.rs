//! GitHub's API: the person, their primary address, their organisations and teams.
//!
//! The same for OAuth apps and GitHub Apps, whose tokens differ in what they may read: by scope (`read:org`, `user:email`), or
//! by permission ("Members", "Email addresses"). What a policy may rest on is read to the end or not at all: an organisation
//! that can't be read is an error, never an empty list. All but the profile is kept as other groups from an API are
//! (`groups_from`), so that young answers serve further sign-ins and refreshes.

use serde_json::{Map, Value};
use url::Url;

use crate::upstream::api::{Answer, Api};
use crate::upstream::context::ProviderContext;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::request::unusable;
use crate::upstream::settings::ProviderSettings;

/// Scopes with which organisations and teams can be read.
const ORGANIZATION_SCOPES: [&str; 3] = ["read:org", "write:org", "admin:org"];
/// Scopes with which addresses can be read.
const EMAIL_SCOPES: [&str; 2] = ["user:email", "user"];
/// The header that names organisations that the token may not see, for want of a sign-in at their identity provider.
const SSO: &str = "x-github-sso";
/// What may be wrong with a token that may not read organisations or teams.
const MEMBERS_WAY_OUT: &str = "the token may not read organisations and teams: it needs the scope read:org, or a GitHub App's \
                               permission Members; without read:org in `scopes` they are not asked for";

/// Claims that come from other answers than the profile. They are kept for a while; the profile, which says whose token it is,
/// is not.
const BEYOND_PROFILE: [&str; 5] = ["email", "email_verified", ORGANIZATIONS, TEAMS, HIDDEN];
const ORGANIZATIONS: &str = "organizations";
const TEAMS: &str = "teams";
const HIDDEN: &str = "sso_organizations";

/// What is asked for beside the profile.
#[derive(Clone, Copy)]
struct Asked {
    email: bool,
    memberships: bool,
}

impl Asked {
    fn of(settings: &ProviderSettings) -> Self {
        let asks = |scopes: &[&str]| settings.scopes.iter().any(|scope| scopes.contains(&scope.as_str()));
        let memberships = asks(&ORGANIZATION_SCOPES) || !settings.organizations.is_empty();
        Self { email: asks(&EMAIL_SCOPES), memberships }
    }

    /// Under what name the answers about a person are kept: those to other questions do not serve.
    fn person(self, subject: &str) -> String {
        format!("github {} {} {subject}", self.email, self.memberships)
    }
}

/// What GitHub said of a person, while that is young (`groups_from`): nothing is asked.
pub(crate) fn known(provider: &ProviderContext<'_>, subject: &str) -> Option<Map<String, Value>> {
    let (settings, person) = (provider.settings, Asked::of(provider.settings).person(subject));
    let facts = provider.upstream.groups.young(&person, &settings.groups_from, provider.now)?;
    Some(with_groups(settings, facts.as_ref().clone()))
}

/// The profile of the person whose token it is.
pub(crate) async fn profile(api: &Api<'_>, user: &Url) -> Result<Map<String, Value>, UpstreamError> {
    let mut claims = api.object(user).await?;
    // Addresses of other API calls, which say nothing of the person.
    claims.retain(|name, _| !name.ends_with("_url") || matches!(name.as_str(), "avatar_url" | "html_url"));
    // What the other answers say is theirs alone: the address on the public page need not be the primary one.
    claims.retain(|name, _| !BEYOND_PROFILE.contains(&name.as_str()));
    Ok(claims)
}

/// The profile with the primary address and the memberships of the person: new ones, or those that are kept.
pub(crate) async fn claims(
    api: &Api<'_>,
    user: &Url,
    mut profile: Map<String, Value>,
    subject: &str,
) -> Result<Map<String, Value>, UpstreamError> {
    let ProviderContext { upstream, settings, now, .. } = *api.provider();
    let (asked, from) = (Asked::of(settings), &settings.groups_from);
    let person = asked.person(subject);
    let facts = upstream.groups.get(&person, from, now, || fetch(api, user, asked, profile.clone())).await?;
    // Somebody who does not get in with these comes back when that has changed.
    if facts.contains_key(HIDDEN) || !is_member(settings, &facts) {
        upstream.groups.forget(&person);
    }
    let others = facts.iter().filter(|(name, _)| BEYOND_PROFILE.contains(&name.as_str()));
    profile.extend(others.map(|(name, value)| (name.clone(), value.clone())));
    Ok(with_groups(settings, profile))
}

/// Whether the person is a member of a listed organisation, where any is listed.
fn is_member(settings: &ProviderSettings, facts: &Map<String, Value>) -> bool {
    let mut names = facts.get(ORGANIZATIONS).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    settings.organizations.is_empty() || names.any(|name| is_listed(settings, name))
}

/// The claims with `groups`: the listed organisations, and the teams.
fn with_groups(settings: &ProviderSettings, mut claims: Map<String, Value>) -> Map<String, Value> {
    let list = |name: &str| claims.get(name).and_then(Value::as_array).cloned();
    if let (Some(organizations), Some(teams)) = (list(ORGANIZATIONS), list(TEAMS)) {
        let listed = |name: &Value| name.as_str().is_some_and(|name| is_listed(settings, name));
        let groups: Vec<Value> = organizations.into_iter().filter(listed).chain(teams).collect();
        claims.insert("groups".to_owned(), groups.into());
    }
    claims.shift_remove(TEAMS);
    claims
}

/// What GitHub says beside the profile, added to it.
async fn fetch(
    api: &Api<'_>,
    user: &Url,
    asked: Asked,
    mut facts: Map<String, Value>,
) -> Result<Map<String, Value>, Unavailable> {
    let settings = api.provider().settings;
    let (email, memberships) =
        tokio::join!(async { if asked.email { email(api, user).await } else { Ok(None) } }, async {
            if asked.memberships { memberships(api, user).await.map(Some) } else { Ok(None) }
        },);
    if let Some((email, verified)) = email? {
        facts.insert("email".to_owned(), email.into());
        facts.insert("email_verified".to_owned(), verified.into());
    }
    if let Some(Memberships { organizations, teams, hidden }) = memberships? {
        let most = settings.groups_from.max_groups;
        if organizations.len() + teams.len() > most {
            let api = api.asked_for(Document::Organizations);
            return Err(api.failed(user, UnavailableProblem::TooManyGroups(most)));
        }
        facts.insert(ORGANIZATIONS.to_owned(), organizations.into());
        facts.insert(TEAMS.to_owned(), teams.into());
        if !hidden.is_empty() {
            let provider = &settings.id;
            tracing::info!(event = "github_sso_required", provider, organizations = ?hidden, "organisations that want a sign-in at their identity provider are not seen");
            facts.insert(HIDDEN.to_owned(), hidden.into());
        }
    }
    Ok(facts)
}

fn is_listed(settings: &ProviderSettings, organization: &str) -> bool {
    settings.organizations.iter().any(|listed| listed.eq_ignore_ascii_case(organization))
}

/// A list below the profile, a hundred entries a page.
fn below(user: &Url, list: &str) -> Result<Url, Unavailable> {
    let mut url = user.clone();
    url.path_segments_mut().map_err(|()| unusable(Document::Profile))?.pop_if_empty().push(list);
    url.set_query(Some("per_page=100"));
    Ok(url)
}

/// The primary address, and whether GitHub has verified it. `None` if the token may not read addresses.
async fn email(api: &Api<'_>, user: &Url) -> Result<Option<(String, bool)>, Unavailable> {
    let list = match api.asked_for(Document::Addresses).list(&below(user, "emails")?, |_| {}).await {
        Err(Unavailable { problem: UnavailableProblem::Status(403 | 404), .. }) => {
            let provider = &api.provider().settings.id;
            tracing::info!(
                provider,
                "the token may not read addresses: it needs the scope user:email, or the permission Email addresses"
            );
            return Ok(None);
        }
        list => list?,
    };
    let flag = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_bool) == Some(true);
    let primary = list.iter().find(|entry| flag(entry, "primary"));
    Ok(primary.and_then(|entry| Some((entry.get("email")?.as_str()?.to_owned(), flag(entry, "verified")))))
}

/// Where the person is a member.
struct Memberships {
    /// Logins of organisations.
    organizations: Vec<String>,
    /// `organisation/team`
    teams: Vec<String>,
    /// Ids of organisations that the token may not see.
    hidden: Vec<String>,
}

async fn memberships(api: &Api<'_>, user: &Url) -> Result<Memberships, Unavailable> {
    let api = api.asked_for(Document::Organizations).with_way_out(MEMBERS_WAY_OUT);
    let (orgs, teams) = (below(user, "orgs")?, below(user, "teams")?);
    let (mut hidden_orgs, mut hidden_teams) = (Vec::new(), Vec::new());
    let (organizations, teams) = tokio::join!(
        api.list(&orgs, |answer| hidden_orgs.extend(hidden(answer))),
        api.list(&teams, |answer| hidden_teams.extend(hidden(answer))),
    );
    let (organizations, teams) = (organizations?, teams?);
    let login = |organization: &Value| organization.get("login")?.as_str().map(str::to_owned);
    let team = |team: &Value| Some(format!("{}/{}", login(team.get("organization")?)?, team.get("slug")?.as_str()?));
    hidden_orgs.extend(hidden_teams);
    hidden_orgs.sort_unstable();
    hidden_orgs.dedup();
    Ok(Memberships {
        organizations: organizations.iter().filter_map(login).collect(),
        teams: teams.iter().filter_map(team).collect(),
        hidden: hidden_orgs,
    })
}

/// The ids of organisations that an answer leaves out: `partial-results; organizations=1,2`.
fn hidden(answer: &Answer) -> Vec<String> {
    let header = answer.headers().get(SSO).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let ids = header.split(';').find_map(|part| part.trim().strip_prefix("organizations="));
    ids.into_iter().flat_map(|ids| ids.split(',')).map(|id| id.trim().to_owned()).take(100).collect()
}
