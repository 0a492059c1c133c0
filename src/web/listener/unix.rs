//! A unix socket as a file: made for owner and group only, replacing what a killed process left, removed at the end.

use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// Who may connect: the broker's user and its group, in which the proxy is.
const MODE: u32 = 0o660;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A socket's file; removed when this is dropped, if it is still the one that was made.
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A broker that was started meanwhile may have put its own there.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens a socket at a path. The error says what is in the way.
pub(super) async fn open(path: &Path) -> Result<(UnixListener, SocketFile), String> {
    clear(path).await?;
    let describe = |error: io::Error| match (error.kind(), path.parent()) {
        (ErrorKind::NotFound, Some(folder)) => format!("the folder {} is not there; make it first", folder.display()),
        _ => error.to_string(),
    };
    let socket = UnixSocket::new_stream().map_err(describe)?;
    socket.bind(path).map_err(describe)?;
    let made = fs::symlink_metadata(path).map_err(describe)?;
    let file = SocketFile { path: path.to_owned(), identity: identity(&made) };
    // Before it is listened on: until then nobody can connect, whatever the umask left open.
    fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(describe)?;
    let listener = socket.listen(BACKLOG).map_err(describe)?;
    Ok((listener, file))
}

/// Removes a socket that nobody listens on; anything else that is in the way is an error.
async fn clear(path: &Path) -> Result<(), String> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    if !found.file_type().is_socket() {
        return Err("something is there that is not a socket; remove it, or choose another path".to_owned());
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(format!("a killed process left a socket there that can't be removed: {error}"))
            }
            _ => Ok(()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(format!("another user's socket is there, which can't be asked whether it is in use: {error}"))
        }
        // Connected, or its queue is full.
        _ => Err("another process listens there; stop it, or choose another path".to_owned()),
    }
}
