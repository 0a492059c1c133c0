//! `countersign healthcheck`: ask the admin listener of a running broker whether it is ready.

use std::io::{Read as _, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use clap::Args;

use super::{ConfigArgs, Environment, Exit};
use crate::config::files::Disk;
use crate::config::load::load;

/// Longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Arguments of `healthcheck`.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &HealthcheckArgs, environment: &Environment, out: &mut dyn Write) -> std::io::Result<Exit> {
    let admin =
        load(&args.config.inputs(environment), &Disk).ok().and_then(|loaded| loaded.config).map(|config| config.admin);
    let Some(admin) = admin else {
        writeln!(out, "the configuration can't be read; `countersign check` shows why")?;
        return Ok(Exit::CouldNotRun);
    };
    match ask(&admin.listen) {
        Ok(true) => Ok(Exit::Fine),
        Ok(false) => {
            writeln!(out, "not ready")?;
            Ok(Exit::Problem)
        }
        Err(error) => {
            writeln!(out, "{} does not answer: {error}", admin.listen)?;
            Ok(Exit::Problem)
        }
    }
}

fn ask(listen: &str) -> std::io::Result<bool> {
    let address = listen.to_socket_addrs()?.next().ok_or_else(|| std::io::Error::other("no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")?;
    let mut head = [0_u8; 12];
    stream.read_exact(&mut head)?;
    Ok(head.ends_with(b"200"))
}
