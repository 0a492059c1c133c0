//! `countersign client`: make a secret, print a start link.

use std::io::Write;

use clap::{Args, Subcommand};

use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit};
use crate::config::language::toml_text;
use crate::config::load::files::Disk;
use crate::digest::sha256_hex;
use crate::env::{Clock as _, Random, SystemClock, SystemRandomness};
use crate::protocol::ResponseType;
use crate::snapshot::generation::{Options, prepare};

/// Arguments of `client`.
#[derive(Debug, Args)]
pub struct ClientArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ClientCommand,
}

/// What `client` can do.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Make a client secret. It is shown once; only its hash goes into the file.
    Secret {
        /// The client's key in the file.
        id: String,
    },
    /// Print the link that starts a sign-in to an app.
    Link {
        /// The client's key in the file.
        id: String,
        /// The configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &ClientArgs, environment: &Environment, out: &mut dyn Write) -> std::io::Result<Exit> {
    let out = &mut Printable::new(out);
    match &args.command {
        ClientCommand::Secret { id } => secret(id, out),
        ClientCommand::Link { id, config } => link(id, config, environment, out),
    }
}

fn secret(id: &str, out: &mut dyn Write) -> std::io::Result<Exit> {
    let random = SystemRandomness::default();
    let Ok(secret) = (&random as &dyn Random).secret() else { return Ok(Exit::CouldNotRun) };
    let hash = sha256_hex(secret.as_bytes());
    writeln!(out, "The secret of {id}, which will not be shown again:\n\n  {secret}\n")?;
    writeln!(out, "Put its hash into the file (two hashes during a rotation):\n")?;
    writeln!(out, "  [clients.{}]\n  client_secret_hashes = [\"sha256:{hash}\"]", toml_text::key(id))?;
    Ok(Exit::Fine)
}

fn link(id: &str, config: &ConfigArgs, environment: &Environment, out: &mut dyn Write) -> std::io::Result<Exit> {
    let options = Options { number: 1, without_secrets: true, now: SystemClock.now() };
    let prepared = match prepare(&config.inputs(environment), &Disk, options) {
        Ok(prepared) => prepared,
        Err(error) => {
            writeln!(out, "{error}")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let Some(snapshot) = prepared.snapshot else {
        writeln!(out, "{}", prepared.problems.render(&prepared.layers, false))?;
        return Ok(Exit::Problem);
    };
    let Some(client) = snapshot.clients.get(id) else {
        writeln!(
            out,
            "there is no client {id}; the file has {}",
            snapshot.clients.keys().cloned().collect::<Vec<_>>().join(", ")
        )?;
        return Ok(Exit::Problem);
    };
    if let Some(link) = client.initiate_link(&snapshot.issuer.text) {
        writeln!(out, "{link}")?;
        return Ok(Exit::Fine);
    }
    let Some(redirect_uri) = client.redirect_uris.first() else {
        writeln!(out, "client {id} has neither initiate_login_uri nor redirect_uris: it has no start link")?;
        return Ok(Exit::Problem);
    };
    if !client.may_ask_for(ResponseType::Code) {
        writeln!(
            out,
            "client {id} does not use the code flow: only the app itself can start a sign-in; give it an initiate_login_uri"
        )?;
        return Ok(Exit::Problem);
    }
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &client.client_id)
        .append_pair("response_type", "code")
        .append_pair(
            "scope",
            &client.scopes.iter().filter(|s| *s != "offline_access").cloned().collect::<Vec<_>>().join(" "),
        )
        .append_pair("redirect_uri", redirect_uri)
        .finish();
    writeln!(out, "{}?{query}", snapshot.issuer.url_of(&snapshot.config.endpoints.authorization))?;
    Ok(Exit::Fine)
}
