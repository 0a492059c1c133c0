//! Starting on a PostgreSQL server: what is wrong is said in one line, and nothing is touched.

use std::os::unix::fs::PermissionsExt as _;

use countersign::store::postgres::{OpenError, Target};
use countersign::store::{Accounts as _, Sessions as _, SignInWritten};

use crate::cluster::{Database, cluster, connect};
use crate::fixtures::{NOW, person};
use crate::postgres::{ISSUER, KEY, open_as};

/// The names of the tables of a database.
async fn tables(database: &Database) -> Vec<String> {
    let names = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let rows = connect(&database.name).await.query(names, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The error of a start, in one line.
async fn refused(url: &str, keys: &[&[u8]], issuer: &str) -> OpenError {
    let error = open_as(url, keys, issuer).await.unwrap_err();
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    error
}

#[test]
fn a_target_is_read_from_its_url() {
    for url in [
        "postgres://db.example/broker",
        "postgresql://broker@db1.example:5433,db2.example/broker?target_session_attrs=read-write&connect_timeout=3",
        "postgres://broker@%2Frun%2Fpostgresql/broker?pool_max_conns=4&statement_timeout=5000&lock_timeout=500",
        "postgres://broker@db.example/broker?sslmode=verify-full",
        "postgres://broker:secret@db.example/broker?sslmode=verify-ca&sslrootcert=/etc/ca.pem&application_name=a%20b",
        "postgres:///broker?host=/run/postgresql&options=-csearch_path%3Dbroker",
    ] {
        let target = Target::from_url(url).unwrap().unwrap();
        assert!(!target.to_string().contains("secret"), "{target}");
    }
    for (url, said) in [
        ("postgres:///broker", "names no host"),
        ("postgres://db/broker?sslmode=allow", "sslmode=allow"),
        ("postgres://db/broker?sslmode=verify-ca", "without sslrootcert"),
        ("postgres://db/broker?sslmode=verify-ca&sslrootcert=system", "verify-full"),
        ("postgres://db/broker?sslcert=/a.pem", "only one of sslcert and sslkey"),
        ("postgres://db/broker?sslrootcert=ca.pem", "absolute path"),
        ("postgres://db/broker?passfile=system", "absolute path"),
        ("postgres://db/broker?target_session_attrs=any", "read-write"),
        ("postgres://db/broker?channel_binding=require", "verify-full"),
        ("postgres://db/broker?pool_max_conns=0", "positive number"),
        ("postgres://db/broker?lock_timeout=soon", "positive number"),
        ("postgres://db/broker?passfile=/nowhere/pass", "/nowhere/pass"),
        ("postgres://db/broker?colour=red", "colour"),
    ] {
        let error = Target::from_url(url).unwrap().unwrap_err();
        assert!(error.contains(said), "{url}: {error}");
    }
    assert!(Target::from_url("sqlite:state/broker.db").is_none());
}

#[tokio::test]
async fn a_password_comes_from_a_file() {
    let database = Database::new().await;
    database
        .execute("DROP ROLE IF EXISTS with_password; CREATE ROLE with_password SUPERUSER LOGIN PASSWORD 'pa:ss'")
        .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pass");
    let port = cluster().port;
    let lines =
        format!("# host:port:database:user:password\nother:*:*:*:no\nlocalhost:{port}:*:with_password:pa\\:ss\n");
    std::fs::write(&file, lines).unwrap();
    let url = format!("{}?passfile={}", database.tcp("with_password", "localhost"), file.display());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = refused(&url, &[KEY], ISSUER).await.to_string();
    assert!(error.contains("0600"), "{error}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    open_as(&url, &[KEY], ISSUER).await.unwrap();

    let wrong = database.tcp("with_password:CANARY-password", "localhost");
    let error = refused(&wrong, &[KEY], ISSUER).await;
    assert!(matches!(error, OpenError::Refused { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("password authentication failed") && !said.contains("CANARY"), "{said}");
    let none = refused(&database.tcp("with_password", "localhost"), &[KEY], ISSUER).await;
    assert!(matches!(none, OpenError::Refused { .. }), "{none:?}");
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_said() {
    let database = Database::new().await;
    let url = database.url();
    assert!(matches!(refused(&url, &[], ISSUER).await, OpenError::NoKeys));
    assert!(matches!(refused(&url, &[b"short"], ISSUER).await, OpenError::Sealer(_)));
    let missing = url.replace(&database.name, "missing");
    assert!(matches!(refused(&missing, &[KEY], ISSUER).await, OpenError::NoDatabase { .. }));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = refused(&format!("postgres://broker@{closed}/broker"), &[KEY], ISSUER).await;
    assert!(matches!(away, OpenError::Unsuitable { .. }), "{away:?}");

    let name = &database.name;
    database.execute("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN").await;
    let plain = url.replace("postgres@", "plain@");
    let error = refused(&plain, &[KEY], ISSUER).await;
    assert!(matches!(error, OpenError::NoRights { .. }), "{error:?}");
    assert!(error.to_string().contains("GRANT CREATE, USAGE ON SCHEMA public TO plain"), "{error}");
    database.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let error = refused(&url, &[KEY], ISSUER).await;
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error:?}");
    assert!(tables(&database).await.is_empty());

    let elsewhere = connect("postgres").await;
    elsewhere.batch_execute("DROP DATABASE IF EXISTS in_latin").await.unwrap();
    let latin = "CREATE DATABASE in_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'";
    elsewhere.batch_execute(latin).await.unwrap();
    let error = refused(&url.replace(name, "in_latin"), &[KEY], ISSUER).await;
    assert!(error.to_string().contains("ENCODING 'UTF8'"), "{error}");
}

#[tokio::test]
async fn a_role_that_may_create_tables_in_its_schema_is_enough() {
    let database = Database::new().await;
    let create = "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN; CREATE SCHEMA broker AUTHORIZATION modest;
        CREATE TABLE public.of_another_program (id integer)";
    database.execute(create).await;
    let url = database.url().replace("postgres@", "modest@");
    let url = format!("{url}?options=-csearch_path%3Dbroker");
    let store = open_as(&url, &[KEY], ISSUER).await.unwrap();
    assert_eq!(store.finish_sign_in(person("alice").sign_in("s"), NOW).await.unwrap(), SignInWritten::Done);
    assert_eq!(tables(&database).await, ["of_another_program"]);
    connect("postgres").await.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", database.name)).await.unwrap();
    connect("postgres").await.batch_execute("DROP ROLE modest").await.unwrap();
}

#[tokio::test]
async fn another_programs_schema_is_refused_and_left_alone() {
    let database = Database::new().await;
    database.execute("CREATE TABLE theirs (id integer)").await;
    let error = refused(&database.url(), &[KEY], ISSUER).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert!(error.to_string().contains("theirs"), "{error}");
    assert_eq!(tables(&database).await, ["theirs"]);
}

#[tokio::test]
async fn a_newer_schema_another_issuer_and_other_keys_are_refused() {
    let database = Database::new().await;
    let url = database.url();
    let store = open_as(&url, &[KEY], ISSUER).await.unwrap();
    store.finish_sign_in(person("alice").sign_in("s"), NOW).await.unwrap();

    let error = refused(&url, &[b"a key that sealed nothing here"], ISSUER).await;
    assert!(matches!(error, OpenError::WrongKey { .. }), "{error:?}");
    open_as(&url, &[b"a key that replaces the other one", KEY], ISSUER).await.unwrap();

    let error = refused(&url, &[KEY], "https://other.example").await;
    assert!(matches!(error, OpenError::OtherIssuer { .. }), "{error:?}");
    // The way out that the error names.
    database.execute("UPDATE countersign_store SET issuer = 'https://other.example'").await;
    open_as(&url, &[KEY], "https://other.example").await.unwrap();

    database.execute("UPDATE countersign_store SET version = 99").await;
    let error = refused(&url, &[KEY], "https://other.example").await;
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("newer version"), "{error}");
    assert!(store.user("key-alice").await.unwrap().is_some(), "one that runs goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_replicas_may_start_on_no_store_at_once() {
    let database = Database::new().await;
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = database.url();
        starts.spawn(async move { open_as(&url, &[KEY], ISSUER).await.map(drop).map_err(|error| error.to_string()) });
    }
    for started in starts.join_all().await {
        started.unwrap();
    }
}

#[tokio::test]
async fn a_version_that_is_rolled_out_leaves_the_functions_of_the_one_before() {
    let database = Database::new().await;
    let store = open_as(&database.url(), &[KEY], ISSUER).await.unwrap();
    let count = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace";
    let functions = async || connect(&database.name).await.query_one(count, &[]).await.unwrap().get::<_, i64>(0);
    let before = functions().await;
    // As if another version had put its own beside them.
    database.execute("CREATE FUNCTION touch_session_0123456789ab() RETURNS integer LANGUAGE sql AS 'SELECT 1'").await;
    open_as(&database.url(), &[KEY], ISSUER).await.unwrap();
    assert_eq!(functions().await, before + 1);
    assert_eq!(store.finish_sign_in(person("alice").sign_in("s"), NOW).await.unwrap(), SignInWritten::Done);
}
