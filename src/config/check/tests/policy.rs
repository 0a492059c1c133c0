//! Roles, tables, users, scopes, resources, tests, `[ui]`.

use crate::config::check::tests::*;

#[test]
fn roles_tables_users_and_tests() {
    let cases = [
        (
            "[policy]\ndefault_roles = [\"admn\"]",
            &["2:18 error `default_roles[0]` must be a declared role but is \"admn\" ~ [did you mean `admin`?]"][..],
        ),
        (
            "[[role_rules]]\nroles = [\"boss\"]",
            &["2:10 error ~ a declared role but is \"boss\" ~ [declare [roles.boss]]"],
        ),
        ("[[role_rules]]\neach = \"groups\"\nroles = [\"admin\"]", &["1:1 error `matches` must be set"]),
        ("[[role_rules]]\nmatches = 'x'\nroles = [\"admin\"]", &["1:1 error `each` must be set"]),
        (
            "[[role_rules]]\neach = \"groups\"\nmatches = '('\nroles = [\"{app}\"]",
            &["3:12 error `matches` must be a regular expression but is invalid: unclosed group"],
        ),
        (
            "[[role_rules]]\neach = \"groups\"\nmatches = '^app-(?<app>[a-z]+)$'\nroles = [\"{app}:{level}\"]",
            &["4:10 error `{level}` must be a named capture"],
        ),
        ("[[role_rules]]\neach = \"groups\"\nmatches = '^app-(?<app>[a-z]+)$'\nroles = [\"{app}:x\"]", &[]),
        ("[[role_rules]]\neach = \"groups\"\nmatches = '(?x) app-(?P<app>[a-z]+) # name'\nroles = [\"{app}:x\"]", &[]),
        (
            "[[role_rules]]\neach = \"groups\"\nmatches = '\\Qapp\\E'\nroles = [\"admin\"]",
            &["3:12 error `matches` must be a regular expression but is invalid: unrecognized escape sequence"],
        ),
        (
            "[[role_rules]]\neach = \"groups\"\nmatches = '(\\w{1000}){1000}'\nroles = [\"admin\"]",
            &["3:12 error `matches` must be a regular expression but is invalid: Compiled regex exceeds size limit"],
        ),
        (
            "[[role_rules]]\nprovider = \"stuff\"\nroles = [\"admin\"]",
            &["2:12 error ~ declared provider ~ [did you mean `staff`?]"],
        ),
        ("[tables.t]", &["1:1 error `entries` or `file` must be set in `tables.t`"]),
        ("[tables.t]\nfile = \"t.json\"\nentries = { a = \"b\" }", &["2:8 error ~ must not both be set"]),
        (
            "[scopes.tenant]\nclaims = [\"tenant_name\", \"groups\", \"sub\"]",
            &["2:11 warning nothing gives the claim \"tenant_name\"", "2:36 error ~ the protocol sets it"],
        ),
        (
            "[users.a]\nlinks = [{ provider = \"staff\", sub = \"1\" }]\nsub = \"x\"\n[users.b]\nlinks = [{ provider = \"staff\", sub = \"1\" }, { provider = \"staff\" }, { provider = \"staff\", sub = \"2\", email = \"b@x\" }]\nsub = \"x\"",
            &[
                "5:10 error \"1\" of `staff` must belong to one user but is linked to `a` too",
                "5:45 error a link must have `sub` or `email`",
                "5:69 error a link must have `sub` or `email`, not both",
                "6:7 error the subject \"x\" must be unique",
            ],
        ),
        (
            "[clients.job]\nclient_secret = \"a secret that only the job knows\"\ngrant_types = [\"client_credentials\"]\n[users.a]\nsub = \"job\"\n[users.b]\nsub = \"app\"",
            &[
                "2:17 warning `client_secret` is written into the file",
                "5:7 error the subject \"job\" must not be the client id of `job`",
            ],
        ),
        (
            "[users.a]\nroles = [\"nope\"]\nsub = \"é\"",
            &["2:10 error ~ declared role", "3:7 error `sub` must be 1 to 255 printable ASCII"],
        ),
        (
            "[users.a]\ncertificates = [\"sha256:zz\"]",
            &[
                "2:16 error `certificates` must not be set without [certificates]",
                "2:17 error `certificates[0]` must be \"sha256:\"",
            ],
        ),
        (
            "[resources.api]\nuri = \"api\"\nclients = [\"ap\"]",
            &[
                "2:7 error `uri` must be an absolute URI",
                "3:12 error `clients[0]` must be a declared client but is \"ap\" ~ `app`",
            ],
        ),
        (
            "[[tests]]\nname = \"t\"\nclaims = { sub = \"1\" }\nexpect = {}",
            &[
                "1:1 error `provider` must be set in `tests[0]`",
                "4:10 error `expect` must be a table of expectations but is empty",
            ],
        ),
        (
            "[[tests]]\nname = \"t\"\nprovider = \"x\"\nclient = \"y\"\nscopes = [\"z\"]\nclaims = {}\nexpect = { refused = \"r\" }",
            &["3:12 error ~ declared provider", "4:10 error ~ declared client", "5:11 error ~ declared scope"],
        ),
        (
            "[[tests]]\nname = \"t\"\nprovider = \"staff\"\nclaims = {}\nexpect = { claims = { a = 1 } }",
            &["5:21 error ~ must name a `client`"],
        ),
        (
            "[[tests]]\nname = \"t\"\nprovider = \"staff\"\nclaims = {}\nexpect = { roles = [] }\n[[tests]]\nname = \"t\"\nprovider = \"staff\"\nclaims = {}\nexpect = { roles = [] }",
            &["7:8 error the test name \"t\" must be unique"],
        ),
        ("[ui]\ncolor = \"red\"", &["2:9 error `color` must be a colour such as \"#0c5f50\" but is \"red\""]),
        ("[ui]\ncolor = \"#0c5f5\"", &["2:9 error `color` must be a colour ~ \"#0c5f5\""]),
        ("[ui]\nlogo_uri = \"http://cdn.example/logo.svg\"", &["2:12 error `logo_uri` must be an https URL"]),
        ("[ui]\nlogo_uri = \"logo.svg\"", &["2:12 error `logo_uri` must be an absolute URL"]),
        ("[ui]\nlogo_uri = \"data:image/svg+xml,x\"", &["2:12 error `logo_uri` must be"]),
        ("[ui]\nlogo_uri = \"http://localhost:9000/logo.svg\"\ncolor = \"#FFD400\"", &[]),
        ("[ui.texts.en]\nbrand.name = \"x\"", &["2:1 error `brand` must be a string ~ quote the key: \"brand.name\""]),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(lines, expected)));
}

#[test]
fn a_pattern_with_capitals_never_matches_what_is_folded() {
    let rule = |each: &str, pattern: &str| {
        format!(
            "[policy]\nignore_case = [\"groups\", \"roles\"]\n[[role_rules]]\neach = \"{each}\"\nmatches = '{pattern}'\nroles = [\"admin\"]"
        )
    };
    let expected = &["5:11 error `matches` has capital letters ~ [write it in lower case]"][..];
    for pattern in ["App-.*", "^(?<a>Dev|Ops)$", "app-[A-Z]+", "(X)+y"] {
        assert_all([added(&rule("groups", pattern), expected), added(&rule("roles", pattern), expected)]);
    }
    for pattern in ["app-.*", "(?i)App-.*", "(App|app)-x", "app-[A-Za-z]+", "X?y", "\\S+"] {
        assert_all([added(&rule("groups", pattern), &[])]);
    }
    let local = format!("{}\n[users.bob]\ngroups = [\"App-x\"]", rule("groups", "App-.*"));
    assert_all([added(&local, &[])]);
}

#[test]
fn a_provider_that_sends_no_roles_needs_no_list_of_them() {
    let secret = "client_id = \"c\"\nclient_secret = { file = \"two\" }\n";
    let first = "2:1 warning `providers.staff` may assert any role";
    let cases = [
        ("okta", "issuer = \"https://acme.okta.com\"", true),
        (
            "oauth2",
            "authorization_endpoint = \"https://a.example/a\"\ntoken_endpoint = \"https://a.example/t\"\nuserinfo_endpoint = \"https://a.example/u\"\nsubject = \"claims.id\"",
            true,
        ),
        ("github", "organizations = [\"acme\"]", false),
        ("google", "hosted_domains = [\"corp.example\"]", false),
        ("gitlab", "base_url = \"https://gitlab.corp.example\"", false),
        ("linkedin", "create_users = false", false),
        // The file makes roles of something else.
        ("github", "organizations = [\"acme\"]\nclaims.roles = \"claims.groups\"", true),
    ];
    for (preset, lines, warned) in cases {
        let text = format!("{BASE}[providers.two]\npreset = \"{preset}\"\n{secret}{lines}\n");
        let second = "10:1 warning `providers.two` may assert any role";
        let expected: Vec<&str> = [first].into_iter().chain(warned.then_some(second)).collect();
        assert_problems(&text, &expected);
    }
    let apple = "client_id = \"c\"\nteam_id = \"ABCDE12345\"\nkey_id = \"FGHIJ67890\"\nclient_key = { file = \"k\" }\ncreate_users = false\n";
    assert_problems(&format!("{BASE}[providers.apple]\npreset = \"apple\"\n{apple}"), &[first]);
}
