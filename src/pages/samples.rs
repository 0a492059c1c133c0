//! Sample values of every page of the broker itself, to prove replaced templates with: with everything and with as little as
//! can be.
//!
//! Every text holds [`MARKUP`](crate::pages::sample::MARKUP), so that a value that is not escaped shows. What a page can't do
//! without is a word that is looked for in what was rendered.

use crate::pages::sample::{CSRF, Need, Sample, form, sample, text};
use crate::pages::samples_own;
use crate::pages::status::{KeyStatus, ProviderStatus, Status, StatusCounts, StatusPage};
use crate::pages::uri::{Destination, WebUri};
use crate::pages::views::{
    AppLink, BreakGlassPage, ConfirmSignOut, Consent, Elsewhere, ErrorPage, Field, FormPost, Home, Provider, Redirect,
    Scope, SignIn, SignedInAccount, SignedOut, SigningOut,
};
use crate::pages::{console, samples_drafts};

const TARGET: Need =
    ("sample-target", "the address to go on to", "use `to.href` or `action.href`, as the built-in one does");
const FIELD: Need = ("sample-field", "the fields of its form", "in the form: {{ parts.fields(fields) }}");
const FRAMES: Need =
    ("sample-frame", "the frames that sign people out of apps", "in the page: {{ parts.frames(frames) }}");
const PROVIDER: Need = (
    "sample-provider",
    "a way to choose a provider",
    "for each: a button or an option with the name `provider` and the value provider.action_value",
);
const EMAIL: Need =
    ("name=\"email\"", "a field for the address", "where show_email_field is true: an input with the name `email`");
const DECISION: Need =
    ("name=\"decision\"", "its buttons", "in the form: buttons with the name `decision`, as the built-in one has");
const PASSWORD: Need = (
    "name=\"password\"",
    "its fields",
    "in the form: inputs with the names `username` and `password`, as the built-in one has",
);

/// The samples of all pages.
pub(crate) fn samples() -> Vec<Sample> {
    let web = WebUri::parse("https://app.example/sample-target");
    let mut all = Vec::new();
    sign_in(&mut all, web.as_ref());
    decisions(&mut all, web.as_ref());
    statements(&mut all, web.as_ref());
    redirects(&mut all, web.as_ref());
    status(&mut all);
    samples_own::add(&mut all);
    console::samples::add(&mut all);
    console::samples_people::add(&mut all);
    samples_drafts::add(&mut all);
    all
}

fn sign_in(all: &mut Vec<Sample>, web: Option<&WebUri>) {
    let providers = |count: usize| {
        let provider = |index: usize| Provider {
            name: text("Provider"),
            action_value: format!("sample-provider-{index}"),
            last_used: index == 0,
        };
        (0..count).map(provider).collect()
    };
    let account = SignedInAccount {
        user_name: text("Person"),
        provider_name: text("Provider"),
        action_value: text("sample-session"),
    };
    let full = SignIn {
        client_name: text("App"),
        client_logo: web.cloned(),
        client_uri: web.cloned(),
        account: Some(account),
        providers: providers(3),
        show_email_field: true,
        login_hint: Some(text("hint")),
        error: Some("domain_unknown".to_owned()),
        form: form(),
    };
    let bare = SignIn {
        client_name: text("App"),
        client_logo: None,
        client_uri: None,
        account: None,
        providers: providers(2),
        show_email_field: false,
        login_hint: None,
        error: None,
        form: form(),
    };
    all.push(sample(&full, &[CSRF, PROVIDER, EMAIL]));
    all.push(sample(&SignIn { providers: providers(9), ..full }, &[CSRF, PROVIDER, EMAIL]));
    all.push(sample(&bare, &[CSRF, PROVIDER]));
    all.push(sample(&SignIn { show_email_field: true, providers: Vec::new(), ..bare.clone() }, &[CSRF, EMAIL]));
    all.push(sample(&SignIn { providers: Vec::new(), ..bare }, &[]));
}

fn decisions(all: &mut Vec<Sample>, web: Option<&WebUri>) {
    let scope = |name: &str, description: Option<String>| Scope { name: name.to_owned(), description };
    let full = Consent {
        client_name: text("App"),
        client_logo: web.cloned(),
        user_name: text("Person"),
        scopes: vec![scope("openid", None), scope("tenant", Some(text("why"))), scope(&text("other"), None)],
        claims: vec![text("claim")],
        policy_uri: web.cloned(),
        tos_uri: web.cloned(),
        form: form(),
    };
    let (scopes, claims) = (Vec::new(), Vec::new());
    let bare = Consent { client_logo: None, scopes, claims, policy_uri: None, tos_uri: None, ..full.clone() };
    all.push(sample(&full, &[CSRF, DECISION]));
    all.push(sample(&bare, &[CSRF, DECISION]));
    let confirm = ConfirmSignOut { client_name: Some(text("App")), user_name: text("Person"), form: form() };
    all.push(sample(&confirm, &[CSRF, DECISION]));
    all.push(sample(&ConfirmSignOut { client_name: None, ..confirm }, &[CSRF, DECISION]));
    let (client_name, wait_seconds) = (Some(text("App")), Some("6".to_owned()));
    let full = BreakGlassPage { client_name, problem: true, wait_seconds, form: form() };
    all.push(sample(&full, &[CSRF, PASSWORD]));
    let bare = BreakGlassPage { client_name: None, problem: false, wait_seconds: None, ..full };
    all.push(sample(&bare, &[CSRF, PASSWORD]));
}

fn statements(all: &mut Vec<Sample>, web: Option<&WebUri>) {
    let full = ErrorPage {
        status: 403,
        reason_code: "not_allowed".to_owned(),
        trace_id: Some("5f1c0a9be3d24f6d".to_owned()),
        detail: Some(text("detail")),
        client_name: Some(text("App")),
        provider_name: Some(text("Provider")),
        contacts: vec![text("helpdesk@app.example"), "+1 555 0100".to_owned()],
        back_uri: web.cloned(),
        user_name: Some(text("Person")),
        another_account: Some(form()),
        elsewhere: Some(Elsewhere {
            providers: vec![Provider { name: text("Provider"), action_value: text("id"), last_used: false }],
            form: form(),
        }),
        account_path: Some("/account".to_owned()),
        break_glass_path: Some("/login?backup=1".to_owned()),
    };
    all.push(sample(&full, &[]));
    all.push(sample(&ErrorPage::bare(404, &text("unheard_of")), &[]));
    let home =
        Home { issuer: text("issuer"), user_name: None, sign_out_path: None, account_path: None, apps: Vec::new() };
    let apps = web.map(|uri| AppLink { name: text("App"), uri: uri.clone() }).into_iter().collect();
    let (user_name, sign_out_path) = (Some(text("Person")), Some("/oauth2/logout".to_owned()));
    let account_path = Some("/account".to_owned());
    all.push(sample(&Home { user_name, sign_out_path, account_path, apps, ..home.clone() }, &[]));
    all.push(sample(&home, &[]));
    let out = SignedOut { client_name: Some(text("App")), back_uri: web.cloned(), frames: frames(), ended: true };
    all.push(sample(&out, &[FRAMES]));
    all.push(sample(&SignedOut { client_name: None, ..out }, &[FRAMES]));
    all.push(sample(&SignedOut { client_name: None, back_uri: None, frames: Vec::new(), ended: false }, &[]));
}

fn status(all: &mut Vec<Sample>) {
    let provider = |healthy: Option<bool>| ProviderStatus {
        id: text("provider"),
        name: text("Provider"),
        issuer: text("issuer"),
        enabled: healthy.is_some(),
        healthy,
        unusable_endpoints: serde_json::Map::from_iter([(text("endpoint"), text("why").into())]),
        refuses_our_credentials: healthy == Some(false),
        last_success_at: healthy.map(|_| console::samples::AT),
        last_error_at: healthy.map(|_| console::samples::AT),
        last_error: healthy.map(|_| text("error")),
    };
    let key = |state: &'static str| KeyStatus {
        kid: text("kid"),
        alg: "RS256",
        state,
        rotation_due_at: (state == "current").then_some(console::samples::AT),
    };
    let full = Status {
        issuer: text("issuer"),
        generation: 2,
        hash: text("hash"),
        clients: 1,
        counts: StatusCounts { clients: 1, providers: 2, roles: 3, sessions: 4 },
        providers: [None, Some(true), Some(false)].map(provider).to_vec(),
        keys: ["current", "next", "retired"].map(key).to_vec(),
        revocation_lists_due_at: Some(console::samples::AT),
        reload_failed: true,
        reload_problems: Vec::new(),
    };
    let bare = Status {
        providers: Vec::new(),
        keys: Vec::new(),
        revocation_lists_due_at: None,
        reload_failed: false,
        ..full.clone()
    };
    all.push(sample(&StatusPage { status: full, problems: Some(text("problem")) }, &[]));
    all.push(sample(&StatusPage { status: bare, problems: None }, &[]));
}

fn frames() -> Vec<WebUri> {
    WebUri::parse("https://app.example/sample-frame?sid=1").into_iter().collect()
}

fn redirects(all: &mut Vec<Sample>, web: Option<&WebUri>) {
    if let Some(to) = web {
        all.push(sample(&Redirect { to: to.clone() }, &[TARGET]));
        let fields = vec![Field::new("code", text("sample-field"))];
        all.push(sample(&FormPost { action: to.clone(), fields }, &[TARGET, FIELD]));
    }
    for uri in ["https://app.example/sample-target", "com.example.app:/sample-target"] {
        if let Some(to) = Destination::parse(uri) {
            all.push(sample(&SigningOut { frames: frames(), to }, &[TARGET, FRAMES]));
        }
    }
}
