//! Keys, types and values that do not fit, and texts that are not TOML.

use crate::config::check::tests::*;

#[test]
fn structure() {
    let cases = [
        (
            "[server]\nlisten = \"127.0.0.1:1\"",
            &["2:10 error ~ `listen` must be an array of strings but is the string ~ [put it in brackets"][..],
        ),
        (
            "[clients.b]\nscopes = \"openid profile\"\ngrant_types = []\nclient_secret = { file = \"s\" }",
            &["2:10 error ~ `scopes` must be an array of strings ~ [put it in brackets: [\"openid\", \"profile\"]]"],
        ),
        (
            "[[resources]]\nuri = \"https://x.example\"",
            &["1:1 error `resources` must be a table but is an array ~ [give each an id: [resources.ID]"],
        ),
        ("[server]\nlisten = 8080", &["2:10 error `listen` must be an array ~ 8080 ~ [write [\"127.0.0.1:8080\"]]"]),
        ("[clients.b]\nclient_secret = 5\ngrant_types = []", &["2:17 error ~ must be a secret ~ but is a number"]),
        ("[admin]\ntoken = { flie = \"x\" }", &["2:11 error unknown key `flie` ~ [did you mean `file`?]"]),
        (
            "[tokens]\naccess_token = 60",
            &["2:16 error ~ must be a duration such as ~ but is the integer 60 ~ [write \"60s\" for seconds]"],
        ),
        ("[tokens]\naccess_token = \"60 min\"", &["2:16 error ~ must be a duration such as ~ \"60 min\""]),
        ("[limits]\nbody = \"64kb\"", &["2:8 error ~ must be a size such as"]),
        ("[limits]\nbody = \"0B\"", &["2:8 error `body` must be more than zero but is \"0B\""]),
        ("[limits]\nheaders = \"0KiB\"", &["2:11 error `headers` must be more than zero but is \"0B\""]),
        ("[limits]\nquery = \"64KiB\"", &["2:9 error `query` must be at most \"60KiB\" but is \"64KiB\""]),
        ("[limits]\nconnections = 0", &["2:15 error `connections` must be at least 1 but is 0"]),
        ("[limits]\npending_sign_ins = -1", &["2:20 error `pending_sign_ins` must be at least 1 but is -1"]),
        (
            "[limits]\nconnections = \"many\"",
            &["2:15 error `connections` must be an integer but is the string \"many\""],
        ),
        (
            "[limits]\nper_address = { rate = \"50/sec\" }",
            &["2:24 error `rate` must be a rate such as \"50/s\", \"10/m\" or \"100/h\" ~ but is \"50/sec\""],
        ),
        ("[limits]\nper_address = { rate = 50 }", &["2:24 error `rate` must be a rate ~ but is the integer 50"]),
        ("[limits]\nper_address = { rate = \"0/s\" }", &["2:24 error `rate` must be a rate ~ at least 1"]),
        ("[limits]\nper_address = \"50/s\"", &["2:15 error `per_address` must be a table but is the string"]),
        ("[limits]\nfailed_authentication = { burst = 0 }", &["2:35 error `burst` must be at least 1 but is 0"]),
        (
            "[limits]\nfailed_authentication = { burts = 5 }",
            &["2:27 error unknown key `burts` ~ [did you mean `burst`?]"],
        ),
        (
            "[policy]\ndefault_roles_when = \"never\"",
            &["2:22 error ~ must be one of \"no_roles\", \"no_groups\" but is \"never\""],
        ),
        (
            "[clients.b]\npkce = \"requird\"\nclient_secret = { file = \"b\" }\nredirect_uris = [\"https://b.example/\"]",
            &["2:8 error ~ must be one of \"auto\", \"required\" ~ [did you mean `required`?]"],
        ),
        (
            "[clients.b]\ndisabled = true\ngrant_types = []\nclient_secret = { env = \"B\" }",
            &["2:1 error unknown key `disabled` ~ [write `enabled = false`]"],
        ),
        (
            "[clients.b]\nenabled = \"false\"\ngrant_types = []\nclient_secret = { env = \"B\" }",
            &["2:11 error ~ must be a boolean but is the string \"false\" ~ [write false without quotes]"],
        ),
        ("[[role_rules]]\nwhen = \"true\"", &["1:1 error `roles` must be set in `role_rules[0]`"]),
        ("[[role_rules]]\nroles = []", &["2:9 error `roles` must be a list of at least one"]),
        ("[resources.api]\nscopes = []", &["1:1 error `uri` must be set in `resources.api`"]),
        ("[users.bob]\nlinks = [{ sub = \"1\" }]", &["2:10 error `provider` must be set in `users.bob.links[0]`"]),
        (
            "[clients.Up]\ngrant_types = []\nclient_secret = { env = \"B\" }",
            &["1:10 error the key \"Up\" must be 1 to 63 of"],
        ),
        (
            "[providers.certificate]\nissuer = \"https://c.example\"\nclient_id = \"c\"\nclient_secret = { env = \"C\" }\nasserted_roles = []",
            &["-7:1 warning ~ asserted_roles", "1:12 error \"certificate\" is reserved"],
        ),
        ("[scopes.\"a b\"]", &["1:9 error ~ without spaces"]),
        (
            "[clients.app.claims]\nhttps.tier = \"user.tier\"",
            &["2:1 error `https` must be an expression ~ [quote the key: \"https.tier\""],
        ),
        (
            "[clients.app.claims]\npkce = \"required\"",
            &["2:1 error `pkce` is a setting of `clients.app`, not a claim ~ above"],
        ),
        (
            "[providers.staff.claims]\nname = \"claims.cn\"\nscopes = \"claims.scope\"",
            &["3:1 error `scopes` is a setting of `providers.staff`"],
        ),
        ("[clients.app.claims]\nx = []", &["2:5 error ~ at least one value but is empty"]),
        ("[clients.app.claims]\nx = \"\"", &["2:5 error `x` must be an expression (a string) but is empty"]),
        ("[session]\nissuer = \"https://x.example\"", &["2:1 error unknown key `issuer` ~ top-level key"]),
        ("[sesion]\nmax_inactive = \"1h\"", &["1:2 error unknown key `sesion` ~ [did you mean `session`?]"]),
        ("[roles.admin]", &["1:8 error duplicate key `admin`"]),
        ("[policy]\ndefault_roles = [\"admin\"]\ndefault_roles = []", &["3:1 error duplicate key `default_roles`"]),
        ("[keys]\nrotate_every = 2026-01-01", &["2:16 error no setting is a date or time"]),
        ("[keys]\nrotate_every = \"99999999d\"", &["2:16 error `rotate_every` must be at most \"36500d\""]),
        ("[keys]\nrotate_every = \"99999999999999999999d\"", &["2:16 error `rotate_every` must be at most \"36500d\""]),
        ("[limits]\nbody = \"99999999999999GiB\"", &["2:8 error `body` must be a size below"]),
        ("[limits]\nbody = \"99999999999999999999B\"", &["2:8 error `body` must be a size below"]),
        (
            "[admin]\ntoken = { path = \"x\" }",
            &[
                "2:9 error `token` must be { file = \"...\" }, { env = \"...\" } or a string but is a table of other keys",
            ],
        ),
        ("[admin]\ntoken = {}", &["2:9 error `token` must be { file = \"...\" }, { env = \"...\" } or a string"]),
        (
            "[admin]\ntoken = { file = \"x\", env = \"X\" }",
            &["2:9 error `token` must be { file = ~ but is a table with `env` and `file`"],
        ),
        (
            "[clients.b]\ngrant_types = [\"authorization_code\", \"implicit\"]\nresponse_types = [\"id_token code\"]\nclient_secret = { env = \"B\" }\nredirect_uris = [\"https://b.example/\"]",
            &["3:19 error `response_types[0]` must be one of ~ [write \"code id_token\"]"],
        ),
        (
            "[admin]\ntoken = [{ env = \"A\" }, { env = \"B\" }, { env = \"C\" }]",
            &["2:9 error ~ a list of at most 2 but is a list of 3"],
        ),
        (
            "[[tests]]\nname = \"t\"\nprovider = \"staff\"\nclaims = {}\nexpect = { created = \"yes\" }",
            &["5:22 error `created` must be a boolean"],
        ),
        (
            "[[tests]]\nname = \"t\"\nprovider = \"staff\"\nclaims = { x = 1 }\nexpect = { rolez = [] }",
            &["5:12 error `rolez` is neither ~ [did you mean `roles`?]"],
        ),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(lines, expected)));
}

#[test]
fn texts_that_are_no_toml() {
    let cases = [
        (
            "issuer = https://x.example\n[clients.a]\npkce = \"x\"",
            &["1:10 error a string must be quoted", "3:8 error ~ must be one of"][..],
        ),
        (
            "issuer = \"https://x.example\nserver = 5",
            &["1:28 error invalid basic string", "2:10 error `server` must be a table"],
        ),
        ("[providers.a]\nenabled = yes", &["2:11 error a boolean is true or false ~ [write true]"]),
        ("[providers.a]\nenabled = False # off", &["2:11 error a boolean is true or false ~ [write false]"]),
        (
            "[server]\nlisten = [127.0.0.1:80]\n[admin]\nlisten = 0.0.0.0:9464",
            &["2:11 error a string must be quoted", "4:10 error a string must be quoted"],
        ),
        ("issuer =\n", &["1:9 error a value is missing"]),
        ("issuer\n", &["1:7 error a key needs a value"]),
        ("[server\nlisten = []", &["1:8 error unclosed table"]),
        (
            "[server]\nlisten = [\"a\",\n[admin]\nlisten = \"b\"\n",
            &["2:10 error the array that begins here is never closed"],
        ),
    ];
    assert_all(cases.iter().map(|(text, expected)| mismatch(text, expected)));
}
