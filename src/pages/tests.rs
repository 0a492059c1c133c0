//! Every page in every language: renders, is inert whatever the strings hold, and keeps to the Content-Security-Policy.
//! Samples are written to `target/pages` to be looked at.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::json;

use super::reasons::REASONS;
use super::*;

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
        providers: names.iter().enumerate().map(provider).collect(),
        show_email_field: false,
        login_hint: None,
        error: None,
        form: form(fill),
    }
}

fn personas(fill: Fill) -> Vec<Persona> {
    let persona = |id: &str, name: &str, description: &str, groups: &[&str]| Persona {
        id: fill(id),
        name: fill(name),
        description: fill(description),
        claims: json!({
            "sub": fill(id), "name": fill(name), "email": fill(&format!("{id}@corp.example")),
            "email_verified": true, "groups": groups, "auth_time": 1_794_000_000,
        }),
    };
    vec![
        persona("alice", "Alice Moreau", "SRE, member of grafana-users", &["sre", "grafana-users"]),
        persona("bob", "Bob Okafor", "No group: gets the default role", &[]),
        persona("mei", "林美 Mei Lin", "Guest of a partner, address not verified", &["partners"]),
    ]
}

fn trace(fill: Fill) -> Vec<TraceLine> {
    [
        ("claims", "username from preferred_username", Some("broker.toml:14")),
        ("allow", "no condition is set", Some("providers.staff.allow (default)")),
        ("account", "created, first sign-in of this subject", None),
        ("roles", "admin, as 'sre' is among the groups", Some("broker.toml:31")),
        ("client", "grafana accepts this user", Some("broker.toml:40")),
        ("release", "grafana_role, groups", Some("broker.toml:44")),
    ]
    .map(|(stage, text, place)| TraceLine { stage: stage.to_owned(), text: fill(text), place: place.map(fill) })
    .into()
}

fn demo_tokens(fill: Fill) -> DemoTokens {
    let mut id_token = json!({
        "iss": "https://sso.example.com", "sub": "u-7Qd0mX2", "aud": "demo", "exp": 1_794_003_600, "iat": 1_794_000_000,
        "auth_time": 1_793_999_990, "nonce": "n-0S6_WzA2Mj", "name": fill("Alice Moreau"),
        "preferred_username": fill("alice"), "email": fill("alice@corp.example"), "email_verified": true,
        "groups": [fill("sre"), fill("grafana-users")], "grafana_role": fill("Admin"),
    });
    id_token.as_object_mut().unwrap().insert(fill("address"), json!({ "locality": fill("Lyon") }));
    DemoTokens {
        user_name: fill("Alice Moreau"),
        access_token: json!({
            "iss": "https://sso.example.com", "sub": "u-7Qd0mX2", "aud": "demo", "client_id": "demo",
            "scope": fill("openid profile email groups"), "exp": 1_794_003_600, "iat": 1_794_000_000, "jti": "a1b2c3",
        }),
        userinfo: json!({ "sub": "u-7Qd0mX2", "name": fill("Alice Moreau"), "groups": [fill("sre")] }),
        id_token,
        trace: trace(fill),
        refresh: Some(form(fill)),
        sign_out: form(fill),
    }
}

fn error(fill: Fill, code: &str) -> ErrorPage {
    ErrorPage {
        status: 400,
        reason_code: fill(code),
        trace_id: Some(fill("5f1c0a9be3d24f6d")),
        detail: None,
        client_name: Some(fill("Grafana")),
        provider_name: None,
        back_uri: web("https://grafana.example.com/"),
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
    add(all, "signed-out", &SignedOut { client_name: Some(fill("Grafana")), back_uri: back.clone(), frames: vec![] });
    add(all, "signed-out-plain", &SignedOut { client_name: None, back_uri: None, frames: frames() });
    add(all, "signed-out-back", &SignedOut { client_name: None, back_uri: back, frames: vec![] });
    let detail =
        Some(fill("redirect_uri \"https://grafana.example.com/callback\" is not among the client's redirect_uris"));
    add(all, "error", &ErrorPage { detail, back_uri: None, ..error(fill, "invalid_redirect_uri") });
    let provider_name = Some(fill("Corporate account"));
    add(all, "error-back", &ErrorPage { provider_name, ..error(fill, "client_requirement_not_met") });
    let bare = ErrorPage { trace_id: None, client_name: None, back_uri: None, status: 404, ..error(fill, "not_found") };
    add(all, "error-not-found", &bare);
}

fn hop_samples(all: &mut Vec<Sample>, fill: Fill) {
    let fields = vec![Field::new(fill("code"), fill("c-123")), Field::new("state", fill("s-456"))];
    let action = WebUri::parse("https://grafana.example.com/login/generic_oauth").unwrap();
    add(all, "onward", &Onward { to: action.clone() });
    let to = Destination::parse("https://grafana.example.com/bye?state=x").unwrap();
    add(all, "signing-out", &SigningOut { frames: frames(), to });
    add(all, "form-post", &FormPost { action, fields });
}

fn other_samples(all: &mut Vec<Sample>, fill: Fill) {
    let home = Home {
        issuer: fill("https://sso.example.com/sso"),
        user_name: None,
        sign_out_path: Some("/sso/out".to_owned()),
    };
    add(all, "home", &home);
    add(all, "home-signed-in", &Home { user_name: Some(fill("Alice Moreau")), ..home });
    let issuer = fill("http://localhost:8080");
    add(all, "demo", &DemoHome { issuer, sign_in_path: "/demo/login".to_owned(), personas: personas(fill) });
    add(all, "demo-tokens", &demo_tokens(fill));
    add(all, "demo-tokens-plain", &DemoTokens { refresh: None, ..demo_tokens(fill) });
    let fields = vec![Field::new("state", fill("s-456"))];
    add(all, "personas", &PersonaPicker { personas: personas(fill), action: "/idp/authorize".to_owned(), fields });
}

fn samples(fill: Fill) -> Vec<Sample> {
    let mut all = Vec::new();
    sign_in_samples(&mut all, fill);
    decision_samples(&mut all, fill);
    hop_samples(&mut all, fill);
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
    for name in ["style.css", "page.js", "mark.svg", "favicon.svg", "guilloche.svg"] {
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
            ["signed-out-plain", "signed-out-back", "onward", "signing-out"].contains(&hostile.name.as_str());
        assert_ne!(hostile.html.contains("&lt;script&gt;alert"), shows_none, "{}", hostile.name);
        assert!(!hostile.html.contains("49"), "{}: an expression in a value was run", hostile.name);
        // Scopes and reason codes that are not known any more show as themselves, in <code>.
        let comparable = |html: &str| -> Vec<String> {
            skeleton(html).into_iter().filter(|tag| !["<code>", "</code>"].contains(&tag.as_str())).collect()
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
        policy_uri: None,
        tos_uri: None,
        form: form(&plain),
    };
    assert!(pages.render(Lang::De, &view).unwrap().contains("Ihre E-Mail-Adresse sehen"));
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
        let view = SignedOut { client_name: None, back_uri: None, frames: vec![] };
        let html = Pages::new(path).unwrap().render(Lang::En, &view).unwrap();
        let link = format!("href=\"{start}style.css?v={}\"", assets::version("style.css").unwrap());
        assert!(html.replace("&#x2f;", "/").contains(&link), "{html}");
    }
}

#[test]
fn a_trace_becomes_lines_with_places() {
    use crate::core::trace::{Source, Stage, Trace};
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

fn file(name: &str, text: &str) -> TemplateFile {
    TemplateFile { name: name.to_owned(), path: format!("looks/{name}").into(), text: text.to_owned() }
}

fn ui(toml: &str) -> Ui {
    toml::from_str(toml).unwrap()
}

/// What is wrong with a template: `name:line message [way out]`.
fn wrong(name: &str, text: &str) -> Vec<String> {
    let Err(PagesError::Looks(problems)) = Pages::with_looks("", &Ui::default(), &[file(name, text)]) else {
        return Vec::new();
    };
    let line = |problem: &LookProblem| {
        let place = match &problem.place {
            LookPlace::Key(path) => path.clone(),
            LookPlace::Template(name, line) => format!("{name}:{line}"),
        };
        format!("{place} {} [{}]", problem.message, problem.suggestion.clone().unwrap_or_default())
    };
    problems.iter().map(line).collect()
}

/// A built-in template.
fn source(name: &str) -> &'static str {
    TEMPLATES.iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn the_built_in_templates_pass_as_replacements() {
    let own: Vec<TemplateFile> = TEMPLATES
        .iter()
        .filter(|(name, _)| !name.contains("demo") && !name.contains("persona"))
        .map(|(name, text)| file(name, text))
        .collect();
    let pages = Pages::with_looks("/sso", &Ui::default(), &own).unwrap();
    let built_in = Pages::new("/sso").unwrap();
    for &lang in Lang::ALL {
        let view = sign_in(&plain, MANY);
        assert_eq!(pages.render(lang, &view).unwrap(), built_in.render(lang, &view).unwrap());
    }
}

#[test]
fn every_page_of_the_broker_has_samples() {
    let sampled: BTreeSet<&str> = samples::samples().iter().map(|sample| sample.template).collect();
    let own = TEMPLATES.iter().map(|(name, _)| *name);
    let pages = own.filter(|name| {
        !["_parts.html", "base.html"].contains(name) && !name.contains("demo") && !name.contains("persona")
    });
    assert_eq!(pages.collect::<BTreeSet<_>>(), sampled);
    assert!(samples::samples().iter().all(|sample| !sample.names.is_empty()));
}

#[test]
fn a_template_may_build_on_the_one_that_it_replaces_and_on_parts_of_its_own() {
    let files = [
        file(
            "base.html",
            "{% extends \"built-in/base.html\" %}{% block footer %}{% include \"_foot.html\" %}{% endblock %}",
        ),
        file("_foot.html", "<footer>{{ t(\"brand.name\") }}, Halle 7, {{ lang }}</footer>"),
    ];
    let looks = ui("[texts.\"*\"]\n\"brand.name\" = \"Nordwind & Söhne\"\n[texts.de]\n\"home.title\" = \"Anmeldung\"");
    let pages = Pages::with_looks("", &looks, &files).unwrap();
    let view = Home { issuer: "https://sso.example.com".to_owned(), user_name: None, sign_out_path: None };
    let german = pages.render(Lang::De, &view).unwrap();
    assert!(german.contains("<footer>Nordwind &amp; Söhne, Halle 7, de</footer>"), "{german}");
    assert!(german.contains("<h1>Anmeldung</h1>") && german.contains("<link rel=\"stylesheet\""), "{german}");
    let english = pages.render(Lang::En, &view).unwrap();
    assert!(english.contains("<h1>Sign-in service</h1>") && english.contains("Halle 7, en"), "{english}");
}

#[test]
fn what_a_template_gets_wrong_is_found_when_it_is_loaded() {
    let home = |text: &str| format!("{{% extends \"base.html\" %}}\n{{% block main %}}\n{text}\n{{% endblock %}}");
    let cases = [
        ("home.html", "<p>\n{{ issuer }</p>".to_owned(), "home.html:2 the template does not compile: syntax error"),
        ("home.html", home("{{ isuer }}"), "home.html:3 the page has no value `isuer` [did you mean `issuer`?]"),
        ("home.html", home("{% if false %}{{ persona }}{% endif %}"), "home.html:3 the page has no value `persona`"),
        (
            "home.html",
            home("{{ t(\"home.titel\") }}"),
            "home.html:3 home.html can't be rendered: undefined value: nothing is called \"home.titel\"",
        ),
        ("home.html", home("{{ issuer.host.name }}"), "home.html:3 home.html can't be rendered: undefined value"),
        ("home.html", home("{{ issuer|uppercase }}"), "home.html:3 home.html can't be rendered: unknown filter"),
        (
            "home.html",
            home("{% include \"_none.html\" %}"),
            "home.html:3 home.html can't be rendered: template not found",
        ),
        ("home.html", "\n\n{% include \"home.html\" %}".to_owned(), "home.html:3 home.html can't be rendered: "),
        (
            "home.html",
            home("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"),
            "home.html:3 home.html can't be rendered: ",
        ),
        ("home.html", "{% extends \"home.html\" %}".to_owned(), "home.html:1 home.html can't be rendered: "),
        ("home.html", String::new(), "home.html:1 home.html must be a whole document"),
        ("error.html", "<p>Oh.</p>".to_owned(), "error.html:1 error.html must be a whole document"),
        ("home.html", home("{{ issuer|safe }}"), "home.html:1 home.html shows a value without escaping it"),
        (
            "home.html",
            home("{% autoescape false %}{{ issuer }}{% endautoescape %}"),
            "home.html:3 escaping can't be changed",
        ),
        ("home.html", home("<p onclick=\"x()\">"), "home.html:1 home.html has a script in an attribute"),
        ("home.html", home("<p class=a style='color: red'>"), "home.html:1 home.html has a style in an attribute"),
        ("home.html", home("<script>1</script>"), "home.html:1 home.html has a script in the page"),
        ("home.html", home("<style>p {}</style>"), "home.html:1 home.html has a style in the page"),
        ("hom.html", home(""), "hom.html:1 no page has a template \"hom.html\" [did you mean `home.html`?]"),
        ("demo_home.html", home(""), "demo_home.html:1 no page has a template \"demo_home.html\""),
        (
            "consent.html",
            source("consent.html").replace("{{ parts.hidden(form) }}", ""),
            "consent.html:1 consent.html must have the hidden fields of its form [in each form",
        ),
        (
            "sign_in.html",
            source("sign_in.html")
                .replace("provider.action_value", "provider.name")
                .replace("parts.provider_button(provider)", "provider.name"),
            "sign_in.html:1 sign_in.html must have a way to choose a provider",
        ),
        (
            "signed_out.html",
            source("signed_out.html").replace("{{- parts.frames(frames) }}", ""),
            "signed_out.html:1 signed_out.html must have the frames",
        ),
        (
            "onward.html",
            source("onward.html").replace("to.href", "to.host"),
            "onward.html:1 onward.html must have the address to go on to",
        ),
        (
            "base.html",
            "<p>{% block main %}{% endblock %}{{ nonsense }}</p>".to_owned(),
            "base.html:1 sign_in.html can't be rendered: undefined value",
        ),
        (
            "_parts.html",
            "{% macro fields(list) %}{% endmacro %}".to_owned(),
            "ui.templates sign_in.html can't be rendered with these templates",
        ),
        ("_parts.html", source("_parts.html").replace("{{ field.value }}", "{{ field.wert }}"), "_parts.html:"),
    ];
    for (name, text, said) in cases {
        let found = wrong(name, &text);
        assert!(found.iter().any(|line| line.starts_with(said)), "{name}\n{text}\n{found:#?}\nexpected {said}");
    }
}

#[test]
fn a_template_that_fails_at_run_time_gives_way_to_the_built_in_page() {
    // No sample has so long a name.
    let own = source("home.html").replace(
        "{{ t(\"home.title\") }}",
        "{% if user_name and user_name|length > 99 %}{{ user_name.no.such }}{% endif %}Ours",
    );
    let looks = ui("color = \"#1d4e89\"\n[texts.en]\n\"home.signed_in\" = \"Welcome back.\"");
    let pages = Pages::with_looks("", &looks, &[file("home.html", &own)]).unwrap();
    let home = |name: String| Home {
        issuer: "https://sso.example.com".to_owned(),
        user_name: Some(name),
        sign_out_path: None,
    };
    assert!(pages.render(Lang::En, &home("Alice".to_owned())).unwrap().contains("<h1>Ours</h1>"));
    let html = pages.render(Lang::En, &home("A".repeat(100))).unwrap();
    assert!(html.contains("<h1>Sign-in service</h1>") && html.contains("Welcome back."), "{html}");
    let blank = "{% if not user_name or user_name|length < 99 %}<html><title>x</title>{{ issuer }}{% endif %}";
    let blank = Pages::with_looks("", &looks, &[file("home.html", blank)]).unwrap();
    assert!(blank.render(Lang::En, &home("A".repeat(100))).unwrap().contains("<h1>Sign-in service</h1>"), "not empty");
    let (_, _, version) = pages.asset("style.css").unwrap();
    assert!(html.contains(&format!("style.css?v={version}")), "with the same colours");
}

#[test]
fn texts_of_the_file_are_checked_and_escaped() {
    let problems = |toml: &str| match Pages::with_looks("", &ui(toml), &[]) {
        Err(PagesError::Looks(problems)) => problems,
        other => unreachable!("{other:?}"),
    };
    for (toml, path, said, way_out) in [
        (
            "[texts.en]\n\"sign_in.titel\" = \"x\"",
            "ui.texts.en.\"sign_in.titel\"",
            "there is no text \"sign_in.titel\"",
            "`sign_in.title`",
        ),
        ("[texts.en]\n\"demo.title\" = \"x\"", "ui.texts.en.\"demo.title\"", "there is no text", ""),
        ("[texts.\"*\"]\nzzz = \"x\"", "ui.texts.\"*\".zzz", "there is no text", "docs/pages.md"),
        ("[texts.it]\n\"sign_in.title\" = \"x\"", "ui.texts.it", "the pages do not speak \"it\"", "zh-Hans"),
        ("[texts.zh-hans]\n\"sign_in.title\" = \"x\"", "ui.texts.zh-hans", "do not speak", "did you mean `zh-Hans`?"),
        (
            "[texts.en]\n\"sign_in.title\" = \"to {app}\"",
            "ui.texts.en.\"sign_in.title\"",
            "has the place {app}, which the built-in text does not have: it has {client}",
            "",
        ),
        ("[texts.en]\n\"common.or\" = \"{client}\"", "ui.texts.en.\"common.or\"", "there is none in this text", ""),
        ("[texts.en]\n\"common.or\" = \"a } b\"", "ui.texts.en.\"common.or\"", "has a brace that stands alone", ""),
        ("[texts.en]\n\"common.or\" = \" \"", "ui.texts.en.\"common.or\"", "must not be empty", ""),
    ] {
        let found = problems(toml);
        let [problem] = found.as_slice() else { unreachable!("{toml}: {found:?}") };
        assert_eq!(problem.place, LookPlace::Key(path.to_owned()));
        assert!(problem.message.contains(said), "{toml}: {}", problem.message);
        assert!(problem.suggestion.clone().unwrap_or_default().contains(way_out), "{toml}: {:?}", problem.suggestion);
    }
    let looks = ui("[texts.en]\n\"sign_in.title\" = \"<b>Into {client}</b> & {client} {{ 7*7 }}\"");
    assert!(Pages::with_looks("", &looks, &[]).is_err(), "a place with an odd name");
    let looks = ui("[texts.en]\n\"sign_in.title\" = \"<b>Into {client}</b> & {client}\"");
    let html = Pages::with_looks("", &looks, &[]).unwrap().render(Lang::En, &sign_in(&plain, FEW)).unwrap();
    assert!(html.contains("<h1>&lt;b&gt;Into <bdi>Grafana</bdi>&lt;/b&gt; &amp; <bdi>Grafana</bdi></h1>"), "{html}");
}

#[test]
fn the_logo_is_on_every_page_with_its_alternative_text() {
    let looks = ui(
        "logo_uri = \"https://cdn.example/logo.svg?a=\\\"><script>\"\n[texts.en]\n\"brand.name\" = \"North <wind>\"",
    );
    let pages = Pages::with_looks("", &looks, &[]).unwrap();
    for sample in samples::samples() {
        let (_, environment) = pages.environments.first().unwrap();
        let html = environment.get_template(sample.template).unwrap().render(&sample.values).unwrap();
        let logo =
            "src=\"https:&#x2f;&#x2f;cdn.example&#x2f;logo.svg?a=%22%3E%3Cscript%3E\" alt=\"North &lt;wind&gt;\"";
        assert!(html.contains(logo) && !html.contains("mark.svg"), "{html}");
    }
    let view = Home { issuer: String::new(), user_name: None, sign_out_path: None };
    assert_eq!(
        pages.pictures(&view).map(url::Url::as_str).collect::<Vec<_>>(),
        ["https://cdn.example/logo.svg?a=%22%3E%3Cscript%3E"]
    );
    assert_eq!(Pages::new("").unwrap().pictures(&view).count(), 0);
}

#[test]
fn the_documentation_has_every_text_and_every_value() {
    let docs = include_str!("../../docs/pages.md");
    let english: std::collections::BTreeMap<String, String> =
        serde_json::from_str(include_str!("../../templates/messages/en.json")).unwrap();
    for (key, text) in english.iter().filter(|(key, _)| !key.starts_with("demo.") && !key.starts_with("persona.")) {
        assert!(docs.contains(&format!("| `{key}` | {text} |\n")), "docs/pages.md must have {key}: {text}");
    }
    for sample in samples::samples() {
        let row = docs.lines().find(|line| line.starts_with(&format!("| `{}` |", sample.template))).unwrap();
        for name in &sample.names {
            assert!(row.contains(&format!("`{name}`")), "docs/pages.md: {} has `{name}`", sample.template);
        }
    }
}
