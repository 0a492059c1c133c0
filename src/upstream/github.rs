//! GitHub's API: the person, their primary address, their organisations and teams.
//!
//! The same for OAuth apps and GitHub Apps, whose tokens differ in what they may read: by scope (`read:org`, `user:email`), or
//! by permission ("Members", "Email addresses"). What a policy may rest on is read to the end or not at all: an organisation
//! that can't be read is an error, never an empty list.

use serde_json::{Map, Value};
use url::Url;

use crate::upstream::api::{Answer, Api};
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

/// What GitHub says of the person who signed in, whose profile is at `user`.
pub(crate) async fn claims(api: &Api<'_>, user: &Url) -> Result<Map<String, Value>, UpstreamError> {
    let settings = api.provider().settings;
    let asks = |scopes: &[&str]| settings.scopes.iter().any(|scope| scopes.contains(&scope.as_str()));
    let mut claims = api.object(user).await?;
    // Addresses of other API calls, which say nothing of the person.
    claims.retain(|name, _| !name.ends_with("_url") || matches!(name.as_str(), "avatar_url" | "html_url"));
    // The address on the public page need not be the primary one.
    claims.remove("email");
    let member = asks(&ORGANIZATION_SCOPES) || !settings.organizations.is_empty();
    let (email, memberships) =
        tokio::join!(async { if asks(&EMAIL_SCOPES) { email(api, user).await } else { Ok(None) } }, async {
            if member { memberships(api, user).await.map(Some) } else { Ok(None) }
        },);
    if let Some((email, verified)) = email? {
        claims.insert("email".to_owned(), email.into());
        claims.insert("email_verified".to_owned(), verified.into());
    }
    if let Some(Memberships { organizations, teams, hidden }) = memberships? {
        let listed = organizations.iter().filter(|name| is_listed(settings, name)).cloned();
        let groups: Vec<Value> = listed.chain(teams).map(Value::from).collect();
        claims.insert("groups".to_owned(), groups.into());
        claims.insert("organizations".to_owned(), organizations.into());
        if !hidden.is_empty() {
            let provider = &settings.id;
            tracing::info!(event = "github_sso_required", provider, organizations = ?hidden, "organisations that want a sign-in at their identity provider are not seen");
            claims.insert("sso_organizations".to_owned(), hidden.into());
        }
    }
    Ok(claims)
}

fn is_listed(settings: &ProviderSettings, organization: &str) -> bool {
    settings.organizations.iter().any(|listed| listed.eq_ignore_ascii_case(organization))
}

/// A list below the profile, a hundred entries a page.
fn below(user: &Url, list: &str) -> Result<Url, UpstreamError> {
    let mut url = user.clone();
    url.path_segments_mut().map_err(|()| unusable(Document::Profile))?.pop_if_empty().push(list);
    url.set_query(Some("per_page=100"));
    Ok(url)
}

/// The primary address, and whether GitHub has verified it. `None` if the token may not read addresses.
async fn email(api: &Api<'_>, user: &Url) -> Result<Option<(String, bool)>, UpstreamError> {
    let list = match api.asked_for(Document::Addresses).list(&below(user, "emails")?, |_| {}).await {
        Err(UpstreamError::Unavailable(Unavailable { problem: UnavailableProblem::Status(403 | 404), .. })) => {
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

async fn memberships(api: &Api<'_>, user: &Url) -> Result<Memberships, UpstreamError> {
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
