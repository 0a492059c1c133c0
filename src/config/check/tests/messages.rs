//! The ten worst messages that operators met, each with its siblings: what is said, where, and what to do.

use crate::config::check::tests::*;

#[test]
fn a_setting_of_a_preset_is_replaced_by_the_condition_that_it_stands_for() {
    let at = |lines: &str| BASE.replace("[clients.app]", &format!("{lines}\n[clients.app]"));
    let cases = [
        (
            "hosted_domains = [\"corp.example\", \"o'neil.example\"]",
            "6:18 error `hosted_domains` has no effect ~ [write allow = \"claims.hd in ['corp.example', 'o\\\\'neil.example']\" instead]",
        ),
        ("tenants = [\"T1\"]", "6:11 error `tenants` has no effect ~ [write allow = \"claims.tid in ['T1']\" instead]"),
        (
            "hosted_domains = [\"corp.example\"]\nallow = \"'sre' in claims.groups || claims.x == 1\"",
            "6:18 error ~ [write allow = \"('sre' in claims.groups || claims.x == 1) && claims.hd in ['corp.example']\" instead]",
        ),
        ("organizations = [\"acme\"]", "6:17 error `organizations` has no effect ~ [say who may enter with `allow`"),
    ];
    for (lines, expected) in cases {
        assert_problems(&at(lines), &[expected]);
    }
}

#[test]
fn a_malformed_hash_is_described_without_showing_it() {
    let hex = "0123456789abcdef".repeat(4);
    let cases = [
        ("swordfish-canary".to_owned(), "but is 16 characters without \"sha256:\", perhaps the secret itself"),
        (hex.clone(), "but is 64 hexadecimal digits without \"sha256:\""),
        (format!("sha256:{}", &hex[1..]), "but is \"sha256:\" and 63 hexadecimal digits"),
        (format!("SHA256:{hex}"), "but is a hash after \"SHA256:\""),
        ("$2b$10$canary".to_owned(), "but is a bcrypt hash"),
        ("$argon2id$v=19$canary".to_owned(), "but is an Argon2 hash"),
        ("sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(), "base64 with padding"),
        ("sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".to_owned(), "in base64, not base64url"),
        ("sha256:".to_owned(), "but is \"sha256:\" without a hash"),
        ("sha256:canary-z".to_owned(), "but is \"sha256:\" and 8 characters"),
    ];
    for (hash, said) in cases {
        let text = BASE.replace("client_secret = { file = \"app\" }", &format!("client_secret_hashes = [\"{hash}\"]"));
        let found = problems(&text);
        let line = found.iter().find(|line| line.starts_with("7:")).cloned().unwrap_or_default();
        assert!(line.contains(said) && line.contains("countersign client secret app"), "{hash}: {found:?}");
        assert!(!line.contains("canary"), "{line}");
    }
}

#[test]
fn a_regular_expression_is_wrong_at_its_place() {
    let rule = |pattern: &str| format!("[[role_rules]]\neach = \"groups\"\nmatches = {pattern}\nroles = [\"admin\"]");
    assert_all([
        added(&rule("'ab(c'"), &["3:14 error `matches` must be a regular expression but is invalid: unclosed group"]),
        added(&rule("\"\\\\d+[z-a]\""), &["3:17 error ~ invalid: invalid character class range"]),
        added(&rule("'é{2,1}'"), &["3:13 error ~ invalid: invalid repetition count range"]),
        added(&rule("'(?=x)'"), &["3:12 error ~ look-around"]),
    ]);
}

#[test]
fn a_flag_in_the_place_of_a_name_says_the_name() {
    assert_all([
        added(
            "[clients.b]\nclient_secret = { file = \"b\" }\nredirect_uris = [\"https://b.example/\"]\nconsent = true",
            &[
                "4:11 error `consent` must be one of \"implicit\", \"explicit\" but is the boolean true [write \"explicit\" instead of true]",
            ],
        ),
        added(
            "[clients.b]\nclient_secret = { file = \"b\" }\nredirect_uris = [\"https://b.example/\"]\nconsent = \"false\"",
            &["4:11 error `consent` ~ but is \"false\" [write \"implicit\" instead of false]"],
        ),
        added(
            "[clients.b]\nclient_secret = { file = \"b\" }\nredirect_uris = [\"https://b.example/\"]\npkce = true",
            &["4:8 error `pkce` ~ [write \"required\" instead of true]"],
        ),
    ]);
}

#[test]
fn a_file_of_another_product_is_one_problem_that_names_its_importer() {
    let dex = "# Dex\nissuer: https://dex.example/dex\nstorage:\n  type: sqlite3\nstaticClients:\n- id: app\n";
    let keycloak = "{\n  \"realm\": \"corp\",\n  \"identityProviders\": []\n}\n";
    assert_problems(dex, &["5:1 error this is the YAML configuration of Dex ~ `countersign import dex broker.toml`"]);
    assert_problems(keycloak, &["1:1 error ~ Keycloak realm ~ `countersign import keycloak broker.toml`"]);
    assert_problems("---\nissuer: https://x.example\n", &["1:1 error this is YAML, not TOML ~ [write `key ="]);
    assert_problems("issuer: https://x.example\n", &["1:1 error this is YAML, not TOML"]);
    assert_problems("{ \"issuer\": \"https://x.example\" }", &["1:1 error this is JSON, not TOML"]);
    assert_all([
        added(
            "[[staticClients]]\nid = \"app\"",
            &["1:3 error unknown key `staticClients` [`countersign import dex FILE`"],
        ),
        added("[connectors.x]", &["1:2 error unknown key `connectors` [`countersign import dex FILE`"]),
        added("[identityProviders.x]", &["1:2 error ~ [`countersign import keycloak FILE`"]),
    ]);
}

#[test]
fn a_character_that_only_looks_right_is_named() {
    let cases = [
        (
            "issuer =\u{a0}\"https://x.example\"",
            "1:9 error a no-break space (U+00A0) can't be used here [write a plain space]",
        ),
        (
            "issuer = “https://x.example”",
            "1:10 error a typographic quotation mark “ (U+201C) can't be used here [write \"]",
        ),
        (
            "issuer = ‘https://x.example’",
            "1:10 error a typographic quotation mark ‘ (U+2018) can't be used here [write ']",
        ),
        (
            "issuer = \"https://x.example”",
            "1:28 error a typographic quotation mark ” (U+201D) can't be used here [write \"]",
        ),
        (
            "issuer \u{ff1d} \"https://x.example\"",
            "1:8 error a full-width equals sign \u{ff1d} (U+FF1D) can't be used here [write =]",
        ),
        (
            "\u{200b}issuer = \"https://x.example\"",
            "1:1 error a zero-width space (U+200B) can't be used here [delete it]",
        ),
    ];
    for (line, expected) in cases {
        assert_problems(&format!("{line}\n"), &[expected]);
    }
    // In a string or a comment they are text.
    assert_problems(&format!("# “issuer”\u{a0}\n{BASE}description = \"“x”\u{a0}\"\n"), &[]);
}

#[test]
fn what_is_printed_says_each_thing_once() {
    let shown = |text: &str| {
        let loaded = loaded(text);
        let mut problems = check(&loaded, &mut |_, _, _| Vec::new()).problems;
        problems.append(loaded.problems);
        problems.sort();
        problems.render(&loaded.layers, false)
    };
    assert_eq!(
        shown(&BASE.replace(
            "redirect_uris = [\"https://app.example/cb\"]",
            "redirect_uris = [\"https://app.example/cb\"]\nconsent = true"
        )),
        "error: `consent` must be one of \"implicit\", \"explicit\" but is the boolean true\n --> broker.toml:9:11\n  |\n\
         9 | consent = true\n  |           ^^^^\n  = setting: clients.app.consent\n  = help: write \"explicit\" instead of true\n\n"
    );
}

#[test]
fn what_a_shell_or_a_template_should_have_replaced_is_no_secret() {
    let secret = |value: &str, expected: &[&str]| mismatch(&BASE.replace("{ file = \"app\" }", value), expected);
    assert_all([
        secret(
            "\"${APP_SECRET}\"",
            &["7:17 error `client_secret` is a placeholder ~ [write { env = \"APP_SECRET\" }]"],
        ),
        secret("\"{{ .Values.secret }}\"", &["7:17 error `client_secret` is a placeholder ~ [write { file ="]),
        secret("\"${APP:-x}\"", &["7:17 error `client_secret` is a placeholder ~ [write { file ="]),
        secret("[{ env = \"A\" }, \"${B}\"]", &["7:33 error `client_secret` is a placeholder"]),
        secret("{ env = \"$APP\" }", &["7:25 error `env` must be the name of an environment variable ~ a text with"]),
        secret("{ env = \"A B\" }", &["7:25 error `env` must be the name of an environment variable"]),
        secret("\"p$a{b}ss-0123456789abcdef\"", &["7:17 warning `client_secret` is written into the file"]),
    ]);
}

#[test]
fn a_subject_in_a_test_is_a_string() {
    let test = |sub: &str, expected: &[&str]| {
        let claims = format!("claims = {{ sub = {sub}, preferred_username = \"a\" }}");
        added(
            &format!("[[tests]]\nname = \"t\"\nprovider = \"staff\"\n{claims}\nexpect = {{ username = \"a\" }}"),
            expected,
        )
    };
    assert_all([
        test("\"1\"", &[]),
        test("1", &["4:18 error `sub` must be a string, as in every ID token but is 1 ~ [put it in quotes]"]),
        test("[\"1\"]", &["4:18 error `sub` must be a string, as in every ID token but is [\"1\"]"]),
    ]);
}
