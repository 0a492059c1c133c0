//! The pages of drafts with values as people meet them, to be looked at; and their size.

use crate::analysis::draft::presets::preset;
use crate::analysis::draft::{Input, Kind, Need};
use crate::config::language::provider::Preset;
use crate::pages::own::Shell;
use crate::pages::*;

/// The most bytes of a page with its stylesheet.
const LARGEST: usize = 40 * 1024;

fn shell() -> Shell {
    Shell {
        layout: "_console.html",
        section: "providers",
        user_name: "Alice Moreau".to_owned(),
        sign_out_path: "/sso/oauth2/logout".to_owned(),
        certificates: false,
        notice: None,
    }
}

fn form() -> PostForm {
    let fields = vec![Field::new("seen", "0123456789abcdef")];
    PostForm { action: "/sso/console/draft/provider?id=corp".to_owned(), csrf: "tok-csrf".to_owned(), fields }
}

fn value(key: &str) -> &'static str {
    match key {
        "name" => "Corporate account",
        "issuer" => "https://id.corp.example/realms/staff",
        "client_id" => "countersign",
        "client_secret" => "/run/secrets/corp",
        "scopes" => "openid\nprofile\nemail",
        "allow" => "claims.tenant == 'corp' && claims.email_verified",
        "claims" => "username = \"claims.preferred_username.before('@').lower()\"\ngroups = \"claims.groups\"",
        "enabled" | "create_users" | "logout" => "on",
        _ => "",
    }
}

fn draft_form(kind: Kind, preset: Preset) -> DraftForm {
    let has = |field: &&'static crate::analysis::draft::Field| field.only.has(preset);
    let field = |field: &'static crate::analysis::draft::Field| DraftField {
        key: field.key,
        input: field.input.name(),
        notes: String::new(),
        required: field.need == Need::Always,
        value: value(field.key).to_owned(),
        choices: if field.input == Input::Choice { kind.choices(field.key).to_vec() } else { Vec::new() },
        locked: (field.key == "redirect_path").then(|| "env/staging.toml:14".to_owned()),
        held: None,
        fault: (field.key == "issuer").then(|| DraftFault { code: "missing", detail: String::new() }),
    };
    let field = |one| DraftField::noted(field(one));
    let groups = kind.groups().iter();
    DraftForm {
        shell: shell(),
        kind: kind.name(),
        action: "edit",
        id: "corp".to_owned(),
        id_fault: None,
        file: "broker.toml".to_owned(),
        files: vec!["broker.toml".to_owned()],
        groups: groups
            .map(|group| DraftGroup { name: group.name, fields: group.fields.iter().filter(has).map(field).collect() })
            .collect(),
        others: vec!["forward".to_owned(), "reauth".to_owned()],
        presets: kind.choices("preset").to_vec(),
        preset: (kind == Kind::Provider).then(|| preset.name()),
        faulty: true,
        impossible: None,
        probe: Some(true),
        back: "/sso/console/providers".to_owned(),
        delete_path: Some("/sso/console/draft/provider?id=corp&delete=1".to_owned()),
        form: form(),
    }
}

fn draft_result() -> DraftResult {
    let line = |kind, text: &str| DraftLine { kind, text: text.to_owned() };
    let effect =
        |bad, key, about: &str| DraftEffect { bad, key, about: about.to_owned(), reason: None, place: String::new() };
    let shut_out =
        DraftEffect { reason: Some("not_allowed"), place: "broker.toml:9".to_owned(), ..effect(true, "shut_out", "") };
    let person = |name: &str, effects| DraftPerson { name: name.to_owned(), provider: "corp".to_owned(), effects };
    let step = |asked, outcome, url: Option<&str>, answer: &str| DraftStep {
        asked,
        outcome,
        url: url.map(str::to_owned),
        answer: answer.to_owned(),
    };
    DraftResult {
        shell: shell(),
        kind: "provider",
        action: "edit",
        id: "corp".to_owned(),
        file: "broker.toml".to_owned(),
        lines: vec![
            line("place", "@@ -5,7 +5,7 @@"),
            line("same", "[providers.corp]"),
            line("same", "issuer = \"https://id.corp.example/realms/staff\"   # the realm of the staff"),
            line("removed", "allow = \"claims.email_verified\""),
            line("added", "allow = \"claims.tenant == 'corp' && claims.email_verified && 'staff' in claims.groups\""),
            line("same", "client_secret = { file = \"/run/secrets/corp\" }"),
        ],
        toml: "[providers.corp]\nissuer = \"https://id.corp.example/realms/staff\"\nclient_id = \"countersign\"\n"
            .to_owned(),
        patch: Some("provider-corp.patch".to_owned()),
        stale: false,
        problems: vec![DraftProblem {
            error: false,
            known: true,
            place: "teams/red.toml:14:12".to_owned(),
            message: "`client_secret` is in the file: anybody who can read the file can use it".to_owned(),
            suggestion: Some("put it into a file of its own: client_secret = { file = \"...\" }".to_owned()),
        }],
        plan: Some(DraftPlan {
            known: 412,
            cut: false,
            people: vec![
                person("bob", vec![shut_out, effect(true, "locked_out", "")]),
                person("mei", vec![effect(true, "role_lost", "admin"), effect(false, "app_gained", "grafana")]),
            ],
            more: 3,
            notices: vec!["1 person loses their only way in: bob".to_owned()],
            restart: Vec::new(),
        }),
        probe: Some(DraftProbe {
            steps: vec![
                step(
                    "discovery",
                    "fine",
                    Some("https://id.corp.example/realms/staff/.well-known/openid-configuration"),
                    "issuer https://id.corp.example/realms/staff",
                ),
                step(
                    "keys",
                    "fine",
                    Some("https://id.corp.example/realms/staff/certs"),
                    "2 usable keys, for RS256, ES256",
                ),
                step("token", "skipped", None, "credentials are sent only as the running configuration sends them"),
            ],
            missing: vec!["scope groups: the provider's scopes_supported does not have it".to_owned()],
        }),
        form: form(),
        back: "/sso/console/providers".to_owned(),
    }
}

#[test]
fn pages_of_drafts_render_in_every_language_and_stay_small() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    std::fs::create_dir_all(&folder).unwrap();
    let pages = Pages::new("/sso").unwrap();
    let style = assets::asset("style.css").unwrap().1.len();
    for &lang in Lang::ALL {
        let render = |name: String, kind, preset| (name, pages.render(lang, &draft_form(kind, preset)).unwrap());
        let presets = Kind::Provider.choices("preset").iter();
        let providers = presets.map(|name| render(format!("draft-form-{name}"), Kind::Provider, preset(name)));
        let others = [Kind::Client, Kind::Role, Kind::User];
        let others = others.map(|kind| render(format!("draft-form-{}", kind.name()), kind, Preset::Generic));
        let result = ("draft-result".to_owned(), pages.render(lang, &draft_result()).unwrap());
        let rendered = providers.chain(others).chain([result]);
        for (name, html) in rendered {
            assert!(html.len() + style < LARGEST, "{name}: {} bytes", html.len());
            assert_eq!(html.matches("<h1").count(), 1, "{name}");
            let labels = html.matches("<label for=").count();
            let controls = ["<textarea", "<select", "<input id="].iter().map(|tag| html.matches(tag).count());
            assert_eq!(labels, controls.sum::<usize>(), "{name}: every control has a label");
            let html = html.replace("&#x2f;sso&#x2f;static&#x2f;", "static/").replace("/sso/static/", "static/");
            std::fs::write(folder.join(format!("{name}.{}.html", lang.tag())), html).unwrap();
        }
    }
}
