//! Microsoft Graph: the groups and directory roles that the signed-in person is a member of, transitively.

use serde_json::{Value, json};
use url::Url;

use crate::config::resolved::groups_from::GroupsFrom;
use crate::upstream::api::Api;
use crate::upstream::error::{Unavailable, UnavailableProblem};
use crate::upstream::groups::facts::{Facts, GROUPS, list, names, text};

/// The claim with the display names.
const GROUP_NAMES: &str = "group_names";

/// Ids by `/me/getMemberObjects`, which is one call; with names, by `/me/transitiveMemberOf`. Both may have several pages
/// (`@odata.nextLink`).
pub(super) async fn groups(api: &Api<'_>, from: &GroupsFrom, base: &Url) -> Result<Facts, Unavailable> {
    let (mut ids, mut shown) = (Vec::new(), Vec::new());
    let first = address(base, if from.names { "/me/transitiveMemberOf" } else { "/me/getMemberObjects" });
    let mut url = first.clone();
    let mut answer = if from.names {
        url.set_query(Some("$select=id,displayName&$top=999"));
        api.get(&url).await?
    } else {
        api.post(&url, &json!({ "securityEnabledOnly": false })).await?
    };
    loop {
        let malformed = |what| api.malformed(&url, what);
        let body = api.json(&url, &answer)?;
        let items = list(&body, "value").ok_or_else(|| malformed("it has no list of groups"))?;
        for item in items {
            let id = item.as_str().or_else(|| text(item, "id"));
            ids.push(
                id.filter(|id| !id.is_empty()).ok_or_else(|| malformed("it lists a group without id"))?.to_owned(),
            );
            shown.extend(text(item, "displayName").map(str::to_owned));
        }
        if ids.len() > from.max_groups {
            return Err(api.failed(&url, UnavailableProblem::TooManyGroups(from.max_groups)));
        }
        let Some(next) = next(&body) else { break };
        url = api.another(&first, &next.ok_or_else(|| malformed("its next page has no address"))?)?;
        answer = api.get(&url).await?;
    }
    let mut facts = Facts::new();
    facts.insert(GROUPS.to_owned(), names(ids));
    if from.names {
        facts.insert(GROUP_NAMES.to_owned(), names(shown));
    }
    Ok(facts)
}

/// The address of the next page; the inner `None`: there is one, and it is not an address.
fn next(body: &Value) -> Option<Option<String>> {
    let next = body.get("@odata.nextLink").filter(|next| **next != Value::Null)?;
    Some(next.as_str().map(str::to_owned))
}

fn address(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}
