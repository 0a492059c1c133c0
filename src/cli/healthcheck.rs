//! `countersign healthcheck`: ask the admin listener of a running broker whether it is ready.

use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use clap::Args;

use crate::cli::{ConfigArgs, Environment, Exit};
use crate::config::language::address::Listen;
use crate::config::load::files::Disk;
use crate::config::load::load;

/// How long to wait for a response.
const PATIENCE: Duration = Duration::from_secs(3);

/// Arguments of `healthcheck`.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// The configuration.
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
    if let Ok(Listen::Unix(path)) = Listen::parse(listen) {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        return is_ready(stream);
    }
    let address = listen.to_socket_addrs()?.next().ok_or_else(|| std::io::Error::other("no address"))?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    is_ready(stream)
}

fn is_ready(mut stream: impl std::io::Read + Write) -> std::io::Result<bool> {
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")?;
    let mut head = [0_u8; 12];
    stream.read_exact(&mut head)?;
    Ok(head.ends_with(b"200"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// A server that answers one request.
    fn answer(mut stream: impl std::io::Read + Write, status: &str) {
        let mut asked = [0; 512];
        let read = stream.read(&mut asked).unwrap();
        assert!(asked.get(..read).unwrap().starts_with(b"GET /readyz HTTP/1.1\r\n"));
        // In a single write, because the client closes the connection once it has the status.
        stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).unwrap();
    }

    #[test]
    fn it_asks_by_tcp_and_through_a_unix_socket() {
        let folder = tempfile::tempdir().unwrap();
        for (status, ready) in [("200 OK", true), ("503 Service Unavailable", false)] {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = tcp.local_addr().unwrap().to_string();
            let answering = thread::spawn(move || answer(tcp.accept().unwrap().0, status));
            assert_eq!(ask(&address).unwrap(), ready);
            answering.join().unwrap();

            let path = folder.path().join(status);
            let unix = UnixListener::bind(&path).unwrap();
            let answering = thread::spawn(move || answer(unix.accept().unwrap().0, status));
            assert_eq!(ask(&format!("unix:{}", path.display())).unwrap(), ready);
            answering.join().unwrap();
        }
        assert!(ask(&format!("unix:{}/none", folder.path().display())).is_err());
    }
}
