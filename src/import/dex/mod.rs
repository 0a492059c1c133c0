//! Dex's `config.yaml` → `broker.toml`, except the connectors and the clients, which have files of their own.

mod clients;
mod common;
mod connectors;
mod github;
mod known;
mod wrapped;

use serde_json::Value;

use crate::config::check::urls::network;
use crate::config::language::address::Listen;
use crate::config::language::toml_text;
use crate::import::document::{Document, Mark, Table, Toml, inline};
use crate::import::read::{below, is_set, items, on, text, texts, yaml_documents};
use crate::import::words;
use crate::import::words::{Ids, LONGEST, duration};

/// Sections of which a Dex configuration has at least one.
const KNOWN: &[&str] = &["issuer", "connectors", "staticClients", "storage", "web", "staticPasswords"];

/// Converts a configuration of Dex.
///
/// # Errors
/// The text is not a configuration of Dex.
pub(crate) fn import(text: &str, issuer: Option<&str>) -> Result<Document, String> {
    let documents = yaml_documents(text)?;
    if documents.is_empty() {
        return Err("is empty: a configuration of Dex is expected".to_owned());
    }
    let wrapped::Found { config: dex, path, beside } = wrapped::find(&documents)?;
    if dex.get("kind").is_some() && dex.get("apiVersion").is_some() {
        return Err("is a Kubernetes object: import the `config.yaml` inside it".to_owned());
    }
    if !KNOWN.iter().any(|key| dex.get(key).is_some()) {
        return Err("is not a configuration of Dex: it has none of `issuer`, `connectors`, `staticClients`".to_owned());
    }
    let mut document = Document::default();
    let mut head = Table::new(&[]);
    head.above(Mark::Plain, "Made from a configuration of Dex. Read every comment, then run `countersign check`.");
    head.above(
        Mark::ToDo,
        "put each secret into the file or variable that is named in its place; paths are relative to this file. Dex's own \
         place is named beside it.",
    );
    head.above(
        Mark::Changed,
        "every person gets a new `sub`: Dex made it of the connector and the upstream id. For people whom an app knows by \
         it, declare [users.NAME] with `links` and the old value as `sub`.",
    );
    if !path.is_empty() {
        let path = path.join("`, `");
        head.above(Mark::Plain, format!("It was below `{path}` of the file."));
    }
    if !beside.is_empty() {
        let beside = beside.join("`, `");
        head.above(
            Mark::NotSupported,
            format!("beside it in the file: `{beside}`. They are about how Dex is deployed."),
        );
    }
    let issuer = words::set_issuer(&mut head, issuer, self::text(&dex, "issuer").as_deref(), words::EXAMPLE_ISSUER);
    document.push(head);
    document.push(known::note_unknown(&dex));
    servers(&dex, &mut document);
    document.push(endpoints());
    lifetimes(&dex, &mut document);
    let mut ids = Ids::of_providers();
    let connectors = connectors::convert(&dex, &issuer, &mut ids, &mut document);
    local_users(&dex, &mut document);
    clients::convert(&dex, &connectors, &mut document);
    Ok(document)
}

/// Dex's paths, so that apps that do not use discovery continue to work.
fn endpoints() -> Table {
    let mut table = Table::new(&["endpoints"]);
    table.above(Mark::Plain, "Dex's paths, for apps that do not use discovery. Without this table the defaults apply.");
    for (key, path) in [
        ("authorization", "/auth"),
        ("token", "/token"),
        ("userinfo", "/userinfo"),
        ("jwks", "/keys"),
        ("introspection", "/token/introspect"),
    ] {
        table.set(key, path);
    }
    table
}

/// `web`, `telemetry`, `storage`, `grpc`, `frontend`, `logger`.
fn servers(dex: &Value, document: &mut Document) {
    let mut server = Table::new(&["server"]);
    let web = below(dex, "web");
    let tls = is_set(web, "https") || is_set(web, "tlsCert");
    let plain = text(web, "http");
    if let Some(address) = text(web, "https").or_else(|| plain.clone()) {
        let address = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address };
        match Listen::parse(&address) {
            Ok(_) => server.set("listen", vec![address]),
            Err(expected) => {
                let key = if is_set(web, "https") { "https" } else { "http" };
                server.note(
                    Mark::ToDo,
                    format!("`web.{key}` is {}; `listen` takes {expected}.", toml_text::string(&address)),
                );
            }
        }
    }
    if tls {
        let file = |key: &str| text(web, key).unwrap_or_default();
        server.set("tls", inline([("cert", file("tlsCert")), ("key", file("tlsKey"))]));
        if let Some(plain) = plain.filter(|_| is_set(web, "https")) {
            let why = "with `tls` every TCP address speaks TLS; a proxy on this machine can use a `unix:/path`.";
            server.note(Mark::Changed, format!("`web.http` {} is not listened on: {why}", toml_text::string(&plain)));
        }
    }
    let client_ip = below(web, "clientRemoteIP");
    let (proxies, odd): (Vec<String>, Vec<String>) =
        texts(client_ip, "trustedProxies").into_iter().partition(|proxy| network(proxy).is_ok());
    if !proxies.is_empty() {
        server.set("trusted_proxies", proxies);
    }
    odd.iter().for_each(|proxy| {
        server.note(Mark::ToDo, format!("trusted proxy {proxy} is neither a network nor an address."))
    });
    for (key, why) in [
        ("headers", "the security headers of the pages are fixed. A proxy can add more."),
        ("allowedHeaders", "the headers that other origins may send are fixed."),
        ("tlsMinVersion", "TLS 1.2 and 1.3 are spoken."),
        ("tlsMaxVersion", "TLS 1.2 and 1.3 are spoken."),
    ] {
        if is_set(web, key) {
            server.note(Mark::NotSupported, format!("`web.{key}`: {why}"));
        }
    }
    if let Some(header) = text(client_ip, "header").filter(|name| !name.eq_ignore_ascii_case("X-Forwarded-For")) {
        server.note(
            Mark::ToDo,
            format!("`web.clientRemoteIP.header` {header}: addresses are read from X-Forwarded-For."),
        );
    }
    document.push(server);
    document.push(admin(dex, web));
    document.push(store(below(dex, "storage")));
    document.push(rest(dex));
}

/// `telemetry`
fn admin(dex: &Value, web: &Value) -> Table {
    let mut admin = Table::new(&["admin"]);
    if let Some(address) = text(below(dex, "telemetry"), "http") {
        match Listen::parse(&address) {
            Ok(listen) if listen.is_loopback() && text(web, "http").as_ref() != Some(&address) => {
                admin.above(Mark::Plain, "Dex's `telemetry.http`: health, metrics and status.");
                admin.set("listen", address);
            }
            _ => {
                let way = "Off loopback the admin listener needs `token`; the default is 127.0.0.1:9464.";
                admin.note(Mark::ToDo, format!("`telemetry.http` was {}. {way}", toml_text::string(&address)));
                admin.set_off("listen", address);
                admin.set_off("token", words::secret_file("admin", "token"));
            }
        }
    }
    admin
}

fn store(storage: &Value) -> Table {
    let mut store = Table::new(&["store"]);
    let Some(kind) = text(storage, "type") else { return store };
    let way = "nothing in it is taken over: people sign in once more, and apps get new refresh tokens";
    store.above(Mark::Changed, format!("Dex's storage was `{}`; {way}.", toml_text::string(&kind).trim_matches('"')));
    store.set("url", "sqlite:state/broker.db");
    if kind == "postgres" {
        let way = "write the URL of an empty database, and encryption_keys, the same for all replicas";
        store.note(Mark::ToDo, format!("the store can be on PostgreSQL, for several replicas: {way}."));
        store.set_off("url", "postgres://...");
    } else if !["memory", "sqlite3"].contains(&kind.as_str()) {
        store.note(Mark::NotSupported, "only SQLite and PostgreSQL can be the store.");
    }
    store
}

/// Sections that become only a comment.
fn rest(dex: &Value) -> Table {
    let mut table = Table::new(&[]);
    for (key, mark, why) in [
        (
            "grpc",
            Mark::NotSupported,
            "`grpc`: there is no API to change clients with; this file is the place, and reloads.",
        ),
        (
            "frontend",
            Mark::ToDo,
            "[ui] has a logo, a colour, texts (\"brand.name\" is the issuer's name) and templates; Dex's `frontend` has other \
             ones.",
        ),
        (
            "sessions",
            Mark::NotSupported,
            "`sessions`: see [session]; one sign-on session for all apps, its cookie is sealed.",
        ),
        (
            "mfa",
            Mark::NotSupported,
            "`mfa`: further factors are asked for by the provider; apps can require `acr` values.",
        ),
        ("additionalFeatures", Mark::NotSupported, "`additionalFeatures`."),
        ("logger", Mark::NotSupported, "`logger`: logs are JSON or text; the variable RUST_LOG sets the level."),
    ] {
        if is_set(dex, key) {
            table.above(mark, why);
        }
    }
    table
}

/// `expiry`, `signer`, `oauth2`: lifetimes and keys.
fn lifetimes(dex: &Value, document: &mut Document) {
    let (expiry, signer) = (below(dex, "expiry"), below(dex, "signer"));
    let mut keys = Table::new(&["keys"]);
    let rotation = text(below(signer, "config"), "keysRotationPeriod").or_else(|| text(expiry, "signingKeys"));
    if let Some(seconds) = rotation.as_deref().and_then(go_duration) {
        keys.set("rotate_every", duration(seconds));
    }
    if text(signer, "type").is_some_and(|kind| kind != "local") {
        keys.note(
            Mark::NotSupported,
            "`signer`: the broker makes and keeps its signing keys itself, sealed in the store.",
        );
    }
    document.push(keys);

    let mut tokens = Table::new(&["tokens"]);
    if let Some(seconds) = text(expiry, "idTokens").as_deref().and_then(go_duration) {
        tokens.set("id_token", duration(seconds));
        tokens.set("access_token", duration(seconds));
    }
    refresh_tokens(below(expiry, "refreshTokens"), &mut tokens);
    if is_set(expiry, "deviceRequests") {
        tokens.note(Mark::NotBuilt, "`[device]`, for `expiry.deviceRequests`.");
    }
    if is_set(expiry, "authRequests") {
        tokens.note(Mark::NotSupported, "`expiry.authRequests`: how long a sign-in may take is fixed.");
    }
    document.push(tokens);
}

fn refresh_tokens(refresh: &Value, tokens: &mut Table) {
    const DEFAULT_LIFETIME: u64 = 180 * 86_400;
    const DEFAULT_INACTIVE: u64 = 30 * 86_400;
    const LONGEST_GRACE: u64 = 300;
    let seconds = |key: &str| text(refresh, key).as_deref().and_then(go_duration);
    let mut entries: Vec<(String, Toml)> = Vec::new();
    let (inactive, lifetime) = (seconds("validIfNotUsedFor"), seconds("absoluteLifetime"));
    if inactive.is_some() || lifetime.is_some() {
        let lifetime = lifetime.unwrap_or(DEFAULT_LIFETIME.max(inactive.unwrap_or_default()));
        let inactive = inactive.unwrap_or(DEFAULT_INACTIVE);
        if inactive > lifetime {
            tokens
                .note(Mark::Changed, "a token can't be unused for longer than it lives: `max_inactive` is shortened.");
        }
        entries.push(("max_inactive".to_owned(), duration(inactive.min(lifetime)).into()));
        entries.push(("max_lifetime".to_owned(), duration(lifetime).into()));
    }
    if let Some(grace) = seconds("reuseInterval") {
        if grace > LONGEST_GRACE {
            tokens.note(Mark::Changed, "`reuse_grace` is at most five minutes: it answers retries, not use.");
        }
        entries.push(("reuse_grace".to_owned(), duration(grace.min(LONGEST_GRACE)).into()));
    }
    if on(refresh, "disableRotation") {
        entries.push(("rotate".to_owned(), false.into()));
    }
    if !entries.is_empty() {
        tokens.set("refresh_token", Toml::Inline(entries));
    }
}

/// Durations in Go's format: `2160h`, `1h30m`, `1.5h`, `300ms`. Returns whole seconds, or `None` if the text is not a duration
/// or is rounded to zero.
fn go_duration(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            "us" | "µs" => 0.000_001,
            "ns" => 0.000_000_001,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    let seconds = total.round();
    // The limit makes the conversion exact.
    (seconds >= 1.0 && seconds <= LONGEST as f64).then_some(seconds as u64)
}

/// `enablePasswordDB`, `staticPasswords`: passwords are not imported; the subjects that apps know are.
fn local_users(dex: &Value, document: &mut Document) {
    let people = items(dex, "staticPasswords");
    if !on(dex, "enablePasswordDB") && people.is_empty() {
        return;
    }
    let mut left_out = Table::new(&[]);
    left_out.above(
        Mark::NotSupported,
        "`enablePasswordDB` and `staticPasswords`: Countersign keeps no passwords and takes none over. These people sign \
         in at a provider. Each block below, once it names a provider, gives its person the `sub` that apps know.",
    );
    document.push(left_out);
    for (index, person) in people.iter().enumerate() {
        let email = text(person, "email").unwrap_or_default();
        let name = text(person, "preferredUsername").or_else(|| text(person, "username"));
        let name = name.unwrap_or_else(|| if email.is_empty() { format!("person-{index}") } else { email.clone() });
        let mut user = Table::new(&["users", &name]);
        user.turn_off();
        let link = inline([("provider", "PROVIDER".to_owned()), ("email", email)]);
        user.set("links", vec![link]);
        if let Some(id) = text(person, "userID") {
            user.set("sub", subject(&id, "local"));
        }
        let groups = texts(person, "groups");
        if !groups.is_empty() {
            user.set("groups", groups);
        }
        document.push(user);
    }
}

/// The `sub` that Dex issues: base64url of a protocol buffer with the user's id (1) and the connector's (2).
fn subject(user: &str, connector: &str) -> String {
    use base64::Engine as _;
    let mut bytes = Vec::new();
    for (tag, text) in [(0x0a, user), (0x12, connector)] {
        bytes.push(tag);
        let mut length = text.len();
        while length >= 0x80 {
            bytes.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(text.as_bytes());
    }
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_go() {
        for (text, seconds) in [
            ("2160h", Some(7_776_000)),
            ("1h30m", Some(5400)),
            ("1.5h", Some(5400)),
            ("3s", Some(3)),
            ("300ms", None),
            ("1700ms", Some(2)),
            ("0s", None),
            ("10", None),
            ("", None),
            ("1d", None),
            ("-3s", None),
            ("99999999999h", None),
        ] {
            assert_eq!(go_duration(text), seconds, "{text}");
        }
    }

    #[test]
    fn subjects_are_those_of_dex() {
        let known = "CiQwOGE4Njg0Yi1kYjg4LTRiNzMtOTBhOS0zY2QxNjYxZjU0NjYSBWxvY2Fs";
        assert_eq!(subject("08a8684b-db88-4b73-90a9-3cd1661f5466", "local"), known);
        // A length of 200 is encoded in two bytes.
        assert!(subject(&"x".repeat(200), "c").starts_with("CsgBeHh4"));
    }
}
