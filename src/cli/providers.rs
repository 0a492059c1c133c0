//! `countersign providers`: list and show the providers of a file, and probe one before people depend on it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cli::broker::Broker;
use crate::cli::printable::Printable;
use crate::cli::probe::{Probe, Told};
use crate::cli::{ConfigArgs, Environment, Exit, broker, table};
use crate::config::language::provider::Provider;
use crate::config::load::files::Files;
use crate::config::load::origins::OriginRow;
use crate::config::resolved::preset;
use crate::decision::policy::key_segment;
use crate::outbound::HttpClient;
use crate::upstream::ProviderSettings;

/// Arguments of `providers`.
#[derive(Clone, Debug, Args)]
pub struct ProvidersArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ProvidersCommand,
    /// The configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What `providers` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum ProvidersCommand {
    /// List the providers of the file.
    List,
    /// Show all settings of a provider, with defaults and where each is set.
    Show {
        /// The provider's id in the file.
        id: String,
    },
    /// Ask a provider for its documents, and its token endpoint with our credentials and a code that does not exist. Exit
    /// code 1 when sign-ins would fail. With `--config NEW`, before NEW is put to work.
    Probe {
        /// The provider's id in the file.
        id: String,
        /// Do not read secrets: the token endpoint is not asked.
        #[arg(long)]
        without_secrets: bool,
        /// Propose lines of the file by the claims of this person's last sign-in there: a username, a `sub`, or a verified
        /// address.
        #[arg(long, value_name = "PERSON")]
        person: Option<String>,
        /// Propose lines of the file by the claims in this file: a JSON object, such as a userinfo response, or a JWT, which is
        /// read and not verified.
        #[arg(long, value_name = "FILE", conflicts_with = "person")]
        claims: Option<PathBuf>,
    },
}

/// What a list says of a provider; never its secret.
#[derive(Serialize)]
struct Row<'b> {
    id: &'b str,
    name: &'b str,
    enabled: bool,
    client_id: &'b str,
    issuer: Option<&'b str>,
    backchannel_url: Option<&'b str>,
    redirect_uri: &'b str,
    create_users: bool,
    create_roles: bool,
}

/// Runs the command. Calls to the provider go through `http`.
///
/// # Errors
/// When the writer fails.
pub fn run(
    args: &ProvidersArgs,
    environment: &Environment,
    files: &dyn Files,
    http: Arc<dyn HttpClient>,
    out: &mut dyn Write,
) -> io::Result<Exit> {
    let out = &mut Printable::new(out);
    let without_secrets = !matches!(args.command, ProvidersCommand::Probe { without_secrets: false, .. });
    let broker = match broker::load(&args.source, environment, files, without_secrets, out)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    match &args.command {
        ProvidersCommand::List => list(&broker, args.json, out),
        ProvidersCommand::Show { id } => match row(&broker, id) {
            Some(row) => show(&broker, &row, args.json, out),
            None => unknown(&broker, id, out),
        },
        ProvidersCommand::Probe { id, .. } if !broker.snapshot.providers.contains_key(id) => unknown(&broker, id, out),
        ProvidersCommand::Probe { id, person, claims, .. } => {
            let told = Told { person: person.as_deref(), claims: claims.as_deref() };
            match told.read(&broker, id, files, out)? {
                Ok(sent) => {
                    let probe = Probe { broker: &broker, id, without_secrets, sent, as_json: args.json };
                    probe.run(http, out)
                }
                Err(exit) => Ok(exit),
            }
        }
    }
}

fn unknown(broker: &Broker, id: &str, out: &mut dyn Write) -> io::Result<Exit> {
    let known: Vec<&str> = broker.snapshot.config.providers.keys().map(String::as_str).collect();
    match known.is_empty() {
        true => writeln!(out, "error: there is no provider {id}; the file declares none")?,
        false => writeln!(out, "error: there is no provider {id}; the file declares {}", known.join(", "))?,
    }
    Ok(Exit::Problem)
}

fn row<'b>(broker: &'b Broker, id: &str) -> Option<Row<'b>> {
    let (id, declared) = broker.snapshot.config.providers.get_key_value(id)?;
    let resolved = broker.snapshot.provider(id)?;
    Some(Row {
        id,
        name: &resolved.name,
        enabled: resolved.enabled,
        client_id: &declared.client_id,
        issuer: resolved.issuer.as_deref(),
        backchannel_url: declared.backchannel_url.as_deref(),
        redirect_uri: &resolved.redirect_uri,
        create_users: declared.create_users,
        create_roles: declared.create_roles,
    })
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

fn list(broker: &Broker, as_json: bool, out: &mut dyn Write) -> io::Result<Exit> {
    let rows: Vec<Row<'_>> = broker.snapshot.config.providers.keys().filter_map(|id| row(broker, id)).collect();
    if as_json {
        writeln!(out, "{:#}", json!({ "providers": rows }))?;
        return Ok(Exit::Fine);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.id.to_owned(),
                row.name.to_owned(),
                yes(row.enabled),
                row.client_id.to_owned(),
                row.issuer.unwrap_or_default().to_owned(),
                row.backchannel_url.unwrap_or_default().to_owned(),
                row.redirect_uri.to_owned(),
                yes(row.create_users),
                yes(row.create_roles),
            ]
        })
        .collect();
    const HEADINGS: [&str; 9] = [
        "ID",
        "NAME",
        "ENABLED",
        "CLIENT ID",
        "ISSUER",
        "BACK CHANNEL",
        "REDIRECT URL",
        "CREATE USERS",
        "CREATE ROLES",
    ];
    table::write(out, &HEADINGS, &cells)?;
    Ok(Exit::Fine)
}

fn show(broker: &Broker, row: &Row<'_>, as_json: bool, out: &mut dyn Write) -> io::Result<Exit> {
    let prefix = format!("providers.{}.", key_segment(row.id));
    let own = |setting: &&OriginRow| setting.path.starts_with(&prefix);
    let settings: Vec<(&str, &OriginRow)> = broker
        .prepared
        .origins
        .iter()
        .filter(own)
        .filter_map(|setting| Some((setting.path.strip_prefix(&prefix)?, setting)))
        .collect();
    let used = broker.snapshot.providers.get(row.id).zip(broker.snapshot.config.providers.get(row.id));
    if as_json {
        let mut document = serde_json::to_value(row)?;
        let settings: Map<String, Value> = settings
            .iter()
            .map(|(key, setting)| {
                ((*key).to_owned(), json!({ "value": setting.value, "origin": setting.origin.to_string() }))
            })
            .collect();
        if let Some(object) = document.as_object_mut() {
            object.insert("settings".to_owned(), Value::Object(settings));
            if let Some((used, declared)) = used {
                object.insert("preset".to_owned(), json!(declared.preset));
                object.insert("scopes".to_owned(), json!(used.scopes));
                object.insert("optional_scopes".to_owned(), json!(used.optional_scopes));
                object.insert("claims_from".to_owned(), json!(used.claims_from));
                object.insert("quirks".to_owned(), json!(preset::written_or_preset(declared)));
            }
        }
        writeln!(out, "{document:#}")?;
        return Ok(Exit::Fine);
    }
    writeln!(out, "{} ({})", row.name, row.id)?;
    writeln!(out, "  redirect URL  {}", row.redirect_uri)?;
    if let Some((used, declared)) = used {
        show_defaults(used, declared, out)?;
    }
    writeln!(out)?;
    let cells: Vec<Vec<String>> = settings
        .into_iter()
        .map(|(key, setting)| vec![key.to_owned(), setting.value.clone(), setting.origin.to_string()])
        .collect();
    table::write(out, &["SETTING", "VALUE", "SET AT"], &cells)?;
    Ok(Exit::Fine)
}

/// What is used of the preset, or in its place.
fn show_defaults(used: &ProviderSettings, declared: &Provider, out: &mut dyn Write) -> io::Result<()> {
    let preset = declared.preset.name();
    writeln!(out, "  preset        {preset}")?;
    writeln!(out, "  scopes        {}", used.scopes.join(" "))?;
    if !used.optional_scopes.is_empty() {
        writeln!(out, "  if offered    {}", used.optional_scopes.join(" "))?;
    }
    let sources: Vec<String> = used
        .claims_from
        .iter()
        .filter_map(|source| Some(serde_json::to_value(source).ok()?.as_str()?.to_owned()))
        .collect();
    writeln!(out, "  claims from   {}", sources.join(", "))?;
    let written = serde_json::to_value(&declared.quirks)?;
    let quirks = serde_json::to_value(preset::written_or_preset(declared))?;
    for (name, value) in quirks.as_object().into_iter().flatten() {
        let origin = if written.get(name).is_some() { "the file" } else { preset };
        writeln!(out, "  quirk         {name} = {value}, by {origin}")?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::config::load::files::Memory;
    use crate::env::ManualClock;
    use crate::support::provider::Idp;

    const FILE: &str = "issuer = \"https://sso.example.com\"\n[providers.corp]\nname = \"Staff\"\nissuer = \"https://idp.example\"\nclient_id = \"broker\"\nclient_secret = { env = \"SECRET\" }\nbackchannel_url = \"https://10.1.2.3\"\ncreate_users = false\n";

    #[test]
    fn a_provider_is_shown_with_its_preset_s_quirks_and_where_each_is_from() {
        let file = FILE
            .replace("name = \"Staff\"", "name = \"Staff\"\npreset = \"entra\"\nquirks = { booleans = [\"flag\"] }");
        let files = Memory::of([("b.toml", file.as_str())]);
        let shown = |json| {
            let source = ConfigArgs { config: PathBuf::from("b.toml"), overlay: Vec::new() };
            let args = ProvidersArgs { command: ProvidersCommand::Show { id: "corp".to_owned() }, source, json };
            let mut out = Vec::new();
            run(&args, &Environment::new(), &files, idp() as _, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = shown(false);
        for line in [
            "preset        entra",
            "scopes        openid profile email User.Read",
            "quirk         subject_claims = [\"oid\",\"tid\"], by entra",
            "quirk         booleans = [\"flag\"], by the file",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let document: Value = serde_json::from_str(&shown(true)).unwrap();
        assert_eq!(document.pointer("/quirks/tenant_issuer"), Some(&json!(true)));
        assert_eq!(document.pointer("/preset"), Some(&json!("entra")));
    }

    fn ran(command: ProvidersCommand, json: bool, idp: &Arc<Idp>) -> (Exit, String) {
        ran_with(FILE, &[], command, json, idp)
    }

    fn ran_with(
        file: &str,
        more: &[(&str, &str)],
        command: ProvidersCommand,
        json: bool,
        idp: &Arc<Idp>,
    ) -> (Exit, String) {
        let files = Memory::of([("b.toml", file)].into_iter().chain(more.iter().copied()));
        let source = ConfigArgs { config: PathBuf::from("b.toml"), overlay: Vec::new() };
        let environment = Environment::from([("SECRET".to_owned(), "canary-secret-0123456789".to_owned())]);
        let args = ProvidersArgs { command, source, json };
        let mut out = Vec::new();
        let exit = run(&args, &environment, &files, Arc::clone(idp) as _, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains("canary"), "{out}");
        (exit, out)
    }

    fn idp() -> Arc<Idp> {
        Arc::new(Idp::new("https://idp.example", ManualClock::at(0)))
    }

    #[test]
    fn lists_have_the_addresses_and_the_two_flags_and_never_the_secret() {
        let (exit, out) = ran(ProvidersCommand::List, false, &idp());
        assert_eq!(exit, Exit::Fine);
        let cells: Vec<&str> = out.lines().nth(1).unwrap().split("  ").filter(|cell| !cell.is_empty()).collect();
        let cells: Vec<&str> = cells.into_iter().map(str::trim).collect();
        let expected = [
            "corp",
            "Staff",
            "yes",
            "broker",
            "https://idp.example",
            "https://10.1.2.3",
            "https://sso.example.com/callback/corp",
            "no",
            "no",
        ];
        assert_eq!(cells, expected);
        let (_, out) = ran(ProvidersCommand::List, true, &idp());
        let document: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(document.pointer("/providers/0/create_users"), Some(&json!(false)));
        let (_, out) = ran(ProvidersCommand::Show { id: "corp".to_owned() }, false, &idp());
        assert!(
            out.contains("client_secret") && out.contains("{ env = \"SECRET\" }") && out.contains("b.toml:6:"),
            "{out}"
        );
        let (exit, out) = ran(ProvidersCommand::Show { id: "cop".to_owned() }, false, &idp());
        assert_eq!((exit, out.as_str()), (Exit::Problem, "error: there is no provider cop; the file declares corp\n"));
    }

    #[test]
    fn a_probe_exits_with_1_when_sign_ins_would_fail() {
        let probe = |without_secrets| probing(without_secrets, None);
        let idp = idp();
        let (exit, out) = ran(probe(false), false, &idp);
        assert_eq!(exit, Exit::Problem, "the provider knows another secret: {out}");
        assert!(out.contains("refuses our credentials") && out.ends_with("corp: sign-ins would fail\n"), "{out}");
        let ours = STANDARD.encode("broker:canary-secret-0123456789");
        idp.authenticate(move |call| call.authorization == Some(format!("Basic {ours}")));
        let (exit, out) = ran(probe(false), true, &idp);
        let document: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((exit, document.pointer("/trouble")), (Exit::Fine, Some(&json!(false))), "{out}");
        let calls = idp.count("token");
        let (exit, out) = ran(probe(true), false, &idp);
        assert!(exit == Exit::Fine && out.contains("skipped"), "{out}");
        assert_eq!(idp.count("token"), calls);
    }

    fn probing(without_secrets: bool, claims: Option<&str>) -> ProvidersCommand {
        let claims = claims.map(PathBuf::from);
        ProvidersCommand::Probe { id: "corp".to_owned(), without_secrets, person: None, claims }
    }

    #[test]
    fn lines_are_proposed_by_what_the_provider_says_or_sends_and_pass_check_as_an_overlay() {
        let idp = idp();
        idp.edit_discovery(|document| {
            document.insert("claims_supported".to_owned(), json!(["sub", "email", "email_verified", "cognito:groups"]));
            document.insert("scopes_supported".to_owned(), json!(["openid", "profile", "email", "groups"]));
        });
        let (_, out) = ran(probing(true, None), false, &idp);
        for line in [
            "scopes = [\"openid\", \"profile\", \"email\", \"groups\"]",
            "username = \"claims.email\"",
            "groups = \"claims['cognito:groups']\"",
        ] {
            assert!(out.contains(line), "{line}: {out}");
        }
        let sent = r#"{ "sub": "1", "mail": "dora@corp.example", "email_verified": "true", "realm_access": { "roles": ["viewer"] },
            "https://corp.example/groups": [{ "id": "g1", "name": "sre" }], "department": "Platform" }"#;
        let (_, out) = ran_with(FILE, &[("sent.json", sent)], probing(true, Some("sent.json")), true, &idp);
        let document: Value = serde_json::from_str(&out).unwrap();
        let toml = document.pointer("/proposal").and_then(Value::as_str).unwrap();
        let expected = "[providers.corp]\nscopes = [\"openid\", \"profile\", \"email\", \"groups\"]";
        assert!(!toml.contains(expected), "the groups come without the scope: {toml}");
        for line in [
            "username = \"claims.mail\"",
            "email = \"claims.mail\"",
            "groups = \"claims['https://corp.example/groups'].map(g, g.name)\"",
            "roles = \"claims.realm_access.roles\"",
            "booleans = [\"email_verified\"]",
        ] {
            assert!(toml.contains(line), "{line}: {toml}");
        }
        let sent_names: Vec<&str> =
            document.pointer("/sent").unwrap().as_object().unwrap().keys().map(String::as_str).collect();
        assert!(sent_names.contains(&"department"), "{sent_names:?}");
        assert!(!out.contains("Platform") && !out.contains("dora@"), "values are not shown: {out}");
        let files = Memory::of([("b.toml", FILE), ("proposal.toml", toml)]);
        let source = ConfigArgs { config: PathBuf::from("b.toml"), overlay: vec![PathBuf::from("proposal.toml")] };
        let args = ProvidersArgs { command: ProvidersCommand::List, source, json: false };
        let mut out = Vec::new();
        let exit = run(&args, &Environment::new(), &files, Arc::clone(&idp) as _, &mut out).unwrap();
        assert_eq!(exit, Exit::Fine, "{}", String::from_utf8_lossy(&out));
        // A JWT, and what is neither.
        let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwidXBuIjoiZG9yYUBjb3JwIn0.";
        let (_, out) = ran_with(FILE, &[("jwt", jwt)], probing(true, Some("jwt")), false, &idp);
        assert!(out.contains("username = \"claims.upn\""), "{out}");
        for (text, part) in [("[1]", "neither a JSON object nor a JWT"), ("a.b.c", "neither a JSON object nor a JWT")] {
            let (exit, out) = ran_with(FILE, &[("odd", text)], probing(true, Some("odd")), false, &idp);
            assert!(exit == Exit::Problem && out.contains(part), "{out}");
        }
        let (exit, out) = ran(probing(true, Some("none.json")), false, &idp);
        assert!(exit == Exit::CouldNotRun && out.contains("none.json"), "{out}");
        assert_eq!(idp.count("token"), 0);
    }
}
