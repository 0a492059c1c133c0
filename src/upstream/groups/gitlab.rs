//! GitLab: the groups in which the signed-in person has a role, inherited ones too (`GET /groups` with `min_access_level`).

use std::collections::BTreeMap;

use url::Url;

use crate::config::resolved::groups_from::GroupsFrom;
use crate::upstream::api::Api;
use crate::upstream::error::{Unavailable, UnavailableProblem};
use crate::upstream::groups::facts::{Facts, GROUPS, names, text};

/// The claim with the access levels.
const GROUP_LEVELS: &str = "group_levels";

/// Access levels, highest first. The API says only whether somebody has at least one of them, so each is asked for.
const LEVELS: [(u8, &str); 6] =
    [(50, "owner"), (40, "maintainer"), (30, "developer"), (20, "reporter"), (15, "planner"), (10, "guest")];

/// Items of a page.
const PER_PAGE: usize = 100;

/// Full paths of groups; with levels, each path with its highest one.
pub(super) async fn groups(api: &Api<'_>, from: &GroupsFrom, base: &Url) -> Result<Facts, Unavailable> {
    let mut found: BTreeMap<String, &str> = BTreeMap::new();
    let asked = if from.levels { LEVELS.as_slice() } else { LEVELS.get(LEVELS.len() - 1..).unwrap_or_default() };
    for (level, name) in asked {
        for path in at_least(api, from, base, *level).await? {
            found.entry(path).or_insert(name);
        }
    }
    let mut facts = Facts::new();
    if from.levels {
        let levels = found.iter().map(|(path, level)| format!("{path}:{level}")).collect();
        facts.insert(GROUP_LEVELS.to_owned(), names(levels));
    }
    facts.insert(GROUPS.to_owned(), names(found.into_keys().collect()));
    Ok(facts)
}

/// The groups in which the person has at least this level.
async fn at_least(api: &Api<'_>, from: &GroupsFrom, base: &Url, level: u8) -> Result<Vec<String>, Unavailable> {
    let mut paths = Vec::new();
    for number in 1_usize.. {
        let mut url = base.clone();
        url.set_path(&format!("{}/groups", base.path().trim_end_matches('/')));
        url.query_pairs_mut()
            .append_pair("min_access_level", &level.to_string())
            .append_pair("per_page", &PER_PAGE.to_string())
            .append_pair("page", &number.to_string());
        let answer = api.get(&url).await?;
        let malformed = |what| api.malformed(&url, what);
        let body = api.json(&url, &answer)?;
        let items = body.as_array().ok_or_else(|| malformed("it is not a list of groups"))?;
        for item in items {
            let path = text(item, "full_path").ok_or_else(|| malformed("it lists a group without full_path"))?;
            paths.push(path.to_owned());
        }
        if paths.len() > from.max_groups {
            return Err(api.failed(&url, UnavailableProblem::TooManyGroups(from.max_groups)));
        }
        let next = answer.headers().get("x-next-page").map(|next| !next.is_empty());
        if !next.unwrap_or(items.len() >= PER_PAGE) {
            break;
        }
    }
    Ok(paths)
}
