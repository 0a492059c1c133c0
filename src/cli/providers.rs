//! `countersign providers`: list and show the providers of a file, and probe one before people depend on it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cli::broker::Broker;
use crate::cli::printable::Printable;
use crate::cli::probe::{self, Probe, Told};
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
        /// Ask the API that groups come from (`groups_from`) with the access token in this file, where it is asked as the person
        /// who signs in.
        #[arg(long, value_name = "FILE")]
        access_token: Option<PathBuf>,
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
        ProvidersCommand::Probe { id, person, claims, access_token, .. } => {
            let told = Told { person: person.as_deref(), claims: claims.as_deref() };
            let sent = match told.read(&broker, id, files, out)? {
                Ok(sent) => sent,
                Err(exit) => return Ok(exit),
            };
            let access_token = match probe::read_token(access_token.as_deref(), files, out)? {
                Ok(token) => token,
                Err(exit) => return Ok(exit),
            };
            let probe = Probe { broker: &broker, id, without_secrets, sent, access_token, as_json: args.json };
            probe.run(http, out)
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
mod tests;
