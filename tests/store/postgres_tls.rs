//! TLS towards a PostgreSQL server, as `sslmode` and its companions in `store.url` say.

use crate::cluster::{Database, cluster};
use crate::postgres::{ISSUER, KEY, open_as};

/// Whether a start succeeds, by TCP with a password.
async fn starts(database: &Database, host: &str, parameters: &str) -> Result<(), String> {
    let url = format!("{}?{parameters}", database.tcp("over_tls:password", host));
    open_as(&url, &[KEY], ISSUER).await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_servers_certificate_is_verified_as_declared() {
    let database = Database::new().await;
    database.execute("DROP ROLE IF EXISTS over_tls; CREATE ROLE over_tls SUPERUSER LOGIN PASSWORD 'password'").await;
    let file = |name: &str| cluster().folder.join(name).display().to_string();
    let (ca, other) = (file("ca.crt"), file("other-ca.crt"));
    for (host, parameters) in [
        ("127.0.0.1", "sslmode=disable".to_owned()),
        ("127.0.0.1", "sslmode=prefer".to_owned()),
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={ca}")),
        ("localhost", format!("sslmode=verify-full&sslrootcert={ca}")),
    ] {
        starts(&database, host, &parameters).await.unwrap_or_else(|error| panic!("{parameters}: {error}"));
    }
    for (host, parameters, said) in [
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={ca}"), "not valid for"),
        ("localhost", format!("sslmode=verify-full&sslrootcert={other}"), "certificate"),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={other}"), "certificate"),
        ("localhost", format!("sslmode=require&sslrootcert={other}"), "certificate"),
        ("localhost", "sslmode=verify-full".to_owned(), "certificate"),
        ("localhost", "sslmode=verify-full&sslrootcert=/nowhere/ca.pem".to_owned(), "/nowhere/ca.pem"),
    ] {
        let error = starts(&database, host, &parameters).await.unwrap_err();
        assert!(error.contains(said) && error.lines().count() == 1, "{parameters}: {error}");
    }
}

#[tokio::test]
async fn the_broker_shows_a_certificate() {
    let database = Database::new().await;
    database.execute("DROP ROLE IF EXISTS certified; CREATE ROLE certified SUPERUSER LOGIN").await;
    let file = |name: &str| cluster().folder.join(name).display().to_string();
    let url = database.tcp("certified", "localhost");
    let without = format!("{url}?sslmode=verify-full&sslrootcert={}", file("ca.crt"));
    assert!(open_as(&without, &[KEY], ISSUER).await.is_err());
    let with = format!("{without}&sslcert={}&sslkey={}", file("client.crt"), file("client.key"));
    open_as(&with, &[KEY], ISSUER).await.unwrap();
}
