//! Revocation lists of client certificates (`certificates.crl`): what is refused, and that nothing is accepted without a list.

use std::path::PathBuf;

use rcgen::{CertificateParams, SerialNumber};
use serde_json::Value;
use tempfile::TempDir;

use crate::certificates::exchange;
use crate::harness::certificates::{Ca, Leaf, escaped};
use crate::harness::compose::prepared_from;
use crate::harness::{BASE, Browser, START, TestApp};

const TABLES: &str = r#"
[server]
trusted_proxies = ["10.0.0.0/8"]
[certificates]
listen = ["127.0.0.1:8444"]
ca = "clients-ca.pem"
crl = "clients.crl"
clients = ["app"]
create_users = true
"#;

/// A configuration on disk with an authority and its revocation lists.
struct World {
    folder: TempDir,
    root: Ca,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), root: Ca::root("Revoking CA", |_| {}) };
        std::fs::write(world.path("broker.toml"), format!("{BASE}{TABLES}")).unwrap();
        std::fs::write(world.path("clients-ca.pem"), &world.root.pem).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, list: impl AsRef<[u8]>) {
        std::fs::write(self.path("clients.crl"), list).unwrap();
    }

    /// What `check` says about the lists.
    fn problems(&self, now: i64) -> String {
        let prepared = prepared_from(&self.path("broker.toml"), false, now);
        let told = prepared.problems.iter().map(|problem| format!("{problem}\n"));
        told.filter(|problem| problem.contains("`crl`")).collect()
    }
}

fn with_serial(number: u64) -> impl FnOnce(&mut CertificateParams) {
    move |params| params.serial_number = Some(SerialNumber::from(number))
}

async fn refused(app: &TestApp, leaf: &Leaf, reason: &str) {
    let reply = exchange(app, leaf, "openid").await;
    reply.assert_json_error(400, "invalid_grant");
    assert!(reply.text().contains(reason), "{reason}: {reply}");
}

/// A revoked certificate is refused as soon as the list says so, also one that was accepted a moment ago; and a list that has
/// expired admits nobody.
#[tokio::test]
async fn d17_a_revoked_certificate_is_refused_and_so_is_any_without_a_current_list() {
    let world = World::new();
    world.write(world.root.revoking(&[7], (2026, 11, 8)));
    let app = TestApp::on_disk(&world.path("broker.toml")).await;
    let mut reloader = app.broker.reloader(&world.path("broker.toml"));
    let [seven, eight, nine] =
        [7, 8, 9].map(|serial| world.root.issue(&format!("robot-{serial}"), with_serial(serial)));
    refused(&app, &seven, "has been revoked").await;
    assert_eq!(exchange(&app, &eight, "openid").await.status, 200);

    world.write(world.root.revoking(&[7, 8], (2026, 11, 8)));
    assert!(format!("{:?}", reloader.reload().await).contains("Applied"));
    refused(&app, &eight, "has been revoked").await;
    assert_eq!(exchange(&app, &nine, "openid").await.status, 200);
    let status: Value = serde_json::from_str(&app.broker.status().await).unwrap();
    assert_eq!(status["revocation_lists_due_at"], START + 7 * 86_400);

    app.wait(7 * 86_400 + 1);
    refused(&app, &nine, "revocation list of the certificate's authority has expired").await;
    assert!(world.problems(app.now()).contains("expired on 2026-11-08 00:00 UTC"), "{}", world.problems(app.now()));
    // What can't be used changes nothing, and says so.
    world.write("nonsense");
    assert!(format!("{:?}", reloader.reload().await).contains("Refused"));
    world.write(world.root.revoking(&[7], (2026, 12, 8)));
    assert!(format!("{:?}", reloader.reload().await).contains("Applied"));
    assert_eq!(exchange(&app, &nine, "openid").await.status, 200);
    assert_eq!(exchange(&app, &eight, "openid").await.status, 200, "a list says everything");
    refused(&app, &seven, "has been revoked").await;
}

/// Every certificate of a chain needs a list of its issuer, signed by it.
#[tokio::test]
async fn d17_a_chain_needs_the_lists_of_all_its_authorities() {
    let world = World::new();
    let middle = world.root.intermediate("Middle CA", with_serial(70));
    let leaf = middle.issue("robot", with_serial(7));
    let chain = format!("{}{}", leaf.escaped(), escaped(&middle.pem));
    let answer = async |lists: &[String]| {
        world.write(lists.concat());
        std::fs::write(world.path("clients-ca.pem"), format!("{}{}", world.root.pem, middle.pem)).unwrap();
        let app = TestApp::on_disk(&world.path("broker.toml")).await;
        let secret = crate::harness::app::secret_of("app");
        let form = [
            ("grant_type", "urn:countersign:grant:certificate"),
            ("scope", "openid"),
            ("client_id", "app"),
            ("client_secret", secret.as_str()),
        ];
        let mut script = Browser::presenting("x-client-cert", &chain);
        let reply = script.send(&app, http::Method::POST, "/oauth2/token", Some(&form), &[]).await;
        let told = reply.json()["error_description"].as_str().unwrap_or_default().to_owned();
        (reply.status.as_u16(), told)
    };
    let (of_root, of_middle) = (world.root.revoking(&[], (2026, 12, 1)), middle.revoking(&[], (2026, 12, 1)));
    assert_eq!(answer(&[of_root.clone(), of_middle.clone()]).await.0, 200);
    for (lists, reason) in [
        (vec![of_root.clone()], "no revocation list"),
        (vec![of_middle.clone()], "no revocation list"),
        (vec![of_root.clone(), middle.revoking(&[7], (2026, 12, 1))], "has been revoked"),
        (vec![world.root.revoking(&[70], (2026, 12, 1)), of_middle.clone()], "has been revoked"),
        (vec![of_root.clone(), middle.revoking(&[], (2026, 10, 31))], "has expired"),
        // Another key under the same name.
        (
            vec![of_root, Ca::root("Middle CA", |_| {}).revoking(&[], (2026, 12, 1))],
            "not signed by a key of that authority",
        ),
    ] {
        let (status, told) = answer(&lists).await;
        assert!(status == 400 && told.contains(reason), "{reason}: {status} {told}");
    }
}

#[tokio::test]
async fn lists_that_can_not_be_used_are_refused_when_they_are_read() {
    let world = World::new();
    let pem = world.root.revoking(&[7], (2026, 11, 8));
    let der = {
        let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(text).unwrap()
    };
    world.write(&der);
    assert_eq!(world.problems(START), "", "DER is read as well as PEM");
    // The same number as that of the list on which a delta is based (RFC 5280 §5.2.4).
    let number = der.windows(3).position(|oid| oid == [0x55, 0x1d, 0x14]).unwrap();
    let mut delta = der.clone();
    delta[number + 2] = 0x1b;
    let stranger = Ca::root("Another CA", |_| {});
    let cases: [(&[u8], &str); 5] = [
        (&delta, "a delta list"),
        (&der[..der.len() / 2], "can't be read"),
        (b"", "can't be read"),
        (world.root.pem.as_bytes(), "no revocation list"),
        (
            stranger.revoking(&[], (2026, 12, 1)).leak().as_bytes(),
            "of O=Example, CN=Another CA, whose certificate `ca` does not",
        ),
    ];
    for (file, said) in cases {
        world.write(file);
        let problems = world.problems(START);
        assert!(problems.contains("`crl` must hold revocation lists") && problems.contains(said), "{said}: {problems}");
    }
    std::fs::remove_file(world.path("clients.crl")).unwrap();
    assert!(world.problems(START).contains("`crl`: the file"), "{}", world.problems(START));
}
