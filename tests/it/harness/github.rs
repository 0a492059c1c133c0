//! A fake GitHub, as its documentation describes it: OAuth apps and GitHub Apps, `/user` with addresses, organisations and
//! teams in pages of a hundred, single sign-on that hides organisations, and errors with status 200.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use countersign::outbound::{HttpClient, OutboundError, OutboundPolicy};
use serde_json::{Value, json};

use super::{Answer, CHALLENGE, Reply, TestApp};
use crate::support::keys::encode;

/// The client secret of the app there.
pub(crate) const SECRET: &str = "github-secret-0123456789abcdef0123456789abcdef";

#[derive(Default)]
struct State {
    /// `/user`
    user: Value,
    /// `/user/emails`, `/user/orgs`, `/user/teams`
    lists: HashMap<&'static str, Vec<Value>>,
    /// `X-GitHub-SSO` of lists of organisations.
    sso: Option<String>,
    /// Whether it is a GitHub App, whose tokens expire.
    app: bool,
    /// Codes with their PKCE challenge.
    codes: HashMap<String, String>,
    access_tokens: Vec<String>,
    refresh_tokens: Vec<String>,
    answers: HashMap<String, Answer>,
    /// What the next page is said to be, in place of the truth.
    next: Option<String>,
    calls: Vec<(String, Option<String>)>,
    serial: u64,
}

/// One server.
pub(crate) struct Github {
    web: String,
    api: String,
    state: Mutex<State>,
}

impl Github {
    /// GitHub itself, with an octocat who is in the organisation acme.
    pub(crate) fn at(app: &TestApp, web: &str, api: &str) -> Arc<Self> {
        let github = Arc::new(Self { web: web.to_owned(), api: api.to_owned(), state: Mutex::default() });
        app.net.add(&[web, api], Arc::clone(&github) as Arc<dyn HttpClient>);
        github.is_used_by(583_231, "octocat");
        github.list(
            "emails",
            vec![
                json!({ "email": "old@example.com", "primary": false, "verified": true, "visibility": null }),
                json!({ "email": "octocat@acme.example", "primary": true, "verified": true, "visibility": "private" }),
            ],
        );
        github.list("orgs", vec![json!({ "login": "Acme", "id": 1 }), json!({ "login": "octo-org", "id": 2 })]);
        github.list("teams", vec![team("Acme", "sre"), team("octo-org", "admins")]);
        github
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Who signs in from now on.
    pub(crate) fn is_used_by(&self, id: u64, login: &str) {
        self.state().user = json!({
            "login": login, "id": id, "node_id": "MDQ6VXNlcjE=", "avatar_url": "https://avatars.example/1", "type": "User",
            "url": "https://api.github.com/users/octocat", "repos_url": "https://api.github.com/users/octocat/repos",
            "name": "The Octocat", "email": "public@example.com", "site_admin": false, "company": null,
        });
    }

    /// Sets members of `/user`.
    pub(crate) fn says(&self, name: &str, value: Value) {
        self.state().user[name] = value;
    }

    pub(crate) fn list(&self, name: &'static str, items: Vec<Value>) {
        self.state().lists.insert(name, items);
    }

    /// The organisations that are left out for want of a single sign-on.
    pub(crate) fn hides(&self, ids: &str) {
        self.state().sso = Some(format!("partial-results; organizations={ids}"));
    }

    /// Is a GitHub App from now on.
    pub(crate) fn as_github_app(&self) {
        self.state().app = true;
    }

    /// The answer of a path from now on.
    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.state().answers.insert(path.to_owned(), answer);
    }

    /// Says that every page has this next one.
    pub(crate) fn next_page(&self, url: &str) {
        self.state().next = Some(url.to_owned());
    }

    /// Takes all access tokens back.
    pub(crate) fn revokes(&self) {
        self.state().access_tokens.clear();
    }

    /// The calls to a path, with their `Authorization`.
    pub(crate) fn calls(&self, path: &str) -> Vec<Option<String>> {
        self.state().calls.iter().filter(|(called, _)| called == path).map(|(_, auth)| auth.clone()).collect()
    }

    /// The browser arrives from the broker, the person agrees, and is sent back: the URL.
    pub(crate) fn agree(&self, leaving: &Reply) -> String {
        let url = url::Url::parse(&leaving.location()).unwrap();
        assert!(url.as_str().starts_with(&format!("{}/login/oauth/authorize?", self.web)), "{url}");
        let params: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let mut state = self.state();
        state.serial += 1;
        let code = format!("gh-code-{}", state.serial);
        state.codes.insert(code.clone(), params.get("code_challenge").cloned().unwrap_or_else(|| CHALLENGE.to_owned()));
        let mut back = url::Url::parse(&params["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &params["state"]);
        back.into()
    }

    fn token(&self, form: &HashMap<String, String>) -> Answer {
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        let refuse =
            |error: &str| Answer::json(200, &json!({ "error": error, "error_description": "see the documentation" }));
        if field("client_id") != "Ov23li" || field("client_secret") != SECRET {
            return refuse("incorrect_client_credentials");
        }
        let mut state = self.state();
        if field("grant_type") == "refresh_token" {
            let before = state.refresh_tokens.len();
            state.refresh_tokens.retain(|token| *token != field("refresh_token"));
            if state.refresh_tokens.len() == before {
                return refuse("bad_refresh_token");
            }
        } else {
            let Some(challenge) = state.codes.remove(&field("code")) else { return refuse("bad_verification_code") };
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, field("code_verifier").as_bytes());
            if challenge != encode(digest.as_ref()) {
                return refuse("bad_verification_code");
            }
        }
        state.serial += 1;
        let (kind, serial) = (if state.app { "ghu" } else { "gho" }, state.serial);
        let access = format!("{kind}_{serial}");
        state.access_tokens.push(access.clone());
        let mut answer =
            json!({ "access_token": access, "token_type": "bearer", "scope": "read:org,read:user,user:email" });
        if state.app {
            let refresh = format!("ghr_{serial}");
            state.refresh_tokens.push(refresh.clone());
            answer["scope"] = "".into();
            answer["expires_in"] = 28_800.into();
            answer["refresh_token"] = refresh.into();
            answer["refresh_token_expires_in"] = 15_897_600.into();
        }
        Answer::json(200, &answer)
    }

    /// The items of a page, and the number of the next one.
    fn page(&self, name: &str, query: &HashMap<String, String>) -> (Vec<Value>, Option<usize>) {
        let number = |name: &str, default: usize| query.get(name).map_or(default, |text| text.parse().unwrap());
        let (page, size) = (number("page", 1), number("per_page", 30).min(100));
        let items = self.state().lists.get(name).cloned().unwrap_or_default();
        let more = items.len() > page * size;
        (items.into_iter().skip((page - 1) * size).take(size).collect(), more.then_some(page + 1))
    }
}

/// A team as `/user/teams` has it.
pub(crate) fn team(organization: &str, slug: &str) -> Value {
    json!({ "id": 1, "slug": slug, "name": slug.to_uppercase(), "organization": { "login": organization, "id": 1 }, "parent": null })
}

#[async_trait]
impl HttpClient for Github {
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        policy: &OutboundPolicy,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let url = url::Url::parse(&request.uri().to_string()).unwrap();
        policy.check(&url)?;
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let path = url.as_str().strip_prefix(&self.api).unwrap_or(url.path());
        let path = path.split('?').next().unwrap().to_owned();
        self.state().calls.push((path.clone(), header("authorization")));
        tokio::task::yield_now().await;
        let answered = self.state().answers.get(&path).cloned();
        let mut response = http::Response::builder();
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let answer = match (answered, path.as_str()) {
            (Some(answer), _) => answer,
            (None, "/login/oauth/access_token") => {
                assert_eq!(header("accept").as_deref(), Some("application/json"), "or else it answers with a form");
                self.token(&url::form_urlencoded::parse(request.body()).into_owned().collect())
            }
            (None, path) => {
                let token = header("authorization").unwrap_or_default();
                let known = self.state().access_tokens.iter().any(|known| token == format!("Bearer {known}"));
                match path.strip_prefix("/user").filter(|_| known) {
                    None => Answer::json(401, &json!({ "message": "Bad credentials" })),
                    Some("") => Answer::json(200, &self.state().user),
                    Some(list) => {
                        let (items, next) = self.page(list.trim_start_matches('/'), &query);
                        let next = next.map(|page| format!("{}{path}?per_page=100&page={page}", self.api));
                        if let Some(next) = self.state().next.clone().or(next) {
                            response =
                                response.header("link", format!("<{next}>; rel=\"next\", <{next}>; rel=\"last\""));
                        }
                        if let Some(sso) = self.state().sso.clone().filter(|_| list != "/emails") {
                            response = response.header("x-github-sso", sso);
                        }
                        Answer::json(200, &items.into())
                    }
                }
            }
        };
        match answer {
            Answer::Hangs => std::future::pending().await,
            Answer::Fails(error) => Err(error),
            Answer::Redirect(_) => Err(OutboundError::Redirect(302)),
            Answer::Raw(status, kind, body) => {
                Ok(response.status(status).header("content-type", kind).body(body).unwrap())
            }
        }
    }
}
