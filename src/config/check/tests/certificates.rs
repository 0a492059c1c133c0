//! `[certificates]`, and what needs it.

use crate::config::check::tests::*;

/// A section that nothing is wrong with, and the proxy that fills the header.
const SECTION: &str =
    "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[certificates]\nlisten = [\"127.0.0.1:8444\"]\nca = \"ca.pem\"\n";

#[test]
fn revocation_lists_are_of_authorities() {
    let alone = SECTION.replace("ca = \"ca.pem\"", "crl = \"clients.crl\"");
    assert_all([
        added(&alone, &["5:7 error `crl` has no effect without `ca` ~ [add ca = \"clients-ca.pem\", or leave it out]"]),
        added(&format!("{SECTION}crl = \"clients.crl\"\n"), &[]),
    ]);
}

#[test]
fn the_section() {
    let with = |lines: &str, expected: &[&str]| added(&format!("{SECTION}{lines}"), expected);
    assert_all([
        with("clients = [\"app\"]\ncreate_users = true\nheader = \"Client-Cert\"", &[]),
        with("clients = [\"ap\"]", &["6:12 error `clients[0]` must be a declared client but is \"ap\" ~ `app`"]),
        with("origin = \"https://mtls.example:8443\"", &[]),
        with("origin = \"https://mtls.example/\"", &["6:10 error `origin` must be an origin such as"]),
        with("origin = \"http://mtls.example\"", &["6:10 error `origin` must be an origin such as"]),
        with("header = \"X_Client_Cert\"", &["6:10 error `header` must be the name of a header, without `_`"]),
        with("header = \"\"", &["6:10 error `header` must be the name of a header"]),
        with("header = \"Authorization\"", &["6:10 error `header` must be a header of its own"]),
    ]);
    assert_all([
        added(
            "[server]\nlisten = [\"127.0.0.1:8080\"]\n[certificates]\nlisten = [\"127.0.0.1:8080\", \"nowhere\"]",
            &[
                "3:1 warning no proxy is trusted to forward certificates",
                "4:11 error `certificates.listen` must have addresses of its own",
                "4:29 error `listen[1]` must be an address",
            ],
        ),
        added(
            "[certificates]\nclients = [\"app\"]",
            &[
                "1:1 error `ca` must be set in `certificates`",
                "1:1 error `listen` must be a list of at least one address but is empty",
                "1:1 warning no proxy is trusted to forward certificates",
            ],
        ),
    ]);
}

#[test]
fn clients_with_certificates() {
    let with = |lines: &str, expected: &[&str]| {
        added(&format!("{SECTION}[clients.b]\ngrant_types = [\"client_credentials\"]\n{lines}"), expected)
    };
    let by_chain = "token_endpoint_auth_method = \"tls_client_auth\"\n";
    assert_all([
        with(
            &format!(
                "{by_chain}tls_client_auth_subject_dn = \"CN=b,O=Example\"\ntls_client_certificate_bound_access_tokens = true"
            ),
            &[],
        ),
        with(&format!("{by_chain}tls_client_auth_san_ip = \"192.0.2.1\""), &[]),
        with(
            &format!("{by_chain}tls_client_auth_san_ip = \"b\""),
            &["9:26 error `tls_client_auth_san_ip` must be an IP address"],
        ),
        with(&format!("{by_chain}tls_client_auth_subject_dn = \"b\""), &["9:30 error ~ must be a distinguished name"]),
        with(&format!("{by_chain}tls_client_auth_subject_dn = 'OU=#0c0162,2.5.4.97=x,CN=b\\, c'"), &[]),
        with(
            &format!("{by_chain}tls_client_auth_subject_dn = \"CN=b, c\""),
            &["9:30 error ~ must be a distinguished name"],
        ),
        with(
            &format!("{by_chain}tls_client_auth_subject_dn = \"CN=b,Office=c\""),
            &["9:30 error ~ must be a distinguished name"],
        ),
        with(
            &format!("{by_chain}tls_client_auth_san_email = \"b\""),
            &["9:29 error ~ must be an address with one `@`"],
        ),
        with(
            &format!("{by_chain}tls_client_auth_subject_dn = \"CN=b\"\ntls_client_auth_san_dns = \"b.example\""),
            &["10:27 error a client's certificate is known by one of its `tls_client_auth_*` keys"],
        ),
        with(
            "token_endpoint_auth_method = \"self_signed_tls_client_auth\"\njwks_uri = \"https://b.example/keys\"",
            &[],
        ),
        with(
            "client_secret = { file = \"b\" }\ntls_client_auth_san_dns = \"b.example\"",
            &["9:27 error `tls_client_auth_san_dns` has no effect on a client that does not authenticate by"],
        ),
    ]);
    assert_all([
        added(
            &format!(
                "{SECTION}[clients.b]\nclient_secret = {{ file = \"b\" }}\ngrant_types = [\"urn:countersign:grant:certificate\"]"
            ),
            &["8:16 error ~ is for the clients that `certificates.clients` lists"],
        ),
        added(
            &format!(
                "{SECTION}clients = [\"b\"]\n[clients.b]\nclient_secret = {{ file = \"b\" }}\ngrant_types = []\nconsent = \"explicit\""
            ),
            &["6:12 warning \"b\" has `consent = \"explicit\"`, and no page asks"],
        ),
    ]);
}

#[test]
fn tests_of_certificates() {
    let print = format!("sha256:{}", "0f".repeat(32));
    let with = |section: &str, certificate: &str, more: &str, expected: &[&str]| {
        added(
            &format!(
                "{section}[[tests]]\nname = \"t\"\nclient = \"app\"\ncertificate = {certificate}\n{more}expect = {{ username = \"x\" }}"
            ),
            expected,
        )
    };
    let good = format!("{{ subject = {{ cn = \"x\" }}, fingerprint = \"{print}\" }}");
    assert_all([
        with(SECTION, &good, "", &[]),
        with("", &good, "", &["4:15 error `certificate` must not be set without [certificates]"]),
        with(
            SECTION,
            &good,
            "claims = { sub = \"1\" }\n",
            &["9:15 error a test must have `claims` or `certificate`, not both"],
        ),
        with(
            SECTION,
            &good,
            "provider = \"staff\"\n",
            &["10:12 error `provider` must not be set beside `certificate`"],
        ),
        with(
            SECTION,
            "{ subjekt = 1 }",
            "",
            &["9:17 error `subjekt` is nothing that a certificate has here ~ `subject`"],
        ),
        with(
            SECTION,
            "{ fingerprint = \"x\" }",
            "",
            &["9:31 error `fingerprint` must be \"sha256:\" and 64 hexadecimal digits"],
        ),
    ]);
}

#[test]
fn certificates_that_people_attach_themselves() {
    let with = |lines: &str, expected: &[&str]| {
        added(&format!("[account]\nself_service_certificates = true\n{lines}"), expected)
    };
    let no_port = SECTION.replace("127.0.0.1:8444", "unix:/run/c.sock");
    assert_all([
        with(SECTION, &[]),
        with("", &["2:29 error `self_service_certificates` must not be set without [certificates]"]),
        with(&no_port, &["2:29 error `self_service_certificates` needs the address where browsers present"]),
        with(
            &format!("{SECTION}origin = \"https://mtls.example:8443\""),
            &["2:29 warning nobody can attach a certificate"],
        ),
        with(&SECTION.replace("ca = \"ca.pem\"\n", ""), &["5:1 error `ca` must be set in `certificates`"]),
    ]);
}
