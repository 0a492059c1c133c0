//! What the API says that groups come from (`groups_from`), asked as at a sign-in.
//!
//! Where the broker has an account of its own there, it is asked about nobody, or about a person whose claims are known. Where
//! it is asked as the person, it needs an access token of one.

use serde_json::{Map, Value};

use crate::config::language::groups_from::GroupSource;
use crate::config::language::provider::Profile;
use crate::config::language::scalar::SecretValue;
use crate::upstream::context::ProviderContext;
use crate::upstream::error::{Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::plain;
use crate::upstream::probe::model::{Asked, Credentials, Examination, Outcome};

/// Somebody about whom the API can be asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Somebody<'a> {
    /// The claims of a sign-in.
    pub claims: Option<&'a Map<String, Value>>,
    /// An access token for the API.
    pub access_token: Option<&'a SecretValue>,
}

/// Claims that a source sets.
const FACTS: [&str; 7] =
    ["groups", "group_ids", "group_names", "group_levels", "organizations", "sso_organizations", "email"];

pub(super) async fn examine(
    found: &mut Examination,
    provider: &ProviderContext<'_>,
    credentials: Credentials,
    somebody: Somebody<'_>,
) {
    const PERSONAL: &str = "it is asked with the access token of whoever signs in: `countersign providers probe --access-token FILE` asks it";
    let source = provider.settings.groups_from.source;
    if source.is_of_a_token() {
        return;
    }
    let asked = if source.asks_as_the_person() {
        let Some(token) = somebody.access_token else {
            return found.note(Asked::Groups, None, Outcome::Skipped, PERSONAL);
        };
        as_the_person(provider, token).await
    } else {
        if let Credentials::Withhold(why) = credentials {
            return found.note(Asked::Groups, None, Outcome::Skipped, why);
        }
        match somebody.claims {
            None => provider.examine_groups().await.map(str::to_owned).map_err(UpstreamError::from),
            Some(claims) if !provider.is_known_to_groups(claims) => {
                let answer = "the claims lack what it knows people by: they are in no group (Google: an address that is verified, \
                              and hd; SCIM: groups_from.claim)";
                return found.note(Asked::Groups, None, Outcome::Trouble, answer);
            }
            Some(claims) => {
                let nothing = SecretValue::new(String::new());
                let facts = provider.fetch_groups(claims, &nothing).await;
                facts.map(|facts| counted(&facts)).map_err(UpstreamError::from)
            }
        }
    };
    let error = match asked {
        Ok(answer) => return found.note(Asked::Groups, None, Outcome::Fine, answer),
        Err(UpstreamError::Unavailable(error)) => error,
        Err(error) => return found.note(Asked::Groups, None, Outcome::Trouble, error.to_string()),
    };
    let url = error.url.as_deref().and_then(|url| url::Url::parse(url).ok());
    match &error.problem {
        UnavailableProblem::Denied { status: 401, .. } | UnavailableProblem::Status(401)
            if source.asks_as_the_person() =>
        {
            let answer = "status 401: it does not accept the access token, which has expired or is for another service";
            found.note(Asked::Groups, url.as_ref(), Outcome::Trouble, answer);
        }
        problem
        @ (UnavailableProblem::Status(_) | UnavailableProblem::Throttled(_) | UnavailableProblem::Paused(_)) => {
            let answer = format!("{problem}: this does not say whether it lists groups");
            found.note(Asked::Groups, url.as_ref(), Outcome::Unclear, answer);
        }
        _ => found.failed(Asked::Groups, url.as_ref(), &error, provider.settings),
    }
}

async fn as_the_person(provider: &ProviderContext<'_>, token: &SecretValue) -> Result<String, UpstreamError> {
    if provider.settings.groups_from.source == GroupSource::Github {
        return Ok(counted(&plain::who(provider, Profile::Github, token, None).await?.claims));
    }
    let facts: Result<_, Unavailable> = provider.fetch_groups(&Map::new(), token).await;
    Ok(counted(&facts?))
}

/// How much of each claim there is. The names themselves are the person's.
fn counted(facts: &Map<String, Value>) -> String {
    let count = |name: &&str| match facts.get(*name) {
        Some(Value::Array(items)) => Some(format!("{} in claims.{name}", items.len())),
        Some(Value::String(_)) => Some(format!("claims.{name}")),
        _ => None,
    };
    let counts: Vec<String> = FACTS.iter().filter_map(count).collect();
    let hidden = match facts.contains_key("sso_organizations") {
        true => "; those in sso_organizations want a sign-in at their identity provider first, and give no groups",
        false => "",
    };
    format!("it answers: {}{hidden}", if counts.is_empty() { "no groups".to_owned() } else { counts.join(", ") })
}
