//! `countersign client`: make a secret, print a start link.

use std::io::Write;

use aws_lc_rs::digest::{SHA256, digest};
use clap::{Args, Subcommand};

use super::{COULD_NOT_RUN, ConfigArgs, FINE, PROBLEM};
use crate::config::files::Disk;
use crate::env::{Random, SystemRandomness};
use crate::generation::{Options, prepare};

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
    /// Make a client secret: it is shown once, only its hash goes into the file.
    Secret {
        /// Key of the client.
        id: String,
    },
    /// Print the link that starts a sign-in to an app.
    Link {
        /// Key of the client.
        id: String,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// Runs the command. Returns the exit code.
pub fn run(args: &ClientArgs, out: &mut dyn Write) -> u8 {
    let result = match &args.command {
        ClientCommand::Secret { id } => secret(id, out),
        ClientCommand::Link { id, config } => link(id, config, out),
    };
    result.unwrap_or(COULD_NOT_RUN)
}

fn secret(id: &str, out: &mut dyn Write) -> std::io::Result<u8> {
    let random = SystemRandomness::default();
    let Ok(secret) = (&random as &dyn Random).secret() else { return Ok(COULD_NOT_RUN) };
    let hash: String = digest(&SHA256, secret.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(out, "The secret of {id}, shown this once:\n\n  {secret}\n")?;
    writeln!(out, "In the file, where only its hash is kept (two hashes while you rotate):\n")?;
    writeln!(out, "  [clients.{}]\n  client_secret_hashes = [\"sha256:{hash}\"]", crate::core::policy::key_segment(id))?;
    Ok(FINE)
}

fn link(id: &str, config: &ConfigArgs, out: &mut dyn Write) -> std::io::Result<u8> {
    let options = Options { number: 1, without_secrets: true };
    let prepared = match prepare(&config.inputs(), &Disk, options) {
        Ok(prepared) => prepared,
        Err(error) => {
            writeln!(out, "{error}")?;
            return Ok(COULD_NOT_RUN);
        }
    };
    let Some(snapshot) = prepared.snapshot else {
        writeln!(out, "{}", prepared.problems.render(&prepared.layers, false))?;
        return Ok(PROBLEM);
    };
    let Some(client) = snapshot.clients.get(id) else {
        writeln!(out, "there is no client {id}; the file has {}", snapshot.clients.keys().cloned().collect::<Vec<_>>().join(", "))?;
        return Ok(PROBLEM);
    };
    if let Some(uri) = &client.initiate_login_uri {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("iss", &snapshot.issuer.text).finish();
        let separator = if uri.contains('?') { '&' } else { '?' };
        writeln!(out, "{uri}{separator}{query}")?;
        return Ok(FINE);
    }
    let Some(redirect_uri) = client.redirect_uris.first() else {
        writeln!(out, "client {id} has neither initiate_login_uri nor redirect_uris: it has no start link")?;
        return Ok(PROBLEM);
    };
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &client.client_id)
        .append_pair("response_type", "code")
        .append_pair("scope", &client.scopes.iter().filter(|s| *s != "offline_access").cloned().collect::<Vec<_>>().join(" "))
        .append_pair("redirect_uri", redirect_uri)
        .finish();
    writeln!(out, "{}?{query}", snapshot.issuer.url_of(&snapshot.config.endpoints.authorization))?;
    Ok(FINE)
}
