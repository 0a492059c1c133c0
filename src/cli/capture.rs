//! `countersign capture`: a real sign-in as a redacted `[[tests]]` entry.

use std::io::{self, Write};

use clap::Args;

use crate::analysis::capture::{Wanted, capture, to_toml};
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit, broker};
use crate::config::load::files::Files;

/// `countersign capture`
#[derive(Clone, Debug, Args)]
pub struct CaptureArgs {
    /// The person: a username, a `sub`, or a verified address.
    pub user: String,
    /// The app whose rules and claims the test covers.
    #[arg(long, value_name = "APP")]
    pub client: Option<String>,
    /// The provider, if the user has several.
    #[arg(long, value_name = "PROVIDER")]
    pub provider: Option<String>,
    /// Replace the names of groups and roles too, except those that an app's rules depend on.
    #[arg(long)]
    pub redact_groups: bool,
    /// The configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
}

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &CaptureArgs, environment: &Environment, files: &dyn Files, out: &mut dyn Write) -> io::Result<Exit> {
    let out = &mut Printable::new(out);
    let broker = match broker::load(&args.source, environment, files, true, out)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    if let Some(client) = args.client.as_ref().filter(|key| !broker.snapshot.clients.contains_key(*key)) {
        return broker::no_client(&broker, client, out);
    }
    let known = match broker::find(&broker, &args.user, out)? {
        Ok(person) => broker::known(person),
        Err(exit) => return Ok(exit),
    };
    let chosen = |provider: &str| args.provider.as_ref().is_none_or(|only| only == provider);
    let mut links = known.links.iter().filter(|link| chosen(&link.provider)).peekable();
    if links.peek().is_none() {
        writeln!(
            out,
            "error: {} has not signed in through {}",
            args.user,
            args.provider.as_deref().unwrap_or("any provider")
        )?;
        return Ok(Exit::Problem);
    }
    let mut taken = Vec::new();
    for link in links {
        let wanted = Wanted { known: &known, link, client: args.client.as_deref(), redact_groups: args.redact_groups };
        match capture(&broker.snapshot.policy, &broker.snapshot.config, &wanted, &taken) {
            Ok(captured) => {
                if !captured.kept.is_empty() {
                    writeln!(
                        out,
                        "# Kept as the provider sent them, because the policy depends on their values: {}",
                        captured.kept.join(", ")
                    )?;
                }
                writeln!(out, "{}", to_toml(&captured.test))?;
                taken.push(captured.test.name);
            }
            Err(error) => {
                writeln!(out, "error: {error}")?;
                return Ok(Exit::Problem);
            }
        }
    }
    Ok(Exit::Fine)
}
