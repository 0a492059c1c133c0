//! Forms of providers: each preset has its own fields, and what the form asks for is what `check` wants.

use super::*;
use crate::config::language::provider::Preset;

/// A preset, what is typed into the form of a provider, and what is then written below its header.
type Typed = (&'static str, &'static [(&'static str, &'static str)], &'static str);

/// A second provider of each kind.
const FILLED: &[Typed] = &[
    (
        "",
        &[("issuer", "https://two.example"), ("client_secret", "/run/two"), ("asserted_roles", "[]")],
        "issuer = \"https://two.example\"\nclient_id = \"c\"\nclient_secret = { file = \"/run/two\" }\nasserted_roles = []\n",
    ),
    (
        "okta",
        &[
            ("issuer", "https://acme.okta.com"),
            ("client_key", "/run/okta.pem"),
            ("token_endpoint_auth_method", "private_key_jwt"),
            ("asserted_roles", "admin"),
        ],
        "preset = \"okta\"\nissuer = \"https://acme.okta.com\"\nclient_id = \"c\"\nclient_key = { file = \"/run/okta.pem\" }\n\
         token_endpoint_auth_method = \"private_key_jwt\"\nasserted_roles = [\"admin\"]\n",
    ),
    (
        "entra",
        &[
            ("issuer", "https://login.microsoftonline.com/organizations/v2.0"),
            ("tenants", "9f3c0000-0000-0000-0000-00000000000a"),
            ("client_secret", "/run/two"),
            ("asserted_roles", "[]"),
            ("groups_from.source", "graph"),
            ("groups_from.names", "on"),
        ],
        "preset = \"entra\"\nissuer = \"https://login.microsoftonline.com/organizations/v2.0\"\n\
         tenants = [\"9f3c0000-0000-0000-0000-00000000000a\"]\nclient_id = \"c\"\nclient_secret = { file = \"/run/two\" }\n\
         groups_from = { source = \"graph\", names = true }\nasserted_roles = []\n",
    ),
    (
        "google",
        &[
            ("hosted_domains", "corp.example"),
            ("client_secret", "/run/two"),
            ("groups_from.source", "cloud_identity"),
            ("groups_from.credentials", "/run/google.json"),
            ("groups_from.subject", "admin@corp.example"),
        ],
        "preset = \"google\"\nclient_id = \"c\"\nclient_secret = { file = \"/run/two\" }\nhosted_domains = [\"corp.example\"]\n\
         groups_from = { source = \"cloud_identity\", credentials = { file = \"/run/google.json\" }, \
         subject = \"admin@corp.example\" }\n",
    ),
    (
        "github",
        &[("organizations", "acme\nacme-labs"), ("client_secret", "/run/two")],
        "preset = \"github\"\nclient_id = \"c\"\nclient_secret = { file = \"/run/two\" }\norganizations = [\"acme\", \"acme-labs\"]\n",
    ),
    (
        "gitlab",
        &[
            ("base_url", "https://gitlab.corp.example"),
            ("client_secret", "/run/two"),
            ("groups_from.source", "gitlab"),
            ("groups_from.levels", "on"),
        ],
        "preset = \"gitlab\"\nbase_url = \"https://gitlab.corp.example\"\nclient_id = \"c\"\n\
         client_secret = { file = \"/run/two\" }\ngroups_from = { source = \"gitlab\", levels = true }\n",
    ),
    (
        "apple",
        &[("team_id", "ABCDE12345"), ("key_id", "FGHIJ67890"), ("client_key", "/run/apple.p8"), ("create_users", "")],
        "preset = \"apple\"\nclient_id = \"c\"\nteam_id = \"ABCDE12345\"\nkey_id = \"FGHIJ67890\"\n\
         client_key = { file = \"/run/apple.p8\" }\ncreate_users = false\n",
    ),
    (
        "linkedin",
        &[("client_secret", "/run/two"), ("create_users", "")],
        "preset = \"linkedin\"\nclient_id = \"c\"\nclient_secret = { file = \"/run/two\" }\ncreate_users = false\n",
    ),
    (
        "oauth2",
        &[
            ("authorization_endpoint", "https://two.example/authorize"),
            ("token_endpoint", "https://two.example/token"),
            ("userinfo_endpoint", "https://two.example/me"),
            ("subject", "string(claims.id)"),
            ("client_secret", "/run/two"),
            ("asserted_roles", "[]"),
        ],
        "preset = \"oauth2\"\nauthorization_endpoint = \"https://two.example/authorize\"\n\
         token_endpoint = \"https://two.example/token\"\nuserinfo_endpoint = \"https://two.example/me\"\n\
         subject = \"string(claims.id)\"\nclient_id = \"c\"\nclient_secret = { file = \"/run/two\" }\nasserted_roles = []\n",
    ),
];

#[test]
fn what_the_form_of_each_preset_asks_for_makes_an_entry_without_problems_or_warnings() {
    let main = MAIN.replace("\"email\"]\n", "\"email\"]\nasserted_roles = [\"admin\"]\n");
    for (preset, typed, block) in FILLED {
        let world = World::of(&[("etc/broker.toml", &main), ("etc/teams/red.toml", TEAM)], &[], &[]);
        let typed: Vec<(&str, &str)> = [("id", "two"), ("client_id", "c"), ("preset", preset), (SHOWN, preset)]
            .into_iter()
            .chain(typed.iter().copied())
            .collect();
        let draft = created(Kind::Provider, &typed);
        let form = Form::blank(&world.loaded().layers, Kind::Provider, &world.inputs.main);
        let chosen = form.preset(Some(preset));
        for (key, _) in typed.iter().filter(|(key, _)| !["id", SHOWN].contains(key)) {
            assert!(form.field(key).unwrap().is_shown(chosen), "{preset} has no field {key}");
        }
        let (changed, _, problems) = world.drafted(&draft);
        let (_, written) = changed.new.split_once("[providers.two]\n").unwrap();
        assert_eq!(written.split("\n[").next().unwrap().trim_end(), block.trim_end(), "{preset}");
        assert_eq!(problems, [""; 0], "{preset}");
        // Without what the preset needs, the fields say so.
        let needed: Vec<&str> =
            form.fields.iter().filter(|filled| form.needs(filled, chosen)).map(|filled| filled.field.key).collect();
        let posted = [("id", "two"), ("preset", preset), (SHOWN, preset), ("create_users", "on")];
        let Err(Refused::Faults(faults)) = world.change(&created(Kind::Provider, &posted)) else { unreachable!() };
        assert_eq!(faults.iter().map(|fault| fault.key.as_str()).collect::<Vec<_>>(), needed, "{preset}");
        assert!(faults.iter().all(|fault| fault.what == What::Missing) && needed.contains(&"client_id"), "{preset}");
    }
}

#[test]
fn every_preset_has_a_form_without_settings_that_have_no_effect() {
    let world = World::usual();
    let form = Form::blank(&world.loaded().layers, Kind::Provider, &world.inputs.main);
    let shown = |preset: &str, key: &str| form.field(key).unwrap().is_shown(form.preset(Some(preset)));
    for name in Kind::Provider.choices("preset") {
        assert_eq!(form.preset(Some(name)).name(), name);
        let alone = [
            ("tenants", "entra"),
            ("organizations", "github"),
            ("hosted_domains", "google"),
            ("team_id", "apple"),
            ("subject", "oauth2"),
        ];
        for (key, only) in alone {
            assert_eq!(shown(name, key), name == only, "{key} with {name}");
        }
        let openid = form.preset(Some(name)).is_openid();
        for key in ["issuer", "backchannel_url", "logout", "post_logout_redirect_uri"] {
            assert_eq!(shown(name, key), openid, "{key} with {name}");
        }
    }
    assert_eq!(form.preset(Some("nothing")), Preset::Generic);
}

#[test]
fn groups_from_is_changed_in_the_form_that_it_has() {
    let with = |lines: &str| {
        let main = MAIN.replace("scopes = [\"openid\", \"email\"]\n", lines);
        World::of(&[("etc/broker.toml", &main), ("etc/teams/red.toml", TEAM)], &[], &[])
    };
    let graph = "groups_from = \"graph\"\n";
    for (before, typed, after) in [
        (graph, &[("groups_from.names", "on")][..], "groups_from = { source = \"graph\", names = true }\n"),
        (graph, &[("groups_from.source", "userinfo")], "groups_from = \"userinfo\"\n"),
        (graph, &[("groups_from.source", "")], ""),
        ("", &[("groups_from.source", "graph")], graph),
        (
            "groups_from = { source = \"graph\", when = \"always\" }\n",
            &[("groups_from.names", "on")],
            "groups_from = { source = \"graph\", when = \"always\", names = true }\n",
        ),
        (
            "groups_from.source = \"graph\"\n",
            &[("groups_from.names", "on")],
            "groups_from.source = \"graph\"\ngroups_from.names = true\n",
        ),
    ] {
        let world = with(before);
        let form = Form::of(&world.loaded().layers, Kind::Provider, "corp").unwrap();
        let source = if before.is_empty() { "" } else { "graph" };
        assert_eq!(form.field("groups_from.source").unwrap().value, source);
        let typed: Vec<(&str, &str)> = typed.iter().copied().chain([("preset", "entra")]).collect();
        let (changed, _, _) = world.drafted(&posted(&world, Kind::Provider, "corp", &typed));
        let line = changed.new.lines().filter(|line| line.starts_with("groups_from"));
        assert_eq!(line.map(|line| format!("{line}\n")).collect::<String>(), after, "{before}");
    }
    let overlay = "[providers.corp]\ngroups_from = \"userinfo\"\n";
    let world = World::of(
        &[("etc/broker.toml", MAIN), ("etc/teams/red.toml", TEAM), ("env/x.toml", overlay)],
        &["env/x.toml"],
        &[],
    );
    let form = Form::of(&world.loaded().layers, Kind::Provider, "corp").unwrap();
    let source = form.field("groups_from.source").unwrap();
    assert_eq!(
        (source.value.as_str(), source.locked.as_ref().map(typed::place)),
        ("userinfo", Some("env/x.toml:2".into()))
    );
    let draft = posted(&world, Kind::Provider, "corp", &[("groups_from.names", "on")]);
    let Err(Refused::Faults(faults)) = world.change(&draft) else { unreachable!() };
    assert_eq!(faults, [Fault { key: "groups_from.names".into(), what: What::Locked("env/x.toml:2".into()) }]);
}

#[test]
fn a_box_that_the_form_did_not_have_was_not_left_unticked() {
    let world = World::usual();
    let mut draft = posted(&world, Kind::Provider, "corp", &[("preset", "github"), (SHOWN, "github")]);
    draft.posted.remove("logout");
    draft.posted.remove("issuer");
    let (changed, _, _) = world.drafted(&draft);
    assert!(!changed.new.contains("logout") && changed.new.contains("preset = \"github\""), "{}", changed.new);
    draft.posted.insert(SHOWN.to_owned(), "generic".to_owned());
    let (changed, _, _) = world.drafted(&draft);
    assert!(changed.new.contains("logout = false"), "{}", changed.new);
    // What the entry has stays on its form, whatever its preset.
    let form = Form::of(&world.loaded().layers, Kind::Provider, "corp").unwrap();
    assert!(form.field("issuer").unwrap().is_shown(Preset::Github));
}
