//! Every page in every language: renders, is inert whatever the strings hold, and keeps to the Content-Security-Policy.
//! Samples are written to `target/pages` to be looked at.
#![expect(clippy::unwrap_used, reason = "tests")]

mod demo;
mod drafts;
mod looks;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::json;

use crate::pages::reasons::REASONS;
use crate::pages::*;

/// Every string field of every view is made by this: a plain text, or one that attacks.
type Fill<'a> = &'a dyn Fn(&str) -> String;

const MARKUP: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> style=\"x\" {{ 7*7 }} {client} &amp;";

fn plain(text: &str) -> String {
    text.to_owned()
}

fn web(uri: &str) -> Option<WebUri> {
    Some(WebUri::parse(uri).unwrap())
}

fn frames() -> Vec<WebUri> {
    let uris =
        ["https://wiki.example.com/out?iss=https%3A%2F%2Fsso.example.com&sid=1", "https://shop.example.com/out?sid=1"];
    uris.map(|uri| WebUri::parse(uri).unwrap()).to_vec()
}

fn form(fill: Fill) -> PostForm {
    PostForm {
        action: "/sso/interaction".to_owned(),
        csrf: "tok-csrf".to_owned(),
        fields: vec![Field::new("interaction", fill("i-1"))],
    }
}

fn sign_in(fill: Fill, names: &[&str]) -> SignIn {
    let provider = |(index, name): (usize, &&str)| Provider {
        name: fill(name),
        action_value: fill(&format!("p{index}")),
        last_used: index == 0,
    };
    SignIn {
        client_name: fill("Grafana"),
        client_logo: None,
        client_uri: web("https://grafana.example.com/"),
        account: None,
        providers: names.iter().enumerate().map(provider).collect(),
        show_email_field: false,
        login_hint: None,
        error: None,
        form: form(fill),
    }
}

fn error(fill: Fill, code: &str) -> ErrorPage {
    ErrorPage {
        trace_id: Some(fill("5f1c0a9be3d24f6d")),
        client_name: Some(fill("Grafana")),
        contacts: vec![fill("helpdesk@corp.example")],
        back_uri: web("https://grafana.example.com/"),
        ..ErrorPage::bare(400, &fill(code))
    }
}

/// A rendered sample.
struct Sample {
    name: String,
    lang: Lang,
    html: String,
}

/// Renders one view in every language.
fn add<V: View>(samples: &mut Vec<Sample>, name: &str, view: &V) {
    static PAGES: LazyLock<Pages> = LazyLock::new(|| Pages::new("/sso").unwrap());
    for &lang in Lang::ALL {
        samples.push(Sample { name: name.to_owned(), lang, html: PAGES.render(lang, view).unwrap() });
    }
}

const FEW: &[&str] = &["Corporate account", "Okta", "Partner network"];
const MANY: &[&str] = &[
    "Northwind Traders",
    "Contoso",
    "Zürich Kantonalbank",
    "Société Générale",
    "東京電力",
    "Acme Robotics",
    "Fabrikam",
    "جامعة القاهرة",
    "Universidad de Chile",
];

fn sign_in_samples(all: &mut Vec<Sample>, fill: Fill) {
    add(all, "sign-in", &sign_in(fill, FEW));
    add(all, "sign-in-many", &sign_in(fill, MANY));
    add(all, "sign-in-none", &sign_in(fill, &[]));
    let hint = Some(fill("alice@corp.example"));
    let asks =
        SignIn { show_email_field: true, login_hint: hint, error: Some(fill("domain_unknown")), ..sign_in(fill, FEW) };
    add(all, "sign-in-email", &asks);
    let logo = SignIn { client_logo: web("https://grafana.example.com/logo.svg"), ..sign_in(fill, MANY) };
    add(all, "sign-in-logo", &SignIn { show_email_field: true, ..logo });
}

fn decision_samples(all: &mut Vec<Sample>, fill: Fill) {
    let scope = |name: &str, description: Option<&str>| Scope { name: fill(name), description: description.map(fill) };
    let consent = Consent {
        client_name: fill("Grafana"),
        client_logo: None,
        user_name: fill("Alice Moreau"),
        scopes: vec![
            scope("openid", None),
            scope("profile", None),
            scope("email", None),
            scope("groups", None),
            scope("tenant", Some("see your organisation’s name")),
            scope("orders:read", None),
            scope("offline_access", None),
        ],
        claims: vec![fill("birthdate")],
        policy_uri: web("https://grafana.example.com/privacy"),
        tos_uri: web("https://grafana.example.com/terms"),
        form: form(fill),
    };
    add(all, "consent", &consent);
    let confirm =
        ConfirmSignOut { client_name: Some(fill("Grafana")), user_name: fill("Alice Moreau"), form: form(fill) };
    add(all, "confirm-sign-out", &confirm);
    add(all, "confirm-sign-out-plain", &ConfirmSignOut { client_name: None, ..confirm });
    let back = web("https://grafana.example.com/");
    let out = SignedOut { client_name: None, back_uri: None, frames: vec![], ended: true };
    let of_app = SignedOut { client_name: Some(fill("Grafana")), back_uri: back.clone(), ..out.clone() };
    add(all, "signed-out", &of_app);
    add(all, "signed-out-nobody", &SignedOut { ended: false, ..of_app });
    add(all, "signed-out-plain", &SignedOut { frames: frames(), ..out.clone() });
    add(all, "signed-out-back", &SignedOut { back_uri: back, ..out });
    let detail =
        Some(fill("redirect_uri \"https://grafana.example.com/callback\" is not among the client's redirect_uris"));
    add(all, "error", &ErrorPage { detail, back_uri: None, ..error(fill, "invalid_redirect_uri") });
    let provider_name = Some(fill("Corporate account"));
    let (user_name, another_account) = (Some(fill("Alice Moreau")), Some(form(fill)));
    let refused = error(fill, "client_requirement_not_met");
    add(all, "error-back", &ErrorPage { provider_name, user_name, another_account, ..refused });
    let bare = ErrorPage { trace_id: None, client_name: None, back_uri: None, status: 404, ..error(fill, "not_found") };
    add(all, "error-not-found", &bare);
}

fn redirect_samples(all: &mut Vec<Sample>, fill: Fill) {
    let fields = vec![Field::new(fill("code"), fill("c-123")), Field::new("state", fill("s-456"))];
    let action = WebUri::parse("https://grafana.example.com/login/generic_oauth").unwrap();
    add(all, "redirect", &Redirect { to: action.clone() });
    let to = Destination::parse("https://grafana.example.com/bye?state=x").unwrap();
    add(all, "signing-out", &SigningOut { frames: frames(), to });
    add(all, "form-post", &FormPost { action, fields });
}

fn other_samples(all: &mut Vec<Sample>, fill: Fill) {
    let home = Home {
        issuer: fill("https://sso.example.com/sso"),
        user_name: None,
        sign_out_path: Some("/sso/out".to_owned()),
        account_path: Some("/sso/account".to_owned()),
        apps: Vec::new(),
    };
    add(all, "home", &home);
    add(all, "home-signed-in", &Home { user_name: Some(fill("Alice Moreau")), ..home });
    demo::add_samples(all, fill);
}

fn samples(fill: Fill) -> Vec<Sample> {
    let mut all = Vec::new();
    sign_in_samples(&mut all, fill);
    decision_samples(&mut all, fill);
    redirect_samples(&mut all, fill);
    other_samples(&mut all, fill);
    all
}

/// The tags of a document, as written, from `<` to `>`. Escaping leaves no bare bracket in a value.
fn tags(html: &str) -> Vec<&str> {
    Regex::new("<[^>]*>").unwrap().find_iter(html).map(|tag| tag.as_str()).collect()
}

/// The tags without their attribute values: what a value must never change.
fn skeleton(html: &str) -> Vec<String> {
    let value = Regex::new("=\"[^\"]*\"").unwrap();
    tags(html).into_iter().map(|tag| value.replace_all(tag, "=\"\"").into_owned()).collect()
}

#[test]
fn every_page_renders_in_every_language() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    std::fs::create_dir_all(folder.join("static")).unwrap();
    for name in ["style.css", "demo.css", "page.js", "mark.svg", "favicon.svg", "guilloche.svg"] {
        std::fs::write(folder.join("static").join(name), assets::asset(name).unwrap().1).unwrap();
    }
    for Sample { name, lang, html } in samples(&plain) {
        assert!(html.starts_with("<!doctype html>\n<html lang=\""), "{name}");
        assert!(html.contains(&format!("<html lang=\"{}\" dir=\"{}\">", lang.tag(), lang.dir())), "{name}");
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        assert!(html.trim_end().ends_with("</html>"), "{name}");
        let html = html.replace("&#x2f;sso&#x2f;static&#x2f;", "static/").replace("/sso/static/", "static/");
        std::fs::write(folder.join(format!("{name}.{}.html", lang.tag())), html).unwrap();
    }
}

#[test]
fn d19_markup_in_any_string_is_inert() {
    // The same letters around the markup keep tile tones and pictures out of the comparison: values are not compared.
    let attack = |text: &str| format!("{text}{MARKUP}");
    for (hostile, tame) in samples(&attack).iter().zip(samples(&plain)) {
        let shows_none =
            ["signed-out-plain", "signed-out-back", "redirect", "signing-out"].contains(&hostile.name.as_str());
        assert_ne!(hostile.html.contains("&lt;script&gt;alert"), shows_none, "{}", hostile.name);
        assert!(!hostile.html.contains("49"), "{}: an expression in a value was run", hostile.name);
        // Scopes and reason codes that are not known any more show as themselves, in <code>. Long titles are set smaller.
        let comparable = |html: &str| -> Vec<String> {
            let html = html.replace(" class=\"long\"", "").replace(" class=\"longer\"", "");
            skeleton(&html).into_iter().filter(|tag| !["<code>", "</code>"].contains(&tag.as_str())).collect()
        };
        assert_eq!(comparable(&hostile.html), comparable(&tame.html), "{} {:?}", hostile.name, hostile.lang);
    }
}

#[test]
fn d19_only_web_addresses_become_links() {
    let shapes = Regex::new(r#"(?:href|src|action)="([^"]*)""#).unwrap();
    for Sample { name, html, .. } in samples(&|text| format!("javascript:{text}")) {
        for found in shapes.captures_iter(&html) {
            let link = found.get(1).unwrap().as_str().replace("&#x2f;", "/");
            assert!(link.starts_with('/') || link.starts_with("https://"), "{name}: {link}");
        }
    }
    // What a view can hold is decided by WebUri, and that takes no such address.
    assert_eq!(WebUri::parse("javascript:alert(1)"), None);
}

#[test]
fn d19_pages_hold_no_inline_script_or_style() {
    let handler = Regex::new(r"(?i)[\s/](on\w+|style|srcdoc|formaction)\s*=").unwrap();
    for Sample { name, html, .. } in samples(&plain) {
        for tag in tags(&html) {
            assert!(!handler.is_match(tag), "{name}: {tag}");
            assert!(!tag.starts_with("<style") && !tag.starts_with("<base"), "{name}: {tag}");
            if tag.starts_with("<script") {
                assert!(tag.contains(" src=\"&#x2f;sso&#x2f;static&#x2f;page.js?v="), "{name}: {tag}");
                assert!(html.contains(&format!("{tag}</script>")), "{name}: a script with a body");
            }
        }
    }
}

#[test]
fn d20_every_form_of_ours_carries_the_csrf_token() {
    let forms = Regex::new(r"(?s)<form .*?</form>").unwrap();
    let without = ["form-post", "personas"];
    let mut seen = 0;
    for Sample { name, html, .. } in samples(&plain) {
        for found in forms.find_iter(&html) {
            let form = found.as_str();
            assert!(form.contains("method=\"post\"") && form.contains("<button"), "{name}: {form}");
            let token = format!("<input type=\"hidden\" name=\"{CSRF_FIELD}\" value=\"tok-csrf\">");
            assert_eq!(form.contains(&token), !without.contains(&name.as_str()), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 50);
}

#[test]
fn every_reason_code_has_its_own_page() {
    let pages = Pages::new("").unwrap();
    let title = Regex::new("<title>(.*)</title>").unwrap();
    for &lang in Lang::ALL {
        let titles: BTreeSet<String> = REASONS
            .iter()
            .map(|(code, _)| {
                let html = pages.render(lang, &error(&plain, code)).unwrap();
                assert!(html.contains(&format!("<code>{code}</code>")));
                title.captures(&html).unwrap().get(1).unwrap().as_str().to_owned()
            })
            .collect();
        assert_eq!(titles.len(), REASONS.len(), "two codes share a title in {}", lang.tag());
        let html = pages.render(lang, &error(&plain, "never_heard_of")).unwrap();
        assert!(html.contains("<code>never_heard_of</code>"));
    }
}

#[test]
fn the_sign_in_page_fits_what_there_is() {
    let pages = Pages::new("").unwrap();
    let html = |view: &SignIn| pages.render(Lang::En, view).unwrap();
    let none = html(&sign_in(&plain, &[]));
    assert!(none.contains("Sign-in is not available") && none.contains("Please contact your administrator."));
    assert!(!none.contains("<form"));
    let asks = html(&SignIn { show_email_field: true, ..sign_in(&plain, &[]) });
    assert!(asks.contains("type=\"email\"") && !asks.contains("Sign-in is not available"));
    let six = html(&sign_in(&plain, MANY.get(..6).unwrap()));
    assert!(!six.contains("<select") && !six.contains("page.js"));
    let seven = html(&sign_in(&plain, MANY.get(..7).unwrap()));
    assert!(seven.contains("<select") && seven.contains("Sign in with SSO") && seven.contains("page.js"));
    // Without script the first, the one last used, is chosen already.
    assert!(!seven.contains("<option value=\"\">") && seven.contains("<option value=\"p0\""));
    assert_eq!(seven.matches("Last used").count(), 1);
}

#[test]
fn consent_says_what_for_in_plain_words() {
    let pages = Pages::new("").unwrap();
    let mut view = Consent {
        client_name: "Grafana".to_owned(),
        client_logo: None,
        user_name: "Alice".to_owned(),
        scopes: vec![Scope { name: "email".to_owned(), description: None }],
        claims: vec!["birthdate".to_owned()],
        policy_uri: None,
        tos_uri: None,
        form: form(&plain),
    };
    let german = pages.render(Lang::De, &view).unwrap();
    assert!(german.contains("Ihre E-Mail-Adresse sehen") && german.contains("sehen: <bdi>birthdate</bdi>"), "{german}");
    view.scopes = vec![
        Scope { name: "tenant".to_owned(), description: Some("your organisation".to_owned()) },
        Scope { name: "x.y".to_owned(), description: None },
    ];
    let html = pages.render(Lang::En, &view).unwrap();
    assert!(html.contains("<bdi>your organisation</bdi>") && html.contains("<code>x.y</code>"));
}

#[test]
fn static_files_stand_below_the_issuer_path() {
    for (path, start) in [("", "/static/"), ("/", "/static/"), ("/api/sso/", "/api/sso/static/")] {
        let view = SignedOut { client_name: None, back_uri: None, frames: vec![], ended: true };
        let html = Pages::new(path).unwrap().render(Lang::En, &view).unwrap();
        let link = format!("href=\"{start}style.css?v={}\"", assets::version("style.css").unwrap());
        assert!(html.replace("&#x2f;", "/").contains(&link), "{html}");
    }
}

#[test]
fn a_trace_becomes_lines_with_places() {
    use crate::decision::trace::{Source, Stage, Trace};
    let mut trace = Trace::default();
    let source = Source { path: "role_rules[0]".into(), file: "broker.toml".into(), line: 12 };
    trace.add(Stage::Roles, Some(&source), "admin");
    trace.add(Stage::Account, None, "created");
    let line = |stage: &str, text: &str, place: Option<&str>| TraceLine {
        stage: stage.to_owned(),
        text: text.to_owned(),
        place: place.map(str::to_owned),
    };
    let wanted = [line("roles", "admin", Some("broker.toml:12")), line("account", "created", None)];
    assert_eq!(TraceLine::of(&trace), wanted);
}
