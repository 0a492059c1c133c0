//! Layers: includes, overlays, environment, and where each value came from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;

use crate::config::diagnostics::locate::Origin;
use crate::config::load::files::Memory;
use crate::config::load::secrets::{read_secrets, read_tables};
use crate::config::load::*;

fn read(files: &[(&str, &str)], overlays: &[&str], environment: &[(&str, &str)]) -> Loaded {
    let inputs = Inputs {
        main: PathBuf::from(files.first().unwrap().0),
        overlays: overlays.iter().map(PathBuf::from).collect(),
        environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    load(&inputs, &Memory::of(files.iter().copied())).unwrap()
}

fn shown(loaded: &Loaded) -> Vec<String> {
    loaded.problems.iter().map(ToString::to_string).collect()
}

fn assert_shown(loaded: &Loaded, expected: &[&str]) {
    let shown = shown(loaded);
    let fits = shown.len() == expected.len() && shown.iter().zip(expected).all(|(line, part)| line.contains(part));
    assert!(fits, "{shown:#?}\nexpected {expected:#?}");
}

const MAIN: &str = "issuer = \"https://x.example\"\n";

#[test]
fn includes_append_tables_and_resolve_paths_against_their_own_folder() {
    let main = "issuer = \"https://x.example\"\ninclude = [\"platform/*.toml\", { path = \"teams/**/*.toml\", only = [\"clients\", \"tests\", \"role_rules\"] }]\n[[role_rules]]\nroles = [\"main\"]\n[roles.main]\n";
    let loaded = read(
        &[
            ("etc/broker.toml", main),
            ("etc/platform/b.toml", "[[role_rules]]\nroles = [\"b\"]\n[roles.b]\n"),
            ("etc/platform/a.toml", "[[role_rules]]\nroles = [\"a\"]\n[roles.a]\n[policy]\nignore_case = [\"groups\"]"),
            (
                "etc/teams/red/x.toml",
                "[clients.red]\nclient_secret = { file = \"red.secret\" }\nredirect_uris = []\n[[role_rules]]\nroles = [\"a\"]",
            ),
            ("etc/teams/blue/x.toml", "[clients.blue]\nclient_secret = { file = \"/run/blue\" }"),
            ("etc/teams/..data/x.toml", "[clients.ghost]"),
        ],
        &[],
        &[],
    );
    assert_shown(&loaded, &[]);
    let config = loaded.config.unwrap();
    let order: Vec<_> = config.role_rules.iter().flat_map(|rule| rule.roles.clone()).collect();
    assert_eq!(order, ["main", "a", "b", "a"]);
    assert_eq!(config.clients.keys().collect::<Vec<_>>(), ["blue", "red"]);
    let secret = |id: &str| format!("{:?}", config.clients.get(id).unwrap().client_secret);
    assert!(secret("red").contains("\"etc/teams/red/red.secret\""), "{}", secret("red"));
    assert!(secret("blue").contains("\"/run/blue\""));
    assert_eq!(config.store.url.expose(), "sqlite:etc/state/broker.db");
    assert!(loaded.involved.files.contains(Path::new("etc/teams/red/red.secret")));
    assert!(loaded.involved.files.contains(Path::new("etc/platform/a.toml")));
    assert_eq!(loaded.involved.folders, [PathBuf::from("etc/platform"), PathBuf::from("etc/teams")].into());
    let origin = loaded.layers.origin("role_rules[2].roles[0]");
    assert_eq!(origin, Origin::File { file: "etc/platform/b.toml".to_owned(), line: 2, column: 10 });
}

#[test]
fn an_entry_lives_in_one_file() {
    let loaded = read(
        &[
            (
                "broker.toml",
                "issuer = \"https://x.example\"\ninclude = [\"t/*.toml\"]\n[policy]\ndefault_roles = []\n[tokens]\nid_token = \"1h\"",
            ),
            ("t/a.toml", "[clients.app]\nclient_id = \"a\"\n[tokens]\naccess_token = \"1h\""),
            (
                "t/b.toml",
                "issuer = \"https://y.example\"\n[clients.app]\npkce = \"auto\"\n[policy]\ndefault_roles = [\"x\"]",
            ),
        ],
        &[],
        &[],
    );
    assert_shown(
        &loaded,
        &[
            "t/b.toml:1:1: error: `issuer` is set in broker.toml:1 and again here",
            "t/b.toml:2:10: error: `clients.app` is set in t/a.toml:1 and again here",
            "t/b.toml:5:1: error: `policy.default_roles` is set in broker.toml:4 and again here",
        ],
    );
}

#[test]
fn includes_that_can_not_be_followed() {
    for (files, expected) in [
        (
            &[("broker.toml", "issuer = \"https://x.example\"\ninclude = [\"none/*.toml\"]")][..],
            &["broker.toml:2:12: warning: \"none/*.toml\" matches no file"][..],
        ),
        (
            &[("broker.toml", "issuer = \"https://x.example\"\ninclude = [\"gone.toml\"]")],
            &["broker.toml:2:12: error: gone.toml can't be read"],
        ),
        (
            &[("broker.toml", "issuer = \"https://x.example\"\ninclude = [\"a[.toml\"]")],
            &["broker.toml:2:12: error: \"a[.toml\" must be a file pattern but is malformed"],
        ),
        (
            &[
                ("broker.toml", "issuer = \"https://x.example\"\ninclude = [\"a.toml\"]"),
                ("a.toml", "include = [\"./sub/../broker.toml\"]"),
            ],
            &["a.toml:1:12: error: ./sub/../broker.toml includes itself"],
        ),
        (
            &[("broker.toml", "issuer = \"https://x.example\"\ninclude = [\"*.toml\"]")],
            &["broker.toml:2:12: error: broker.toml includes itself"],
        ),
        (
            &[("broker.toml", "issuer = \"https://x.example\"\ninclude = [\"a.toml\", \"?.toml\"]"), ("a.toml", "")],
            &["broker.toml:2:22: error: a.toml is included twice: at broker.toml:2 and here"],
        ),
        (
            &[
                (
                    "broker.toml",
                    "issuer = \"https://x.example\"\ninclude = [{ path = \"a.toml\", only = [\"clients\", \"testes\"] }]",
                ),
                ("a.toml", "include = [\"b.toml\"]\n[roles.x]\n[clients.y]"),
                ("b.toml", "[roles.z]"),
            ],
            &[
                "broker.toml:2:12: error: `only` must name sections but names \"testes\"",
                "a.toml:1:1: error: `include` must not be set here: broker.toml:2 allows only",
                "a.toml:2:2: error: `roles` must not be set here",
                "b.toml:1:2: error: `roles` must not be set here",
            ],
        ),
        (
            &[("broker.toml", "issuer = \"https://x.example\"\ninclude = \"a.toml\"")],
            &["broker.toml:2:11: error: `include` must be an array"],
        ),
        (
            &[("broker.toml", "issuer = \"https://x.example\"\ninclude = [{ path = \"a.toml\" }]")],
            &["broker.toml:2:12: error: `only` must be set in `include[0]`"],
        ),
    ] {
        assert_shown(&read(files, &[], &[]), expected);
    }
}

#[test]
fn overlays_replace_keys_and_whole_arrays() {
    let main = "issuer = \"https://x.example\"\n[server]\nlisten = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\nshutdown_grace = \"5s\"\n[clients.app]\nclient_id = \"a\"\n";
    let files = &[
        ("broker.toml", main),
        (
            "env/one.toml",
            "issuer = \"https://one.example\"\n[server]\nlisten = [\"127.0.0.1:3\"]\ntls = { cert = \"c\", key = \"k\" }",
        ),
        ("env/two.toml", "issuer = \"https://two.example\"\n[clients.app]\nenabled = false"),
    ];
    let loaded = read(files, &["env/one.toml", "env/two.toml"], &[]);
    assert_shown(&loaded, &[]);
    let config = loaded.config.as_ref().unwrap();
    assert_eq!(config.issuer, "https://two.example");
    assert_eq!(config.server.listen, ["127.0.0.1:3"]);
    assert_eq!(config.server.shutdown_grace.as_secs(), 5);
    assert_eq!(config.server.tls.as_ref().unwrap().cert, Path::new("env/c"));
    let app = config.clients.get("app").unwrap();
    assert_eq!((app.client_id.as_deref(), app.enabled), (Some("a"), Some(false)));
    for (path, origin) in [
        ("issuer", "env/two.toml:1:10"),
        ("server.listen[0]", "env/one.toml:3:11"),
        ("server.listen[1]", "default"),
        ("server.shutdown_grace", "broker.toml:4:18"),
        ("clients.app", "broker.toml:5:1"),
        ("clients.app.enabled", "env/two.toml:3:11"),
        ("clients.app.pkce", "default"),
    ] {
        assert_eq!(loaded.layers.origin(path).to_string(), origin, "{path}");
    }
    let with_include = read(&[("b.toml", MAIN), ("o.toml", "include = [\"x.toml\"]")], &["o.toml"], &[]);
    assert_shown(&with_include, &["o.toml:1:1: error: `include` must be in the main file"]);
}

#[test]
fn the_environment_sets_values_in_toml_syntax() {
    let main = "issuer = \"https://x.example\"\n[clients.orders-api]\ngrant_types = []\n[policy]\ndefault_roles = []\n";
    let environment = [
        ("COUNTERSIGN__ISSUER", "https://env.example"),
        ("COUNTERSIGN__SERVER__LISTEN", "[\"127.0.0.1:9\"]"),
        ("COUNTERSIGN__CLIENTS__ORDERS_API__CLIENT_SECRET", "{ file = \"rel\" }"),
        ("COUNTERSIGN__CLIENTS__ORDERS_API__ENABLED", "false"),
        ("COUNTERSIGN__ADMIN__LISTEN", "\"127.0.0.1:8\""),
        ("COUNTERSIGN_CONFIG", "elsewhere.toml"),
        ("PATH", "/bin"),
    ];
    let loaded = read(&[("broker.toml", main)], &[], &environment);
    assert_shown(&loaded, &[]);
    let config = loaded.config.as_ref().unwrap();
    assert_eq!(config.issuer, "https://env.example");
    assert_eq!(config.server.listen, ["127.0.0.1:9"]);
    assert_eq!(config.admin.listen, "127.0.0.1:8");
    let client = config.clients.get("orders-api").unwrap();
    assert_eq!(client.enabled, Some(false));
    assert!(format!("{:?}", client.client_secret).contains("\"rel\""));
    assert_eq!(loaded.layers.origin("issuer"), Origin::Environment("COUNTERSIGN__ISSUER".to_owned()));

    let wrong = [
        ("COUNTERSIGN__CLIENTS__ORDERS_API__CLIENT_ID", "12"),
        ("COUNTERSIGN__CLIENTS__ORDERS_API__PKCE", "[\"required\""),
        ("COUNTERSIGN__SERVR__LISTEN", "x"),
        ("COUNTERSIGN__SERVER__", "x"),
        ("COUNTERSIGN__SESSION", "{}"),
        ("COUNTERSIGN__SESSION__MAX_INACTIVE", "1h"),
    ];
    assert_shown(
        &read(&[("broker.toml", main)], &[], &wrong),
        &[
            "$COUNTERSIGN__CLIENTS__ORDERS_API__CLIENT_ID:1:1: error: `client_id` must be a string but is the integer 12",
            "$COUNTERSIGN__CLIENTS__ORDERS_API__PKCE:1:1: error: the value must be TOML",
            "$COUNTERSIGN__SERVER__:1:1: error: `COUNTERSIGN__SERVER__` must name a setting",
            "$COUNTERSIGN__SERVR__LISTEN:1:1: error: unknown key `servr`",
        ],
    );
}

#[test]
fn a_main_file_that_can_not_be_read_is_no_problem_list() {
    let inputs = Inputs { main: PathBuf::from("gone.toml"), ..Inputs::default() };
    assert!(load(&inputs, &Memory::default()).unwrap_err().to_string().starts_with("gone.toml can't be read"));
    let mut files = Memory::of([("b.toml", "")]);
    files.0.insert(PathBuf::from("b.toml"), vec![0xff, 0xfe]);
    let inputs = Inputs { main: PathBuf::from("b.toml"), ..Inputs::default() };
    assert!(load(&inputs, &files).unwrap_err().to_string().contains("UTF-8"));
    assert_shown(&read(&[("b.toml", "")], &[], &[]), &["b.toml:1:1: error: `issuer` must be set in the file"]);
}

#[test]
fn a_byte_order_mark_and_windows_newlines_do_not_move_columns() {
    let loaded = read(&[("b.toml", "\u{feff}issuer = 1\r\nclients = \"é\" # x\r\nserver = 2")], &[], &[]);
    assert_shown(&loaded, &["b.toml:1:10:", "b.toml:2:11:", "b.toml:3:10:"]);
}

#[test]
fn secrets_and_tables_are_read_where_they_are_named() {
    let main = r#"issuer = "https://x.example"
[admin]
token = { env = "TOKEN" }
[providers.idp]
issuer = "https://idp.example"
client_id = "c"
client_secret = [{ file = "new" }, { file = "old" }]
[clients.a]
client_secret = { file = "empty" }
[clients.b]
client_secret = { env = "UNSET" }
[clients.c]
client_secret = { file = "gone" }
[tables.good]
file = "good.json"
[tables.bad]
file = "bad.json"
"#;
    let files = [
        ("broker.toml", main),
        ("new", "n\n\n"),
        ("old", "o\r\n"),
        ("empty", "\n"),
        ("good.json", r#"{"a": "b"}"#),
        ("bad.json", r#"{"a": 1}"#),
    ];
    let loaded = read(&files, &[], &[]);
    let environment = BTreeMap::from([("TOKEN".to_owned(), "t".to_owned())]);
    let (secrets, problems) = read_secrets(&loaded, &environment, &Memory::of(files));
    let values = |path: &str| secrets.get(path).iter().map(|value| value.expose().to_owned()).collect::<Vec<_>>();
    assert_eq!(values("providers.idp.client_secret"), ["n", "o"]);
    assert_eq!(values("admin.token"), ["t"]);
    assert!(format!("{secrets:?}").contains("[***, ***]"), "{secrets:?}");
    let lines: Vec<_> = problems.iter().map(|p| (p.line, p.column, p.message.as_str())).collect();
    assert_eq!(
        lines,
        [
            (9, 17, "`client_secret`: the secret file empty must not be empty"),
            (11, 17, "`client_secret`: the environment variable UNSET must be set but is not"),
            (13, 17, "`client_secret`: the file gone can't be read: entity not found"),
        ]
    );
    let (tables, problems) = read_tables(&loaded, &Memory::of(files));
    assert_eq!(tables.get("good").unwrap().get("a").unwrap(), "b");
    let lines: Vec<_> = problems.iter().map(|p| (p.line, p.message.as_str())).collect();
    assert!(matches!(lines.as_slice(), [(17, message)] if message.contains("one JSON object of strings")), "{lines:?}");
}

#[test]
fn d40_a_secret_where_an_id_belongs_is_not_shown() {
    let main = r#"issuer = "https://sso.example.com"
[providers]
client_secret = "CANARY-1"
[clients]
client_secret = ["CANARY-2", "CANARY-3"]
[users]
password = 12345678
[roles.secret-keepers]
[roles.token]
"#;
    let environment = [("COUNTERSIGN__CLIENTS__TOKEN", "CANARY-4")];
    let loaded = read(&[("broker.toml", main)], &[], &environment);
    let told = loaded.problems.render(&loaded.layers, false);
    assert!(!told.contains("CANARY") && !told.contains("12345678"), "{told}");
    for path in ["providers.client_secret", "clients.client_secret", "users.password"] {
        assert!(told.contains(&format!("= setting: {path}\n")), "{path}\n{told}");
    }
    assert!(!told.contains("roles."), "{told}");
}

#[test]
fn d40_a_secret_of_the_wrong_shape_or_below_the_wrong_header_is_not_shown() {
    let issuer = "issuer = \"https://sso.example.com\"\n";
    let provider = "[providers.corp]\nissuer = \"https://idp.example\"\nclient_id = \"c\"\nallow = \"true\"\n";
    for (first, rest) in [
        ("", "[store]\nencryption_keys = \"CANARY\""),
        ("", "[store]\nencryption_keys = { value = \"CANARY\" }"),
        ("", "[store]\nencryption_key = \"CANARY\""),
        ("encryption_keys = [\"CANARY\"]", ""),
        ("", "[server]\nencryption_keys = [\"CANARY\"]"),
        ("", "[telemetry]\nheaders = \"CANARY\""),
        ("", "[providers.corp.claims]\nclient_secret = \"CANARY\""),
        ("", "[providers.corp.claims]\nclient_secret = [\"CANARY\"]"),
        ("", "[providers.client_secret]\nvalue = \"CANARY\""),
        ("", "[users]\npassword = { value = \"CANARY\" }"),
        ("", "[clients.app]\nclient_secret = { file = [\"CANARY\"] }"),
        ("", "[clients.app]\nclient_secret = { env = { name = \"CANARY\" } }"),
        ("", "[providers.other]\napi_key = \"CANARY\""),
        ("", "[providers.other]\napi-key = [{ value = \"CANARY\" }]"),
    ] {
        let text = format!("{issuer}{first}\n{provider}{rest}\n");
        let loaded = read(&[("broker.toml", &text)], &[], &[]);
        let told = loaded.problems.render(&loaded.layers, false);
        assert!(told.contains("***"), "{first}{rest}\n{told}");
        let origins = format!("{:?}", loaded.origins());
        for shown in [told, loaded.problems.json(), origins] {
            assert!(!shown.contains("CANARY"), "{first}{rest}\n{shown}");
        }
    }
    let files = [("broker.toml", issuer), ("o.toml", "[store]\nencryption_keys = \"CANARY\"")];
    for loaded in
        [read(&files, &["o.toml"], &[]), read(&files, &[], &[("COUNTERSIGN__STORE__ENCRYPTION_KEYS", "CANARY")])]
    {
        let told = format!("{}{}", loaded.problems.render(&loaded.layers, false), loaded.problems.json());
        assert!(told.contains("put it in brackets") && !told.contains("CANARY"), "{told}");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(\\PC|\\n|[\\[\\]{}=\".'#a-z_]|clients|providers|issuer = |\\[\\[tests\\]\\]){0,80}") {
        let loaded = read(&[("b.toml", &text)], &["b.toml"], &[("COUNTERSIGN__X", &text)]);
        let mut problems = crate::config::check::check(&loaded, &mut |_, _, _| Vec::new()).problems;
        problems.append(loaded.problems.clone());
        let _ = (problems.render(&loaded.layers, true), problems.json(), loaded.origins());
    }

    #[test]
    fn any_value_in_any_place_never_panics(
        section in "(clients|providers|users|tests|server|include|store|scopes|role_rules)",
        key in "(client_secret|redirect_uris|claims|links|listen|url|roles|path|expect|matches)",
        value in "(5|true|\"x\"|\\[\\]|\\[5\\]|\\{\\}|\\{ file = 1 \\}|\\[\\[\\{ a = 1 \\}\\]\\]|\"\\{x\\}\"|\"\\(\")",
    ) {
        for text in [
            format!("{section} = {value}\n"),
            format!("[{section}]\n{key} = {value}\n"),
            format!("[{section}.x]\n{key} = {value}\n"),
            format!("[[{section}]]\n{key} = {value}\n"),
        ] {
            let loaded = read(&[("b.toml", &text)], &[], &[]);
            let problems = crate::config::check::check(&loaded, &mut |_, _, _| Vec::new()).problems;
            prop_assert!(loaded.problems.has_errors() || problems.has_errors(), "no issuer, and yet no error: {}", text);
        }
    }
}

#[test]
fn a_variable_that_looks_like_a_setting_and_is_not_read_warns() {
    let warned = |name: &str, text: &str| {
        let loaded = read(&[("broker.toml", text)], &[], &[(name, "canary")]);
        let shown = loaded.problems.render(&loaded.layers, false);
        assert!(!shown.contains("canary"), "{shown}");
        loaded
            .problems
            .iter()
            .map(|p| format!("{}: {}", p.message, p.suggestion.clone().unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    for (name, meant) in [
        ("COUNTERSIGN_ISSUER", "COUNTERSIGN__ISSUER"),
        ("countersign__issuer", "COUNTERSIGN__ISSUER"),
        ("Countersign_Issuer", "COUNTERSIGN__ISSUER"),
        ("COUNTERSIGN_SERVER_LISTEN", "COUNTERSIGN__SERVER__LISTEN"),
        ("COUNTERSIGN_SERVER__LISTEN", "COUNTERSIGN__SERVER__LISTEN"),
        ("COUNTERSIGN_STORE_ENCRYPTION_KEYS", "COUNTERSIGN__STORE__ENCRYPTION_KEYS"),
        ("COUNTERSIGN_PROVIDERS_CORP_CLIENT_SECRET", "COUNTERSIGN__PROVIDERS__CORP__CLIENT_SECRET"),
        ("COUNTERSIGN_ADMIN_TOKEN", "COUNTERSIGN__ADMIN__TOKEN"),
        ("countersign_config", "COUNTERSIGN_CONFIG"),
    ] {
        let expected = format!("the environment variable {name} is not read: did you mean {meant}?");
        assert_eq!(warned(name, MAIN), [expected]);
    }
    for name in [
        "COUNTERSIGN_CONFIG",
        "COUNTERSIGN_SERVICE_HOST",
        "COUNTERSIGN_PORT_8080_TCP_ADDR",
        "COUNTERSIGN_ADMIN_SERVICE_PORT",
        "COUNTERSIGN_PORT",
        "COUNTERSIGN_VERSION",
        "COUNTERSIGN_",
        "COUNTERSIGNISSUER",
        "ISSUER",
    ] {
        assert_eq!(warned(name, MAIN), [""; 0], "{name}");
    }
    let asked = format!("{MAIN}[admin]\ntoken = {{ env = \"COUNTERSIGN_ADMIN_TOKEN\" }}\n");
    assert_eq!(warned("COUNTERSIGN_ADMIN_TOKEN", &asked), [""; 0], "a secret names it");
}
