//! Google's Cloud Identity: the groups that an address is a member of, by a service account.

use serde_json::{Map, Value};
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::config::resolved::groups_from::GroupsFrom;
use crate::upstream::api::Api;
use crate::upstream::error::{Unavailable, UnavailableProblem};
use crate::upstream::groups::facts::{Facts, GROUPS, list, names, text};
use crate::upstream::service_account::ServiceAccount;

/// The label of groups with members; other groups are for policies of Google Cloud.
const LABEL: &str = "cloudidentity.googleapis.com/groups.discussion_forum";
/// RFC 7523 §2.1.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The most items of a page that the API gives.
const PAGE_SIZE: &str = "500";

/// The address by which Google knows a person of an organisation: verified, and of an account that the organisation manages.
/// The groups of anybody else are not looked up: a private account could have an address that once was somebody's here.
pub(super) fn member(claims: &Map<String, Value>) -> Option<&str> {
    let text = |name: &str| claims.get(name)?.as_str().filter(|text| !text.is_empty());
    text("hd")?;
    claims.get("email_verified").filter(|verified| **verified == true)?;
    // It is written into a query, in which a quote would end it.
    text("email").filter(|email| !email.contains(['\'', '\\']) && !email.chars().any(char::is_control))
}

/// The addresses of the groups of an address: direct ones, or also those that other groups are members of.
pub(super) async fn groups(
    api: &Api<'_>,
    from: &GroupsFrom,
    account: &ServiceAccount,
    base: &Url,
    email: &str,
) -> Result<Facts, Unavailable> {
    let token = token(api, account, from).await?;
    let api = api.with_own_token(&token);
    let search = if from.nested { "searchTransitiveGroups" } else { "searchDirectGroups" };
    let mut url = base.clone();
    url.set_path(&format!("{}/groups/-/memberships:{search}", base.path().trim_end_matches('/')));
    let query = format!("member_key_id == '{email}' && '{LABEL}' in labels");
    let (mut found, mut page_token) = (Vec::new(), None::<String>);
    loop {
        url.query_pairs_mut().clear().append_pair("query", &query).append_pair("pageSize", PAGE_SIZE);
        if let Some(page_token) = &page_token {
            url.query_pairs_mut().append_pair("pageToken", page_token);
        }
        let answer = match api.get(&url).await {
            Ok(answer) => answer,
            Err(error) => {
                if matches!(error.problem, UnavailableProblem::Denied { status: 401, .. }) {
                    account.forget();
                }
                return Err(error);
            }
        };
        let malformed = |what| api.malformed(&url, what);
        let body = api.json(&url, &answer)?;
        // Somebody in no group has no list.
        let none = Vec::new();
        let items = match body.get("memberships") {
            None | Some(Value::Null) if body.is_object() => &none,
            _ => list(&body, "memberships").ok_or_else(|| malformed("it has no list of groups"))?,
        };
        for item in items {
            let address = item.get("groupKey").and_then(|key| text(key, "id"));
            found.push(address.ok_or_else(|| malformed("it lists a group without address"))?.to_owned());
        }
        if found.len() > from.max_groups {
            return Err(api.failed(&url, UnavailableProblem::TooManyGroups(from.max_groups)));
        }
        page_token = text(&body, "nextPageToken").map(str::to_owned);
        if page_token.is_none() {
            break;
        }
    }
    let mut facts = Facts::new();
    facts.insert(GROUPS.to_owned(), names(found));
    Ok(facts)
}

/// An access token of the service account: the one that is kept, or a new one.
pub(super) async fn token(
    api: &Api<'_>,
    account: &ServiceAccount,
    from: &GroupsFrom,
) -> Result<SecretValue, Unavailable> {
    if let Some(token) = account.token(api.now()) {
        return Ok(token);
    }
    let url = account.token_uri();
    let malformed = |what| api.malformed(url, what);
    let assertion = account.assertion(from.subject.as_deref(), api.now());
    let assertion = assertion.ok_or_else(|| malformed("its assertion can't be signed"))?;
    let answer = api.post_form(url, &[("grant_type", GRANT), ("assertion", &assertion)]).await?;
    let body = api.json(url, &answer)?;
    let token = text(&body, "access_token").map(|token| SecretValue::new(token.to_owned()));
    let token = token.ok_or_else(|| malformed("its answer has no access_token"))?;
    account.keep(token.clone(), body.get("expires_in").and_then(Value::as_i64).unwrap_or(0), api.now());
    Ok(token)
}
