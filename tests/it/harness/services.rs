//! Fakes of the APIs that groups come from, as their documentation describes them: Microsoft Graph, GitLab, Google's Cloud
//! Identity with its token endpoint.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use countersign::outbound::{HttpClient, OutboundError, OutboundPolicy};
use serde_json::{Value, json};

use super::TestApp;

/// What a service answers.
pub(crate) type Reply = Result<http::Response<Vec<u8>>, OutboundError>;

/// A request to a service.
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The path below the service's address.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) bearer: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// A JSON answer.
pub(crate) fn json(status: u16, body: &Value) -> Reply {
    raw(status, "application/json", body.to_string().into_bytes())
}

/// Any answer.
pub(crate) fn raw(status: u16, kind: &str, body: Vec<u8>) -> Reply {
    Ok(http::Response::builder().status(status).header("content-type", kind).body(body).unwrap())
}

/// An answer that asks to wait.
pub(crate) fn throttled(retry_after: &str) -> Reply {
    let answer = http::Response::builder().status(429).header("retry-after", retry_after);
    Ok(answer.body(b"{\"error\":{\"code\":\"TooManyRequests\"}}".to_vec()).unwrap())
}

/// What a service does with a request.
type Answer = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// A service at an address. What it answers can be replaced at any time.
pub(crate) struct Service {
    address: String,
    answer: Mutex<Answer>,
    asked: Mutex<Vec<Asked>>,
}

impl Service {
    /// Puts a service at this address.
    pub(crate) fn at(
        app: &TestApp,
        address: &str,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Arc<Self> {
        let answer: Mutex<Answer> = Mutex::new(Box::new(answer));
        let service = Arc::new(Self { address: address.to_owned(), answer, asked: Mutex::default() });
        app.net.add(&[address], Arc::clone(&service) as Arc<dyn HttpClient>);
        service
    }

    /// Answers differently from now on.
    pub(crate) fn answers(&self, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    /// How often it was asked.
    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The requests, as `GET /path`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }
}

#[async_trait]
impl HttpClient for Service {
    async fn send(&self, request: http::Request<Vec<u8>>, _: &OutboundPolicy) -> Reply {
        // An answer is never immediate, so that requests at the same time really wait for each other.
        tokio::task::yield_now().await;
        let url = url::Url::parse(&request.uri().to_string()).unwrap();
        let whole = format!("{}{}", url.origin().ascii_serialization(), url.path());
        let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let asked = Asked {
            method: request.method().to_string(),
            path: whole.strip_prefix(&self.address).unwrap().to_owned(),
            query: url.query_pairs().into_owned().collect(),
            bearer: authorization.and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
            body: request.into_body(),
        };
        let answer = (self.answer.lock().unwrap())(&asked);
        self.asked.lock().unwrap().push(asked);
        answer
    }
}

/// Microsoft Graph with a person in these groups (id, name), in pages of `page` items.
pub(crate) fn graph(
    address: &str,
    groups: Vec<(String, String)>,
    page: usize,
) -> impl Fn(&Asked) -> Reply + Send + Sync + use<> {
    let address = address.to_owned();
    move |asked| {
        if !asked.bearer.as_deref().is_some_and(|token| token.starts_with("idp-access-")) {
            return json(401, &json!({ "error": { "code": "InvalidAuthenticationToken" } }));
        }
        let names = match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/me/getMemberObjects") => {
                let body: Value = serde_json::from_slice(&asked.body).unwrap();
                assert_eq!(body, json!({ "securityEnabledOnly": false }));
                false
            }
            ("GET", "/me/transitiveMemberOf") => {
                assert_eq!(asked.query["$select"], "id,displayName");
                true
            }
            ("GET", "/me/getMemberObjects") if asked.query.contains_key("$skiptoken") => false,
            _ => return json(404, &json!({ "error": { "code": "Request_ResourceNotFound" } })),
        };
        let skip: usize = asked.query.get("$skiptoken").map_or(0, |skip| skip.parse().unwrap());
        let item = |(id, name): &(String, String)| match names {
            true => json!({ "@odata.type": "#microsoft.graph.group", "id": id, "displayName": name }),
            false => id.as_str().into(),
        };
        let items: Vec<Value> = groups.iter().skip(skip).take(page).map(item).collect();
        let mut body =
            json!({ "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection", "value": items });
        if skip + page < groups.len() {
            let select = if names { "$select=id,displayName&" } else { "" };
            body["@odata.nextLink"] = format!("{address}{}?{select}$skiptoken={}", asked.path, skip + page).into();
        }
        json(200, &body)
    }
}

/// GitLab's list of groups with a person's access levels.
pub(crate) fn gitlab(groups: &'static [(&'static str, u8)]) -> impl Fn(&Asked) -> Reply + Send + Sync {
    move |asked| {
        if asked.path != "/groups" || asked.bearer.is_none() {
            return json(404, &json!({ "message": "404 Not Found" }));
        }
        let number = |name: &str| asked.query[name].parse::<usize>().unwrap();
        let (level, page, per_page) = (number("min_access_level"), number("page"), number("per_page"));
        let all: Vec<Value> = groups
            .iter()
            .filter(|(_, own)| usize::from(*own) >= level)
            .map(|(path, _)| json!({ "id": path.len(), "full_path": path, "name": path }))
            .collect();
        let items: Vec<Value> = all.iter().skip((page - 1) * per_page).take(per_page).cloned().collect();
        json(200, &items.into())
    }
}

/// Cloud Identity with the groups of an address: direct ones, and those that come with nesting.
pub(crate) fn cloud_identity(
    email: &'static str,
    direct: &'static [&'static str],
    nested: &'static [&'static str],
) -> impl Fn(&Asked) -> Reply + Send + Sync {
    move |asked| {
        if asked.bearer.as_deref() != Some("service-token") {
            return json(401, &json!({ "error": { "status": "UNAUTHENTICATED" } }));
        }
        let query =
            format!("member_key_id == '{email}' && 'cloudidentity.googleapis.com/groups.discussion_forum' in labels");
        if asked.query["query"] != query {
            return json(200, &json!({}));
        }
        let all: Vec<&str> = match asked.path.as_str() {
            "/groups/-/memberships:searchDirectGroups" => direct.to_vec(),
            "/groups/-/memberships:searchTransitiveGroups" => direct.iter().chain(nested).copied().collect(),
            _ => return json(404, &json!({})),
        };
        // One group in a page.
        let at: usize = asked.query.get("pageToken").map_or(0, |at| at.parse().unwrap());
        let item = all.get(at).map(|id| json!({ "group": "groups/x", "groupKey": { "id": id }, "displayName": "x" }));
        let mut body = json!({ "memberships": item.into_iter().collect::<Vec<_>>() });
        if at + 1 < all.len() {
            body["nextPageToken"] = (at + 1).to_string().into();
        }
        json(200, &body)
    }
}

/// A SCIM 2.0 directory (RFC 7644) with these users, of which the first is a member of these groups (id, name).
pub(crate) fn scim(users: Vec<Value>, groups: &[(String, String)]) -> impl Fn(&Asked) -> Reply + Send + Sync + use<> {
    let groups: Vec<Value> =
        groups.iter().map(|(id, name)| json!({ "id": id, "displayName": name, "meta": {} })).collect();
    let member = users[0]["id"].clone();
    move |asked| {
        if asked.bearer.as_deref() != Some("scim-token") {
            return json(401, &json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "401" }));
        }
        let (attribute, value) = asked.query["filter"].split_once(" eq ").unwrap();
        let value: Value = serde_json::from_str(value).unwrap();
        let fits = |user: &&Value| {
            let folded = |text: &Value| text.as_str().map(str::to_lowercase);
            match attribute {
                "userName" => folded(&user["userName"]) == folded(&value),
                "emails.value" => folded(&user["emails"][0]["value"]) == folded(&value),
                "externalId" | "id" => user[attribute] == value,
                _ => panic!("{attribute}"),
            }
        };
        let found: Vec<Value> = match asked.path.as_str() {
            "/Users" => users.iter().filter(fits).cloned().collect(),
            "/Groups" if attribute == "members.value" && value == member => groups.clone(),
            "/Groups" => Vec::new(),
            _ => return json(404, &json!({})),
        };
        let number = |name: &str| asked.query[name].parse::<usize>().unwrap();
        let (start, count) = (number("startIndex"), number("count"));
        let items: Vec<Value> = found.iter().skip(start - 1).take(count).cloned().collect();
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": found.len(),
            "startIndex": start, "itemsPerPage": items.len(),
        });
        if !items.is_empty() {
            body["Resources"] = items.into();
        }
        json(200, &body)
    }
}
