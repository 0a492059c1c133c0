//! `countersign healthcheck`: ask the admin listener of a running broker whether it is ready.

use std::io::{Read as _, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use clap::Args;

use super::{COULD_NOT_RUN, ConfigArgs, FINE, PROBLEM};
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

/// Runs the command. Returns the exit code.
pub fn run(args: &HealthcheckArgs, out: &mut dyn Write) -> u8 {
    let admin = load(&args.config.inputs(), &Disk).ok().and_then(|loaded| loaded.config).map(|config| config.admin);
    let Some(admin) = admin else {
        let _ = writeln!(out, "the configuration can't be read; `countersign check` shows why");
        return COULD_NOT_RUN;
    };
    match ask(&admin.listen) {
        Ok(true) => FINE,
        Ok(false) => {
            let _ = writeln!(out, "not ready");
            PROBLEM
        }
        Err(error) => {
            let _ = writeln!(out, "{} does not answer: {error}", admin.listen);
            PROBLEM
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
