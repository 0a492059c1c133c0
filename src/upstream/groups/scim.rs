//! A directory that speaks SCIM 2.0: the groups of the user that it knows by an attribute (RFC 7644 §3.4.2).
//!
//! What a server does with a filter is not taken on trust: one that ignores it answers with everybody, and with all groups.

use serde_json::{Map, Value};
use url::Url;

use crate::config::language::groups_from::ScimAttribute;
use crate::config::resolved::groups_from::GroupsFrom;
use crate::upstream::api::Api;
use crate::upstream::error::{Unavailable, UnavailableProblem};
use crate::upstream::groups::facts::{Facts, GROUPS, names, text};

/// The claim with the ids of the groups.
const GROUP_IDS: &str = "group_ids";
/// Items of a page.
const COUNT: usize = 100;
/// An id that no user has.
const NOBODY: &str = "countersign-no-such-user";

/// The value by which the directory knows a person; `None` if the claim has none, or one that the provider does not vouch for.
pub(super) fn person<'c>(from: &GroupsFrom, claims: &'c Map<String, Value>) -> Option<&'c str> {
    let value = claims.get(&from.claim)?.as_str().filter(|text| !text.is_empty())?;
    let verified = || claims.get("email_verified").is_some_and(|verified| *verified == true);
    (from.claim != "email" || verified()).then_some(value)
}

/// Display names and ids of the groups of a person. Somebody whom the directory does not know is in none.
pub(super) async fn groups(api: &Api<'_>, from: &GroupsFrom, base: &Url, person: &str) -> Result<Facts, Unavailable> {
    let users = below(base, "Users");
    let filter = format!("{} eq {}", from.attribute.name(), Value::from(person));
    let mut found = Vec::new();
    let asked = Query { filter: &filter, attributes: "id,userName,externalId,emails,groups" };
    // Two are enough to know that the attribute does not tell people apart.
    pages(api, &users, asked, 2, |user| found.push(user)).await?;
    let malformed = |what| api.malformed(&users, what);
    if found.iter().any(|user| !is(from.attribute, user, person)) {
        return Err(malformed("it answers with users that the filter does not name"));
    }
    let groups = match found.as_slice() {
        [] => Vec::new(),
        [user] => of_user(api, from, base, user).await?,
        _ => return Err(malformed("several of its users have this value: `attribute` must tell people apart")),
    };
    let mut facts = Facts::new();
    facts.insert(GROUP_IDS.to_owned(), names(groups.iter().map(|group| group.id.clone()).collect()));
    facts.insert(GROUPS.to_owned(), names(groups.into_iter().map(|group| group.name).collect()));
    Ok(facts)
}

/// Whether the directory answers, and applies filters: nobody has this value.
pub(super) async fn examine(api: &Api<'_>, from: &GroupsFrom, base: &Url) -> Result<&'static str, Unavailable> {
    let facts = groups(api, from, base, NOBODY).await?;
    let none = facts.values().all(|names| names.as_array().is_some_and(Vec::is_empty));
    Ok(if none { "it answers, and applies the filter" } else { "it answers" })
}

struct Group {
    id: String,
    name: String,
}

/// The groups of a user: those of its attribute `groups` (RFC 7643 §4.1.2) or, where that is missing or has no display names,
/// those that name the user as a member.
async fn of_user(api: &Api<'_>, from: &GroupsFrom, base: &Url, user: &Value) -> Result<Vec<Group>, Unavailable> {
    let listed = user.get("groups").and_then(Value::as_array);
    let named =
        |group: &Value| Some(Group { id: text(group, "value")?.to_owned(), name: text(group, "display")?.to_owned() });
    if let Some(groups) = listed.and_then(|groups| groups.iter().map(named).collect::<Option<Vec<_>>>())
        && !groups.is_empty()
    {
        return Ok(groups);
    }
    let url = below(base, "Groups");
    let malformed = |what| api.malformed(&url, what);
    let id = text(user, "id").ok_or_else(|| malformed("it has a user without id"))?;
    let filter = |id: &str| format!("members.value eq {}", Value::from(id));
    let mut strangers = 0_usize;
    let nobody = filter(NOBODY);
    pages(api, &url, Query { filter: &nobody, attributes: "id" }, 1, |_| strangers += 1).await?;
    if strangers > 0 {
        return Err(malformed("it ignores the filter members.value, and would give everybody all groups"));
    }
    let (mut groups, own) = (Vec::new(), filter(id));
    let query = Query { filter: &own, attributes: "id,displayName" };
    pages(api, &url, query, from.max_groups.saturating_add(1), |group| groups.push(group)).await?;
    if groups.len() > from.max_groups {
        return Err(api.failed(&url, UnavailableProblem::TooManyGroups(from.max_groups)));
    }
    let named =
        |group: &Value| Some(Group { id: text(group, "id")?.to_owned(), name: text(group, "displayName")?.to_owned() });
    let groups: Option<Vec<Group>> = groups.iter().map(named).collect();
    groups.ok_or_else(|| malformed("it lists a group without id or displayName"))
}

/// Whether a user is the one that the filter named. Only `externalId` and `id` are case-sensitive (RFC 7643 §4.1.1, §3.1).
fn is(attribute: ScimAttribute, user: &Value, person: &str) -> bool {
    let folded = |value: Option<&str>| value.is_some_and(|value| value.to_lowercase() == person.to_lowercase());
    match attribute {
        ScimAttribute::UserName => folded(text(user, "userName")),
        ScimAttribute::ExternalId => text(user, "externalId") == Some(person),
        ScimAttribute::Id => text(user, "id") == Some(person),
        ScimAttribute::Email => {
            let emails = user.get("emails").and_then(Value::as_array);
            emails.into_iter().flatten().any(|email| folded(text(email, "value")))
        }
    }
}

#[derive(Clone, Copy)]
struct Query<'a> {
    filter: &'a str,
    attributes: &'a str,
}

/// Reads the pages of a list (RFC 7644 §3.4.2.4) up to `most` resources.
async fn pages(
    api: &Api<'_>,
    url: &Url,
    query: Query<'_>,
    most: usize,
    mut each: impl FnMut(Value),
) -> Result<(), Unavailable> {
    let mut read = 0_usize;
    loop {
        let mut page = url.clone();
        page.query_pairs_mut()
            .append_pair("filter", query.filter)
            .append_pair("attributes", query.attributes)
            .append_pair("startIndex", &(read + 1).to_string())
            .append_pair("count", &COUNT.min(most - read).to_string());
        let answer = api.get_as(&page, "application/scim+json, application/json").await?;
        let malformed = |what| api.malformed(url, what);
        let mut body = api.json(url, &answer)?;
        let total = body.get("totalResults").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok());
        let total = total.ok_or_else(|| malformed("it is not a list response: it has no totalResults"))?;
        let items = match body.get_mut("Resources").map(Value::take) {
            // An empty list may be left out (RFC 7644 §3.4.2).
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(malformed("its Resources are not a list")),
        };
        let empty = items.is_empty();
        for item in items {
            read += 1;
            each(item);
        }
        if read >= total || read >= most {
            return Ok(());
        }
        if empty {
            return Err(malformed("its page is empty although its list goes on"));
        }
    }
}

fn below(base: &Url, resource: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{resource}", base.path().trim_end_matches('/')));
    url
}
