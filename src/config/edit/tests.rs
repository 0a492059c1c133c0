#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn path(dotted: &str) -> Vec<String> {
    dotted.split('.').map(str::to_owned).collect()
}

fn set(dotted: &str, value: Written) -> Edit {
    Edit::Set(path(dotted), value)
}

fn text(value: &str) -> Written {
    Written::Text(value.to_owned())
}

fn list(items: &[&str]) -> Written {
    Written::List(items.iter().map(ToString::to_string).collect())
}

fn add(section: &str, id: &str, settings: &[(&str, Written)]) -> Edit {
    let settings = settings.iter().map(|(dotted, value)| (path(dotted), value.clone())).collect();
    Edit::Add { section: section.to_owned(), id: id.to_owned(), settings }
}

fn delete(section: &str, id: &str) -> Edit {
    Edit::Delete { section: section.to_owned(), id: id.to_owned() }
}

fn rename(section: &str, from: &str, to: &str) -> Edit {
    Edit::Rename { section: section.to_owned(), from: from.to_owned(), to: to.to_owned() }
}

#[track_caller]
fn assert_edited(before: &str, edits: &[Edit], after: &str) {
    assert_eq!(apply(before, edits).unwrap(), after);
}

const FILE: &str = r#"#:schema schemas/broker.schema.json
issuer = "https://sso.example.com"   # public

# The staff directory.
[providers.corp]   # header
  issuer = "https://id.corp.example"
  client_id = 'countersign' # as registered
  scopes = [
    "openid",
    "email",   # for the name
    "profile"
  ]
  # allow = "true"

# Apps
[clients.grafana]
redirect_uris = ["https://grafana.example.com/cb"]

[clients.grafana.claims] # what it gets
role = "'x'"

[[tests]]
name = "t"
"#;

#[test]
fn a_setting_is_changed_where_it_stands() {
    let edits = [
        set("providers.corp.client_id", text("other")),
        set("clients.grafana.claims.role", text("'admin' in roles")),
        set("clients.grafana.redirect_uris", list(&["https://grafana.example.com/cb", "https://g.example/cb"])),
    ];
    let after = FILE
        .replace("'countersign'", "\"other\"")
        .replace("\"'x'\"", "\"'admin' in roles\"")
        .replace("com/cb\"]", "com/cb\", \"https://g.example/cb\"]");
    assert_edited(FILE, &edits, &after);
    let windows = FILE.replace('\n', "\r\n");
    assert_edited(&windows, &edits, &after.replace('\n', "\r\n"));
}

#[test]
fn a_new_setting_goes_below_those_of_its_table() {
    let after = FILE
        .replace("    \"profile\"\n  ]\n", "    \"profile\"\n  ]\n  hidden = true\n")
        .replace("com/cb\"]\n", "com/cb\"]\ntokens.id_token = \"5m\"\n")
        .replace("role = \"'x'\"\n", "role = \"'x'\"\n\"a b\" = 'x\\.\"y\"'\n");
    let edits = [
        set("providers.corp.hidden", Written::Flag(true)),
        set("clients.grafana.tokens.id_token", text("5m")),
        set("clients.grafana.claims.a b", text("x\\.\"y\"")),
    ];
    assert_edited(FILE, &edits, &after);
    let new_table = "  ]\n\n  [providers.corp.claims]\n  username = \"claims.upn\"\n  # allow";
    assert_edited(
        FILE,
        &[set("providers.corp.claims.username", text("claims.upn"))],
        &FILE.replace("  ]\n  # allow", new_table),
    );
}

#[test]
fn items_of_a_list_come_and_go_one_by_one() {
    let scopes = |wanted: &[&str], lines: &str| {
        let block = "    \"openid\",\n    \"email\",   # for the name\n    \"profile\"\n";
        assert_edited(FILE, &[set("providers.corp.scopes", list(wanted))], &FILE.replace(block, lines));
    };
    scopes(&["openid", "profile"], "    \"openid\",\n    \"profile\"\n");
    scopes(&["openid", "email"], "    \"openid\",\n    \"email\",   # for the name\n");
    scopes(
        &["openid", "email", "groups", "profile"],
        "    \"openid\",\n    \"email\",   # for the name\n    \"groups\",\n    \"profile\"\n",
    );
    scopes(
        &["openid", "email", "profile", "groups", "x"],
        "    \"openid\",\n    \"email\",   # for the name\n    \"profile\",\n    \"groups\",\n    \"x\",\n",
    );
    scopes(&["a", "email", "profile"], "    \"a\",\n    \"email\",   # for the name\n    \"profile\"\n");
    for (before, wanted, after) in [
        ("[\"a\", \"b\", \"c\"]", &["a", "c"][..], "[\"a\", \"c\"]"),
        ("[\"a\", \"b\", \"c\"]", &["a"], "[\"a\"]"),
        ("[ \"a\", \"b\", ]", &["b"], "[ \"b\", ]"),
        ("['a', \"b\"]", &["a", "x", "b", "y"], "['a', \"x\", \"b\", \"y\"]"),
        ("[]", &["a"], "[\"a\"]"),
        ("[\"a\"]", &[], "[]"),
        ("[\"a\", \"b\"]", &["b", "a"], "[\"b\", \"a\"]"),
        ("[1, 2]", &["a"], "[\"a\"]"),
        ("\"a\"", &["a", "b"], "[\"a\", \"b\"]"),
    ] {
        let file = |value: &str| format!("roles.r.permissions = {value} # why\n");
        assert_edited(&file(before), &[set("roles.r.permissions", list(wanted))], &file(after));
    }
}

#[test]
fn dotted_keys_and_inline_tables_keep_their_form() {
    for (before, edit, after) in [
        (
            "providers.corp.issuer = \"a\"\nsession.max_inactive = \"1h\"\n",
            set("providers.corp.hidden", Written::Flag(true)),
            "providers.corp.issuer = \"a\"\nproviders.corp.hidden = true\nsession.max_inactive = \"1h\"\n",
        ),
        (
            "[providers]\ncorp.issuer = \"a\"\nother.issuer = \"b\"",
            set("providers.corp.claims.x", text("y")),
            "[providers]\ncorp.issuer = \"a\"\ncorp.claims.x = \"y\"\nother.issuer = \"b\"",
        ),
        (
            "[providers]\nother.issuer = \"b\"",
            set("providers.other.client_id", text("c")),
            "[providers]\nother.issuer = \"b\"\nother.client_id = \"c\"\n",
        ),
        (
            "[providers]\ncorp = { issuer = \"a\" } # c\n",
            set("providers.corp.client_id", text("b")),
            "[providers]\ncorp = { issuer = \"a\", client_id = \"b\" } # c\n",
        ),
        ("roles = { a = {} }\n", set("roles.a.description", text("d")), "roles = { a = { description = \"d\" } }\n"),
        (
            "clients.a = { tokens = { id_token = \"1h\" }, pkce = \"auto\" }\n",
            Edit::Remove(path("clients.a.tokens.id_token")),
            "clients.a = { tokens = {}, pkce = \"auto\" }\n",
        ),
        (
            "clients.a = { tokens.id_token = \"1h\", pkce = \"auto\" }\n",
            Edit::Remove(path("clients.a.tokens")),
            "clients.a = { pkce = \"auto\" }\n",
        ),
        (
            "[clients.a.claims]\nx = \"y\"\n",
            set("clients.a.pkce", text("required")),
            "[clients.a]\npkce = \"required\"\n\n[clients.a.claims]\nx = \"y\"\n",
        ),
        (
            "providers = { a = { issuer = \"x\" } }\n",
            add("providers", "b", &[("issuer", text("y")), ("claims.g", text("z"))]),
            "providers = { a = { issuer = \"x\" }, b = { issuer = \"y\", claims.g = \"z\" } }\n",
        ),
    ] {
        assert_edited(before, &[edit], after);
    }
}

#[test]
fn a_setting_is_removed_with_its_line_and_an_empty_table_with_its_header() {
    let after = FILE.replace("  client_id = 'countersign' # as registered\n", "");
    assert_edited(FILE, &[Edit::Remove(path("providers.corp.client_id"))], &after);
    let after = FILE.replace("[clients.grafana.claims] # what it gets\nrole = \"'x'\"\n", "");
    assert_edited(FILE, &[Edit::Remove(path("clients.grafana.claims.role"))], &after);
    assert_edited(FILE, &[Edit::Remove(path("clients.grafana.claims"))], &after);
    assert_edited(FILE, &[Edit::Remove(path("clients.grafana.not_there"))], FILE);
    assert_edited(
        "[users.a]\nsub = \"s\"\n[[users.a.links]]\nprovider = \"p\"\n[[users.a.links]]\nprovider = \"q\"\n[roles.r]\n",
        &[set("users.a.links", Written::Toml("[{ provider = \"p\", sub = \"1\" }]".to_owned()))],
        "[users.a]\nsub = \"s\"\nlinks = [{ provider = \"p\", sub = \"1\" }]\n[roles.r]\n",
    );
}

#[test]
fn an_entry_is_added_after_the_last_of_its_section() {
    let settings =
        [("issuer", text("https://b.example")), ("client_id", text("c")), ("claims.groups", text("claims.g"))];
    let block = "[providers.b]\nissuer = \"https://b.example\"\nclient_id = \"c\"\n\n[providers.b.claims]\ngroups = \"claims.g\"\n";
    let after = FILE.replace("\n# Apps\n", &format!("\n{block}\n# Apps\n"));
    assert_edited(FILE, &[add("providers", "b", &settings)], &after);
    let after = format!("{FILE}\n[roles.\"a b.c\"]\n");
    assert_edited(FILE, &[add("roles", "a b.c", &[])], &after);
    assert_edited("", &[add("roles", "r", &[])], "[roles.r]\n");
    assert_edited("issuer = \"x\"", &[add("roles", "r", &[])], "issuer = \"x\"\n\n[roles.r]\n");
    // A header must not take over the settings of the root.
    assert_edited(
        "roles.a = {}\nissuer = \"x\"\n[tokens]\n",
        &[add("roles", "r", &[])],
        "roles.a = {}\nissuer = \"x\"\n\n[roles.r]\n\n[tokens]\n",
    );
}

#[test]
fn an_entry_is_deleted_with_its_comment_and_its_tables() {
    let after = FILE.replace(
        "# The staff directory.\n[providers.corp]   # header\n  issuer = \"https://id.corp.example\"\n  client_id = 'countersign' # as registered\n  scopes = [\n    \"openid\",\n    \"email\",   # for the name\n    \"profile\"\n  ]\n  # allow = \"true\"\n\n",
        "",
    );
    assert_edited(FILE, &[delete("providers", "corp")], &after);
    let after = FILE.replace(
        "# Apps\n[clients.grafana]\nredirect_uris = [\"https://grafana.example.com/cb\"]\n\n[clients.grafana.claims] # what it gets\nrole = \"'x'\"\n\n",
        "",
    );
    assert_edited(FILE, &[delete("clients", "grafana")], &after);
    assert_edited("#:schema x\n[roles.a]\n", &[delete("roles", "a")], "#:schema x\n");
    assert_edited("[roles.a]\n[roles.b]\n", &[delete("roles", "b")], "[roles.a]\n");
    assert_edited("roles = { a = {}, b = {}, c = {} }\n", &[delete("roles", "b")], "roles = { a = {}, c = {} }\n");
    assert_edited("[roles]\na = {}\nb.description = \"x\"\n", &[delete("roles", "b")], "[roles]\na = {}\n");
}

#[test]
fn an_id_is_renamed_wherever_it_is_written() {
    for (before, after) in [
        (
            "[clients.old]\nx = 1\n[clients.'old'.claims] # old\nclients = \"old\"\n",
            "[clients.\"a b\"]\nx = 1\n[clients.\"a b\".claims] # old\nclients = \"old\"\n",
        ),
        ("[clients]\nold.x = 1\nold.y = 2\nz = {}\n", "[clients]\n\"a b\".x = 1\n\"a b\".y = 2\nz = {}\n"),
        ("clients = { old = {}, z.old = 1 }\n", "clients = { \"a b\" = {}, z.old = 1 }\n"),
        ("clients.old.x = 1\nclients.z.old = 1\n", "clients.\"a b\".x = 1\nclients.z.old = 1\n"),
    ] {
        assert_edited(before, &[rename("clients", "old", "a b")], after);
    }
}

#[test]
fn the_lines_of_an_entry_are_its_own() {
    let shown = |text: &str, section: &str, id: &str| -> Vec<String> {
        lines(text, section, id).into_iter().map(|line| text.lines().nth(line).unwrap().to_owned()).collect()
    };
    assert_eq!(lines(FILE, "providers", "corp"), [4, 5, 6, 7, 8, 9, 10, 11]);
    let expected = [
        "[clients.grafana]",
        "redirect_uris = [\"https://grafana.example.com/cb\"]",
        "[clients.grafana.claims] # what it gets",
        "role = \"'x'\"",
    ];
    assert_eq!(shown(FILE, "clients", "grafana"), expected);
    assert_eq!(shown("[roles]\na = {}\nb = {}", "roles", "b"), ["b = {}"]);
    assert_eq!(shown("roles = { a = {} }\nx = 1", "roles", "a"), ["roles = { a = {} }"]);
    assert_eq!(lines("x = [", "roles", "a"), [0; 0]);
}

#[test]
fn what_can_not_be_edited_is_said() {
    for (before, edit, why) in [
        ("x = ", add("roles", "r", &[]), EditError::NotToml),
        ("[roles.r]", add("roles", "r", &[]), EditError::Exists),
        ("[roles.r]\n[roles.s]", rename("roles", "r", "s"), EditError::Exists),
        ("", rename("roles", "r", "s"), EditError::NoEntry),
        ("[roles]", delete("roles", "r"), EditError::NoEntry),
        ("", set("roles.r.description", text("x")), EditError::NoEntry),
        ("roles = 5", add("roles", "r", &[]), EditError::Form),
        ("[roles.r]", set("roles.r.x", Written::Toml("{ a = 1\n[y]".to_owned())), EditError::Form),
    ] {
        assert_eq!(apply(before, std::slice::from_ref(&edit)), Err(why), "{before} {edit:?}");
    }
}

proptest! {
    /// What an edit does is what it means, and all other lines stay, in files of every form.
    #[test]
    fn edits_of_any_file_mean_what_they_say(
        parts in proptest::collection::vec(0_usize..14, 1..9),
        wanted in proptest::collection::vec("[ab\"\\\\#]{0,3}", 0..4),
        edit in 0_usize..7,
    ) {
        const PARTS: [&str; 14] = [
            "# comment\n", "\n", "issuer = \"x\" # c\n", "[roles.a]\n", "permissions = [\"a\", \"b\"] # p\n",
            "permissions = [\n  \"a\", # one\n  \"b\"\n]\n", "[roles.a.claims]\n", "x = { a = 1, b.c = 2 }\n", "[roles.b]\n",
            "description = '''\n[roles.c]\n'''\n", "[[tests]]\n", "roles.a.y = 1\n", "[roles]\n", "a = { permissions = [\"a\"] }\n",
        ];
        let before: String = parts.iter().filter_map(|part| PARTS.get(*part).copied()).collect();
        prop_assume!(before.parse::<toml::Table>().is_ok());
        let edit = match edit {
            0 => set("roles.a.permissions", Written::List(wanted)),
            1 => set("roles.a.claims.z", text("q")),
            2 => Edit::Remove(path("roles.a.permissions")),
            3 => Edit::Remove(path("roles.a.x.b")),
            4 => add("roles", "new", &[("permissions", Written::List(wanted)), ("claims.q", text("w"))]),
            5 => delete("roles", "a"),
            _ => rename("roles", "a", "z z"),
        };
        match apply(&before, std::slice::from_ref(&edit)) {
            Ok(after) => {
                let comments = |text: &str| text.matches("# c").count();
                let lost = comments(&before) - comments(&after).min(comments(&before));
                prop_assert!(lost == 0 || matches!(edit, Edit::Delete { .. }), "{before}\n--- {edit:?}\n{after}");
            }
            Err(error) => prop_assert!(error != EditError::Form, "{before}\n--- {edit:?}"),
        }
    }
}
