//! The broker's own addresses, endpoints, lifetimes and keys.

use crate::config::check::tests::*;

#[test]
fn addresses_and_endpoints() {
    let issuers = [
        ("issuer = \"http://sso.example.com\"", "1:10 error `issuer` must be an https URL"),
        ("issuer = \"https://sso.example.com/?x\"", "1:10 error `issuer` must be a URL without a query"),
        ("issuer = \"sso.example.com\"", "1:10 error `issuer` must be an absolute URL"),
        ("issuer = \"\"", "1:10 error `issuer` must be an absolute URL"),
    ];
    assert_all(issuers.iter().map(|(text, expected)| mismatch(text, &["1:1 warning no provider", expected])));
    let cases = [
        ("[server]\nlisten = [\"127.0.0.1\"]", &["2:11 error `listen[0]` must be an address such as"][..]),
        ("[server]\ntrusted_proxies = [\"10.0.0.0/33\"]", &["2:20 error `trusted_proxies[0]` must be a network"]),
        ("[server]\nlisten = [\"unix:/run/a.sock\", \"[::1]:1\"]\ntrusted_proxies = [\"unix:\"]", &[]),
        ("[server]\nlisten = [\"unix:a.sock\"]", &["2:11 error `listen[0]` must be an address such as"]),
        ("[server]\ntrusted_proxies = [\"unix:/run/a.sock\"]", &["2:20 error ~ or \"unix:\""]),
        (
            "[server]\nlisten = [\"unix:/a\"]\ntls = { cert = \"c\", key = \"k\" }",
            &["3:1 error `tls` is for TCP ~ unix sockets only ~ [leave `tls` out"],
        ),
        ("[server]\nlisten = [\"unix:/a\", \"0.0.0.0:443\"]\ntls = { cert = \"c\", key = \"k\" }", &[]),
        ("[admin]\nlisten = \"0.0.0.0:9464\"", &["2:10 error `token` must be set: the admin listener"]),
        ("[admin]\nlisten = \"127.0.0.1:8080\"", &["2:10 error ~ in `server.listen` too"]),
        ("[endpoints]\ntoken = \"/callback/x\"", &["2:9 error ~ (/callback: the callbacks of providers)"]),
        ("[endpoints]\ntoken = \"token\"", &["2:9 error `token` must be a path that begins with `/`"]),
        ("[endpoints]\ntoken = \"/\"", &["2:9 error `token` must be a path below `/` but is \"/\""]),
        ("[endpoints]\njwks = \"/oauth2/token\"", &["2:8 error ~ must be different paths"]),
        ("[endpoints]\nauthorization = \"/login/oauth/authorize\"", &[]),
        (
            "[store]\nurl = \"mysql://u:secret@h/db\"",
            &["2:7 error `url` must be \"sqlite:PATH\" ~ \"mysql://u:***@h/db\""],
        ),
        ("[store]\nurl = \"sqlite:///var/x.db\"", &["2:7 error `url` must be ~ [write url = \"sqlite:/var/x.db\"]"]),
        ("[store]\nurl = \"/var/x.db\"", &["2:7 error `url` must be ~ [write url = \"sqlite:/var/x.db\"]"]),
        (
            "[store]\nurl = \"postgres://u:secret@h/db\"",
            &["1:1 error `encryption_keys` must be set with a PostgreSQL store ~ openssl rand"],
        ),
        ("[store]\nurl = \"postgres://u@h/db\"\nencryption_keys = [{ file = \"app\" }]", &[]),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(lines, expected)));
}

#[test]
fn telemetry() {
    let with = |line: &str| format!("[telemetry]\notlp_endpoint = \"http://127.0.0.1:4318\"\n{line}");
    let cases = [
        (with(""), &[][..]),
        (with("headers = { x-api-key = { env = \"K\" } }\nsample_ratio = 0"), &[]),
        (with("sample_ratio = 1.5"), &["3:16 error `sample_ratio` must be at most 1"]),
        (with("sample_ratio = nan"), &["3:16 error a number must be finite"]),
        (with("service_name = \" \""), &["3:16 error `service_name` must be a name"]),
        (with("headers = { Host = { env = \"K\" } }"), &["3:20 error `Host` must be a header"]),
        (
            "[telemetry]\notlp_endpoint = \"collector:4318\"".to_owned(),
            &["2:17 error `otlp_endpoint` must be the http(s) URL"],
        ),
        (
            "[telemetry]\notlp_endpoint = \"http://127.0.0.1:4317\"".to_owned(),
            &[
                "2:17 warning port 4317 is usually that of OTLP over gRPC ~ [write the port of OTLP over HTTP, usually 4318]",
            ],
        ),
        (
            "[telemetry]\notlp_endpoint = \"http://h/?token=x\"".to_owned(),
            &["2:17 error `otlp_endpoint` must be the http(s) URL"],
        ),
        (
            "[telemetry]\notlp_endpoint = \"http://h:4318\"\nheaders = { k = { env = \"K\" } }".to_owned(),
            &["3:1 error `headers` would be sent to \"http://h:4318\" without TLS"],
        ),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(lines, expected)));
}

#[test]
fn lifetimes_and_keys() {
    let cases = [
        ("[tokens]\nauthorization_code = \"10m\"", &["2:22 error ~ must be at most \"5m\" but is \"10m\""][..]),
        ("[tokens]\naccess_token = \"0s\"", &["2:16 error ~ longer than zero"]),
        (
            "[tokens]\nrefresh_token = { max_inactive = \"30d\", max_lifetime = \"1d\" }",
            &["2:34 error `max_inactive` must be at most `max_lifetime`"],
        ),
        ("[clients.app.tokens]\nauthorization_code = \"6m\"", &["2:22 error ~ at most \"5m\""]),
        (
            "[session]\nmax_lifetime = \"1m\"",
            &["2:16 error `max_inactive` must be at most `max_lifetime` (\"1m\") but is \"30m\""],
        ),
        ("[keys]\nalgorithms = [\"ES256\"]", &["2:14 error ~ a list with \"RS256\""]),
        ("[keys]\nalgorithms = [\"RS256\", \"RS256\"]", &["2:24 error ~ lists \"RS256\" twice"]),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(lines, expected)));
}

#[test]
fn an_issuer_that_apps_would_write_differently_warns() {
    for (issuer, usual) in [
        ("https://SSO.example.com", "https://sso.example.com"),
        ("https://sso.example.com:443", "https://sso.example.com"),
        ("https://sso.example.com:443/", "https://sso.example.com/"),
        ("HTTPS://sso.example.com/Realm", "https://sso.example.com/Realm"),
        ("https://sso.example.com:0443/Api", "https://sso.example.com/Api"),
        ("http://localhost:80", "http://localhost"),
        ("http://LOCALHOST:8080", "http://localhost:8080"),
    ] {
        let text = BASE.replace("https://sso.example.com", issuer);
        let expected = format!("1:10 warning `issuer` is \"{issuer}\" ~ [write issuer = \"{usual}\"]");
        assert_problems(&text, &[&expected]);
    }
    for issuer in
        ["https://sso.example.com:8443", "https://sso.example.com/Api", "http://localhost:443", "https://[::1]:8443"]
    {
        assert_problems(&BASE.replace("https://sso.example.com", issuer), &[]);
    }
}

#[test]
fn the_path_of_an_endpoint_that_is_not_built_is_refused() {
    let cases = [
        (
            "[endpoints]\ndevice_authorization = \"/device_authorization\"",
            &["2:1 error `device_authorization` is not built yet"][..],
        ),
        ("[endpoints]\nregistration = \"/register\"", &["2:1 error `registration` is not built yet"]),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(lines, expected)));
    // The default says nothing that holds without the key does not: the path is reserved.
    let defaults = "[endpoints]\ndevice_authorization = \"/oauth2/device\"\nregistration = \"/oauth2/register\"";
    assert_all([added(defaults, &[])]);
}

#[test]
fn proxies_that_could_be_anybody_are_refused() {
    let refused = |networks: &str, covered: &str| {
        let lines = format!("[server]\ntrusted_proxies = {networks}");
        let line =
            format!("2:19 error `trusted_proxies` covers {covered}, a large part ~ [name the networks of your own");
        added(&lines, &[&line])
    };
    assert_all([
        refused(r#"["0.0.0.0/0"]"#, "0.0.0.0/0"),
        refused(r#"["::/0"]"#, "::/0"),
        refused(r#"["0.0.0.0/1", "unix:", "128.0.0.0/1"]"#, "0.0.0.0/0"),
        refused(r#"["128.0.0.0/2"]"#, "128.0.0.0/2"),
        refused(r#"["10.0.0.0/8", "11.0.0.0/8"]"#, "10.0.0.0/7"),
        refused(r#"["::ffff:0:0/96"]"#, "0.0.0.0/0"),
        refused(r#"["2000::/3"]"#, "2000::/3"),
        added(
            r#"[server]
               trusted_proxies = ["10.0.0.0/8", "172.16.0.0/12", "fc00::/7", "192.0.2.1", "unix:"]"#,
            &[],
        ),
    ]);
}
