//! A browser with cookies that follows redirects within the broker and submits forms; also the response to a request.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use countersign::web::listener::Peer;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;

use super::app::TestApp;
use super::certificates;

/// A response that was read completely.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The value of a header; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// The target of the redirect.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        assert!(self.status.is_redirection(), "no redirect: {self}");
        self.header("location").to_owned()
    }

    /// The parameters of the redirect, from its query or its fragment.
    #[track_caller]
    pub(crate) fn params(&self) -> BTreeMap<String, String> {
        let url = url::Url::parse(&self.location()).unwrap();
        let text = url.fragment().or(url.query()).unwrap_or_default();
        url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
    }

    /// A parameter of the redirect.
    #[track_caller]
    pub(crate) fn param(&self, name: &str) -> String {
        self.params().get(name).cloned().unwrap_or_else(|| panic!("no {name} in {}", self.header("location")))
    }

    /// Asserts an error page: no redirect, and this reason code on the page.
    #[track_caller]
    pub(crate) fn assert_error_page(&self, status: u16, reason: &str) {
        assert_eq!(self.status, status, "{self}");
        assert_eq!(self.header("location"), "", "an error page redirects");
        assert!(self.header("content-type").starts_with("text/html"), "{self}");
        assert!(self.text().contains(reason), "{reason} is not on the page: {self}");
    }

    /// Asserts a redirect to this app's redirect URI with this error, in the query.
    #[track_caller]
    pub(crate) fn assert_app_error(&self, client: &str, error: &str) {
        assert!(self.location().starts_with(&format!("https://{client}.example/cb?")), "{self}");
        let params = self.params();
        assert_eq!(params.get("error").map(String::as_str), Some(error), "{params:?}");
        assert_eq!(params["iss"], super::ISSUER);
        assert!(!params.contains_key("code"));
    }

    /// Asserts a JSON error.
    #[track_caller]
    pub(crate) fn assert_json_error(&self, status: u16, error: &str) {
        assert_eq!(self.status, status, "{self}");
        let body = self.json();
        assert_eq!(body["error"], error, "{body}");
        assert!(body["error_description"].as_str().is_some_and(|text| text.is_ascii()), "{body}");
        assert_eq!(self.header("cache-control"), "no-store");
        assert!(body.get("access_token").is_none());
    }

    /// Turns a page that only redirects into a redirect, as a browser does. Pages redirect where the Content-Security-Policy
    /// of the form before would block a redirect response.
    fn onward(mut self) -> Self {
        let refresh = regex::Regex::new(r#"<meta http-equiv="refresh" content="0;url=([^"]*)">"#).unwrap();
        let text = String::from_utf8_lossy(&self.body).into_owned();
        if let Some(found) = refresh.captures(&text).filter(|_| self.status == 200) {
            let target = unescape(&found[1]);
            self.status = StatusCode::SEE_OTHER;
            self.headers.insert("location", target.parse().unwrap());
        }
        self
    }

    /// `Set-Cookie` values.
    pub(crate) fn set_cookies(&self) -> Vec<String> {
        self.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}\n{}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

/// A form of a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
    /// Name and value of each button.
    pub(crate) buttons: Vec<(String, String)>,
}

impl Form {
    /// The forms of a page, in order.
    pub(crate) fn all(html: &str) -> Vec<Self> {
        let attribute = |tag: &str, name: &str| {
            let pattern = regex::Regex::new(&format!(r#"\s{name}\s*=\s*"([^"]*)""#)).unwrap();
            pattern.captures(tag).map(|found| unescape(&found[1]))
        };
        let tags = regex::Regex::new(r"<(/?form|input|button)\b[^>]*>").unwrap();
        let mut forms: Vec<Self> = Vec::new();
        let mut inside = false;
        for tag in tags.find_iter(html).map(|found| found.as_str()) {
            if tag.starts_with("<form") {
                inside = true;
                forms.push(Self { action: attribute(tag, "action").unwrap_or_default(), ..Self::default() });
            } else if tag.starts_with("</form") {
                inside = false;
            } else if inside && let (Some(form), Some(name)) = (forms.last_mut(), attribute(tag, "name")) {
                let value = attribute(tag, "value").unwrap_or_default();
                if tag.starts_with("<button") || tag.contains(r#"type="submit""#) {
                    form.buttons.push((name, value));
                } else {
                    form.fields.push((name, value));
                }
            }
        }
        forms
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Undoes the escaping of HTML attribute values.
pub(crate) fn unescape(text: &str) -> String {
    [("&#x2f;", "/"), ("&#x27;", "'"), ("&#39;", "'"), ("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
        .into_iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// One person's browser.
#[derive(Clone, Debug, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
    /// Headers sent with every request.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Whether it reaches the listeners for client certificates.
    pub(crate) by_certificates: bool,
    /// Its address; without one, the requests have no particular address.
    pub(crate) address: Option<IpAddr>,
}

impl Browser {
    /// A browser without cookies.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A browser without cookies at this address.
    pub(crate) fn at(address: &str) -> Self {
        Self { address: Some(address.parse().unwrap()), ..Self::default() }
    }

    /// Behind the proxy of the listener for client certificates, which forwards this header.
    pub(crate) fn presenting(header: &'static str, value: &str) -> Self {
        let headers = vec![(header, value.to_owned())];
        Self { by_certificates: true, headers, ..Self::at("10.0.0.1") }
    }

    /// Requests a URL of the broker, without following redirects.
    pub(crate) async fn get(&mut self, app: &TestApp, url: &str) -> Reply {
        self.send(app, Method::GET, url, None, &[]).await
    }

    /// Requests a URL of the broker and follows redirects within it.
    pub(crate) async fn open(&mut self, app: &TestApp, url: &str) -> Reply {
        let mut reply = self.get(app, url).await;
        for _ in 0..10 {
            let target = reply.header("location");
            if !reply.status.is_redirection() || !target.starts_with(app.origin()) {
                return reply;
            }
            let target = target.to_owned();
            reply = self.get(app, &target).await;
        }
        panic!("endless redirects: {reply}");
    }

    /// Posts a form like another site would: without cookies (they are `SameSite=Lax`), then follows redirects with them.
    pub(crate) async fn post_cross_site(&mut self, app: &TestApp, url: &str, form: &[(&str, &str)]) -> Reply {
        let mut stranger = Self { headers: self.headers.clone(), address: self.address, ..Self::default() };
        let headers = [("origin", "https://app.example"), ("sec-fetch-site", "cross-site")];
        let reply = stranger.send(app, Method::POST, url, Some(form), &headers).await;
        self.take_cookies(&reply);
        match reply.header("location") {
            target if reply.status.is_redirection() && target.starts_with(app.origin()) => {
                let target = target.to_owned();
                self.open(app, &target).await
            }
            _ => reply,
        }
    }

    /// Submits the first form of a page, with these values added or replaced, and follows redirects.
    pub(crate) async fn submit(&mut self, app: &TestApp, page: &Reply, values: &[(&str, &str)]) -> Reply {
        let form = Form::all(&page.text()).into_iter().next().unwrap_or_else(|| panic!("no form: {page}"));
        self.submit_form(app, &form, values).await
    }

    /// Submits a form from a page of the broker, and follows redirects.
    pub(crate) async fn submit_form(&mut self, app: &TestApp, form: &Form, values: &[(&str, &str)]) -> Reply {
        let own = form.fields.iter().filter(|(name, _)| !values.iter().any(|(given, _)| given == name));
        let fields: Vec<(&str, &str)> =
            own.map(|(name, value)| (name.as_str(), value.as_str())).chain(values.iter().copied()).collect();
        let origin = if self.by_certificates { certificates::ORIGIN } else { app.origin() };
        let headers = [("origin", origin), ("sec-fetch-site", "same-origin")];
        let reply = self.send(app, Method::POST, &app.absolute(&form.action), Some(&fields), &headers).await.onward();
        match reply.header("location") {
            target if reply.status.is_redirection() && target.starts_with(app.origin()) => {
                let target = target.to_owned();
                self.open(app, &target).await
            }
            _ => reply,
        }
    }

    /// Sends one request with the cookies, and stores those of the response.
    pub(crate) async fn send(
        &mut self,
        app: &TestApp,
        method: Method,
        url: &str,
        form: Option<&[(&str, &str)]>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let target = url.strip_prefix(app.origin()).unwrap_or(url);
        let target = target.split('#').next().unwrap_or_default();
        let mut request = Request::builder().method(method).uri(if target.is_empty() { "/" } else { target });
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", cookies.join("; "));
        }
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        let body = match form {
            Some(fields) => {
                request = request.header("content-type", "application/x-www-form-urlencoded");
                let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                Body::from(text)
            }
            None => Body::empty(),
        };
        if let Some(address) = self.address {
            request = request.extension(Peer::Address(SocketAddr::new(address, 50_000)));
        }
        let router = if self.by_certificates { app.broker.certificates_router() } else { app.broker.router() };
        let reply = app.send_to(router, request.body(body).unwrap()).await;
        self.take_cookies(&reply);
        reply
    }

    fn take_cookies(&mut self, reply: &Reply) {
        for line in reply.set_cookies() {
            let (pair, attributes) = line.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Name and value of the session cookie.
    pub(crate) fn session(&self) -> Option<(String, String)> {
        let found = self.cookies.iter().find(|(name, _)| name.contains("-session-"));
        found.map(|(name, value)| (name.clone(), value.clone()))
    }
}
