//! The appearance of pages (`[ui]`): logo, colour, texts and templates, from the file to the page, and after a reload.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign::config::load::Inputs;
use countersign::config::load::files::{Disk, Memory};
use countersign::snapshot::generation::{Options, Prepared, prepare};
use countersign::snapshot::reload::Reloaded;
use tokio::task::JoinSet;

use crate::harness::{Authorize, BASE, Browser, Reply, START, TestApp, WITH_PARTNER, alice};

const LOOKS: &str = r##"
[ui]
logo_uri = "https://cdn.example:8443/nordwind.svg?v=2"
color = "#6a1b9a"
[ui.texts."*"]
"brand.name" = "Nordwind <AG> & Co"
[ui.texts.de]
"home.title" = "Anmeldung bei Nordwind"
"##;

/// The directives of a page's Content-Security-Policy.
fn directive<'r>(page: &'r Reply, name: &str) -> &'r str {
    let policy = page.header("content-security-policy");
    let found = policy.split("; ").find_map(|directive| directive.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name} in {policy}")).trim()
}

/// The address of the stylesheet on a page.
fn stylesheet(page: &Reply) -> String {
    let text = page.text().replace("&#x2f;", "/");
    let after = text.split_once("<link rel=\"stylesheet\" href=\"").unwrap().1;
    after.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn the_logo_is_on_every_page_and_the_policy_has_its_origin_and_no_other() {
    let app = TestApp::with(&format!("{LOOKS}{WITH_PARTNER}")).await;
    let not_found = app.get("/no/such/page").await;
    let sign_in = Browser::new().open(&app, &Authorize::of("app").url(&app)).await;
    let signed_out = app.get("/oauth2/logout").await;
    for page in [app.get("/").await, not_found, sign_in, signed_out] {
        let text = page.text().replace("&#x2f;", "/");
        let logo = "src=\"https://cdn.example:8443/nordwind.svg?v=2\" alt=\"Nordwind &lt;AG&gt; &amp; Co\"";
        assert!(text.contains(logo), "{text}");
        assert!(!text.contains("Countersign"), "{text}");
        assert_eq!(directive(&page, "img-src"), "'self' https://cdn.example:8443");
        assert_eq!(directive(&page, "style-src"), "'self'");
        assert_eq!(directive(&page, "default-src"), "'none'");
    }
    let plain = TestApp::base().await.get("/").await;
    assert_eq!(directive(&plain, "img-src"), "'self'");
    assert!(plain.text().contains("mark.svg") && plain.text().contains("Countersign"));
}

#[tokio::test]
async fn the_logo_of_an_app_is_allowed_on_its_pages_only() {
    let overlay = format!("{LOOKS}{WITH_PARTNER}\n[clients.app]\nlogo_uri = \"https://app.example/logo.png\"\n");
    let app = TestApp::with(&overlay).await;
    let sign_in = Browser::new().open(&app, &Authorize::of("app").url(&app)).await;
    assert_eq!(directive(&sign_in, "img-src"), "'self' https://cdn.example:8443 https://app.example");
    let other = Browser::new().open(&app, &Authorize::of("other").url(&app)).await;
    assert_eq!(directive(&other, "img-src"), "'self' https://cdn.example:8443");
}

#[tokio::test]
async fn the_page_that_signs_people_out_of_apps_keeps_its_frames_and_the_logo() {
    let app =
        TestApp::with(&format!("{LOOKS}\n[clients.app]\nfrontchannel_logout_uri = \"https://app.example/out\"\n"))
            .await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let target = format!("/oauth2/logout?id_token_hint={}", tokens.id());
    let page = browser.open(&app, &target).await;
    assert_eq!(page.status, 200, "{page}");
    assert_eq!(directive(&page, "frame-src"), "https://app.example");
    assert_eq!(directive(&page, "img-src"), "'self' https://cdn.example:8443");
}

#[tokio::test]
async fn the_colour_is_in_a_stylesheet_of_its_own_address_and_in_no_page() {
    let app = TestApp::with(LOOKS).await;
    let page = app.get("/").await;
    assert!(!page.text().contains("6a1b9a") && !page.text().contains("<style") && !page.text().contains(" style="));
    let css = app.get(&stylesheet(&page)).await;
    assert_eq!((css.status.as_u16(), css.header("content-type")), (200, "text/css; charset=utf-8"));
    assert_eq!(css.header("cache-control"), "public, max-age=86400");
    assert!(css.text().contains("--accent: #6a1b9a; ") && css.text().contains("--on-accent: #ffffff;"));
    let plain = TestApp::base().await.get("/").await;
    assert_ne!(stylesheet(&plain), stylesheet(&page));
    let stale = app.get(&stylesheet(&plain)).await;
    assert_eq!(stale.header("cache-control"), "public, max-age=0", "not kept under an address that is not its own");
}

#[tokio::test]
async fn texts_count_in_their_language_and_are_escaped() {
    let app = TestApp::with(LOOKS).await;
    let mut browser = Browser::new();
    let german = browser.send(&app, http::Method::GET, "/", None, &[("accept-language", "de")]).await.text();
    assert!(german.contains("<h1>Anmeldung bei Nordwind</h1>"), "{german}");
    assert!(german.contains(">Nordwind &lt;AG&gt; &amp; Co</span>"), "{german}");
    assert!(app.get("/").await.text().contains("<h1>Sign-in service</h1>"));
}

#[tokio::test]
async fn a_reload_changes_the_looks_at_once() {
    let app = TestApp::base().await;
    let before = stylesheet(&app.get("/").await);
    app.reload(BASE, &[LOOKS]).await;
    let page = app.get("/").await;
    assert!(page.text().contains("cdn.example"));
    assert_ne!(stylesheet(&page), before);
    app.reload(BASE, &[]).await;
    let page = app.get("/").await;
    assert!(!page.text().contains("cdn.example"));
    assert_eq!(stylesheet(&page), before);
}

/// The problems that `check` reports: `file:line: message [suggestion]`.
fn problems(ui: &str, templates: &[(&str, &str)]) -> Vec<String> {
    let main = format!("{BASE}\n{ui}");
    let named: Vec<(String, &str)> = templates.iter().map(|(name, text)| (format!("looks/{name}"), *text)).collect();
    let files = named.iter().map(|(name, text)| (name.as_str(), *text)).chain([("broker.toml", main.as_str())]);
    let inputs = Inputs { main: PathBuf::from("broker.toml"), ..Inputs::default() };
    let prepared =
        prepare(&inputs, &Memory::of(files), Options { number: 1, without_secrets: false, now: START }).unwrap();
    assert_eq!(prepared.snapshot.is_none(), prepared.problems.has_errors());
    let first = BASE.lines().count() + 1;
    prepared
        .problems
        .iter()
        // The base configuration contains secrets, each of which causes a warning.
        .filter(|p| p.file != "broker.toml" || p.path.starts_with("ui"))
        .map(|p| {
            let line = if p.file == "broker.toml" { p.line - first } else { p.line };
            format!("{}:{line}: {} [{}]", p.file, p.message, p.suggestion.clone().unwrap_or_default())
        })
        .collect()
}

#[test]
fn check_says_all_at_once_what_is_wrong_and_where() {
    let found = problems(
        "[ui]\nlogo_uri = \"http://cdn.example/x\"\ncolor = \"green\"\ntemplates = \"looks\"\n[ui.texts.en]\n\"sign_in.titel\" = \"x\"\n[ui.texts.dee]\n",
        &[
            ("home.html", "{% extends \"base.html\" %}\n{% block main %}{{ issuer }\n{% endblock %}"),
            ("sign-in.html", ""),
        ],
    );
    let expected = [
        "broker.toml:2: `logo_uri` must be an https URL",
        "broker.toml:3: `color` must be a colour such as \"#0c5f50\" but is \"green\"",
        "broker.toml:6: there is no text \"sign_in.titel\" [did you mean `sign_in.title`?]",
        "broker.toml:7: there are no pages in \"dee\" [did you mean `de`?]",
        "looks/home.html:2: the template does not compile: syntax error",
        "looks/sign-in.html:1: no page has a template \"sign-in.html\" [did you mean `sign_in.html`?]",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (line, expected) in found.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\n{expected}");
    }
}

#[test]
fn a_text_of_one_language_may_have_the_places_that_the_text_for_all_leaves_out() {
    let texts = "[ui.texts.\"*\"]\n\"sign_in.title\" = \"Welcome\"\n[ui.texts.de]\n\"sign_in.title\" = \"Bei {client} anmelden\"\n";
    assert_eq!(problems(texts, &[]), [""; 0]);
    let foreign = problems(&texts.replace("{client}", "{user}"), &[]);
    assert!(matches!(foreign.as_slice(), [only] if only.contains("it has {client}")), "{foreign:#?}");
}

#[test]
fn a_folder_without_templates_is_a_mistake() {
    let found = problems("[ui]\ntemplates = \"look\"\n", &[("home.html", "x")]);
    assert!(
        matches!(found.as_slice(), [only] if only.starts_with("broker.toml:2: `templates`: the folder look must hold")),
        "{found:#?}"
    );
    assert!(problems("[ui]\n", &[]).is_empty());
}

#[test]
fn what_a_template_shows_wrong_is_found_by_check() {
    let home = "{% extends \"base.html\" %}{% block main %}\n<h1>{{ t(\"home.title\") }}</h1>\n{{ issuer|safe }}{% endblock %}";
    let found = problems("[ui]\ntemplates = \"looks\"\n", &[("home.html", home)]);
    assert!(
        matches!(found.as_slice(), [only] if only.starts_with("looks/home.html:1: home.html shows a value without escaping")),
        "{found:#?}"
    );
    let found = problems("[ui]\ntemplates = \"looks\"\n", &[("home.html", &home.replace("issuer|safe", "isuer"))]);
    assert!(
        matches!(found.as_slice(), [only] if only == "looks/home.html:3: the page has no value `isuer` [did you mean `issuer`?]"),
        "{found:#?}"
    );
}

/// A broker with a folder of templates, all on disk.
async fn on_disk() -> (TestApp, countersign::snapshot::reload::Reloader, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    let looks = folder.path().join("looks");
    std::fs::create_dir(&looks).unwrap();
    std::fs::write(&file, format!("{BASE}\n[ui]\ntemplates = \"looks\"\n")).unwrap();
    write(&looks, "home.html", "One");
    let app = TestApp::base().await;
    let mut reloader = app.broker.reloader(&file);
    // The broker started without these files. Any change makes it read them.
    write(&looks, "home.html", "Two");
    assert!(matches!(reloader.reload().await, Reloaded::Applied(_)));
    (app, reloader, looks, folder)
}

/// A page with this content and the hash of nothing else.
fn write(folder: &Path, name: &str, words: &str) {
    let text =
        format!("{{% extends \"base.html\" %}}{{% block main %}}<h1>{words}</h1>{{{{ issuer }}}}{{% endblock %}}");
    std::fs::write(folder.join(name), text).unwrap();
}

#[tokio::test]
async fn templates_are_reloaded_by_content_and_a_bad_one_leaves_the_old_page() {
    let (app, mut reloader, looks, _folder) = on_disk().await;
    assert!(app.get("/").await.text().contains("<h1>Two</h1>"));
    assert_eq!(reloader.reload().await, Reloaded::Unchanged);
    write(&looks, "home.html", "Three");
    assert!(matches!(reloader.reload().await, Reloaded::Applied(_)));
    assert!(app.get("/").await.text().contains("<h1>Three</h1>"));

    std::fs::write(looks.join("home.html"), "{{ nothing }}").unwrap();
    let Reloaded::Refused(said) = reloader.reload().await else { panic!("accepted") };
    assert!(said.contains("looks/home.html:1") && said.contains("the page has no value `nothing`"), "{said}");
    assert!(app.broker.reload_failed() && app.get("/").await.text().contains("<h1>Three</h1>"));

    write(&looks, "home.html", "Three");
    assert_eq!(reloader.reload().await, Reloaded::Unchanged);
    assert!(!app.broker.reload_failed());
    write(&looks, "error.html", "Added");
    assert!(matches!(reloader.reload().await, Reloaded::Refused(_)), "error.html has no issuer");
    std::fs::write(
        looks.join("error.html"),
        "{% extends \"base.html\" %}{% block main %}<h1>Added</h1>{{ reason_code }}{% endblock %}",
    )
    .unwrap();
    assert!(matches!(reloader.reload().await, Reloaded::Applied(_)), "a file more");
    assert!(app.get("/none").await.text().contains("<h1>Added</h1>"));
    std::fs::remove_file(looks.join("error.html")).unwrap();
    assert!(matches!(reloader.reload().await, Reloaded::Applied(_)), "a file less");
    app.get("/none").await.assert_error_page(404, "not_found");
}

#[tokio::test]
async fn the_folder_and_its_files_are_watched() {
    let (_app, _reloader, looks, folder) = on_disk().await;
    let inputs = Inputs { main: folder.path().join("broker.toml"), ..Inputs::default() };
    let Prepared { involved, fingerprint, .. } =
        prepare(&inputs, &Disk, Options { number: 1, without_secrets: false, now: START }).unwrap();
    assert!(involved.folders.contains(&looks), "{involved:?}");
    assert!(involved.files.contains(&looks.join("home.html")), "{involved:?}");
    assert!(fingerprint.contains_key(&looks.join("home.html")));
}

#[tokio::test]
async fn d19_names_stay_inert_in_a_replaced_template() {
    let folder = tempfile::tempdir().unwrap();
    let looks = folder.path().join("looks");
    std::fs::create_dir(&looks).unwrap();
    let page = "{% extends \"base.html\" %}{% import \"_parts.html\" as parts %}{% block main %}<h1 title=\"{{ client_name }}\">{{ client_name }}</h1>\n\
                <form method=\"post\" action=\"{{ form.action }}\">{{ parts.hidden(form) }}{% for provider in providers %}\
                <button name=\"provider\" value=\"{{ provider.action_value }}\">{{ provider.name }}</button>{% endfor %}\
                {% if show_email_field %}<input name=\"email\" value=\"{{ login_hint or \"\" }}\">{% endif %}</form>{% endblock %}";
    std::fs::write(looks.join("sign_in.html"), page).unwrap();
    let file = folder.path().join("broker.toml");
    let hostile = r#"<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7*7 }} {% raw %}"#;
    let main = BASE.replace("The App", hostile).replace("Staff accounts", hostile);
    std::fs::write(&file, format!("{main}{WITH_PARTNER}\n[ui]\ntemplates = \"looks\"\n")).unwrap();
    let app = TestApp::base().await;
    let mut reloader = app.broker.reloader(&file);
    std::fs::write(looks.join("sign_in.html"), format!("{page}\n")).unwrap();
    let reloaded = reloader.reload().await;
    assert!(matches!(reloaded, Reloaded::Applied(_)), "{reloaded:?}");
    let shown = Browser::new().open(&app, &Authorize::of("app").url(&app)).await;
    // Apart from the form's token, which is random.
    let token = crate::harness::Form::all(&shown.text()).remove(0).field("csrf").unwrap().to_owned();
    let html = shown.text().replace(&token, "");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;") && html.contains("{{ 7*7 }}"), "{html}");
    assert!(!html.contains("<script") && !html.contains("<img src=x") && !html.contains("49"), "{html}");
    // The page also works.
    let mut browser = Browser::new();
    let page = browser.open(&app, &Authorize::of("app").url(&app)).await;
    let leaving = browser.submit(&app, &page, &[("provider", "staff")]).await;
    assert!(leaving.location().starts_with("https://idp.example/"), "{leaving}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_has_the_looks_of_two_generations() {
    let looks = |name: &str, color: &str| {
        format!(
            "[ui]\nlogo_uri = \"https://{name}.example/logo.svg\"\ncolor = \"{color}\"\n[ui.texts.\"*\"]\n\"brand.name\" = \"{name}\"\n"
        )
    };
    let (one, two) = (looks("one", "#113355"), looks("two", "#551133"));
    let app = Arc::new(TestApp::with(&one).await);
    let sheets = {
        let first = stylesheet(&app.get("/").await);
        app.reload(BASE, &[&two]).await;
        [("one", first), ("two", stylesheet(&app.get("/").await))]
    };
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let (app, sheets) = (Arc::clone(&app), sheets.clone());
        tasks.spawn(async move {
            for _ in 0..50 {
                let page = app.get("/").await;
                let name = if page.text().contains("one.example") { "one" } else { "two" };
                assert_eq!(directive(&page, "img-src"), format!("'self' https://{name}.example"));
                assert!(page.text().contains(&format!("alt=\"{name}\"")));
                assert!(sheets.contains(&(name, stylesheet(&page))));
                tokio::task::yield_now().await;
            }
        });
    }
    for looks in [&one, &two, &one, &two] {
        app.reload(BASE, &[looks]).await;
    }
    tasks.join_all().await;
}
