//! Opens the port or the unix socket of `http.listen`, and removes the socket file at the end.
//! It must not know clients or requests.

#![allow(clippy::disallowed_methods, reason = "the file of enrold's own socket")]

use std::fs::{Metadata, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, UnixListener, UnixSocket, UnixStream};

/// Permissions of the socket file: its owner and its group may connect.
const RIGHTS: u32 = 0o660;

/// Connections that wait in the system's queue.
const QUEUE: u32 = 128;

/// Why the port or socket cannot be opened; each names the key to change.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The port is taken.
    #[error("http.listen: another program has {0} already; choose another port (`ss -ltnp` shows who has it)")]
    PortInUse(SocketAddr),
    /// Another process answers on the socket.
    #[error(
        "http.listen: another program answers on {} already; two daemons need two sockets (`ss -lxp` shows who has it)",
        .0.display()
    )]
    SocketInUse(PathBuf),
    /// The path exists and is no socket.
    #[error("http.listen: {} exists and is no socket; remove it or choose another path", .0.display())]
    NotASocket(PathBuf),
    /// Any other error of the system.
    #[error("http.listen: cannot listen on {place}: {error}{}", advice(error))]
    Refused {
        /// The address or the path.
        place: String,
        /// The system's error.
        error: io::Error,
    },
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; the directory of a socket must exist (RuntimeDirectory= of the service makes it)",
        io::ErrorKind::PermissionDenied => "; take a directory of enrold's own account, or a port from 1024 on",
        io::ErrorKind::AddrNotAvailable => "; this machine does not have that address, try 127.0.0.1 or unix:/PATH",
        io::ErrorKind::InvalidInput => "; the path of a socket has at most 107 bytes",
        _ => "",
    }
}

/// Opens a port.
pub(super) async fn port(address: SocketAddr) -> Result<TcpListener, WebError> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => WebError::PortInUse(address),
        _ => WebError::Refused { place: address.to_string(), error },
    })
}

/// Opens a socket for owner and group. A socket file on which no process answers is left over from a killed process,
/// and is replaced.
pub(super) async fn socket(path: &Path) -> Result<OwnedSocket, WebError> {
    let refused = |error| WebError::Refused { place: path.display().to_string(), error };
    let mut socket = UnixSocket::new_stream().map_err(refused)?;
    if let Err(error) = socket.bind(path) {
        if error.kind() != io::ErrorKind::AddrInUse {
            return Err(refused(error));
        }
        clear(path).await?;
        socket = UnixSocket::new_stream().map_err(refused)?;
        socket.bind(path).map_err(refused)?;
    }
    // No client can connect before `listen`, so the first permissions do not matter.
    let file = SocketFile::of(path).map_err(refused)?;
    std::fs::set_permissions(path, Permissions::from_mode(RIGHTS)).map_err(refused)?;
    let listener = socket.listen(QUEUE).map_err(refused)?;
    Ok(OwnedSocket { listener, _file: file })
}

/// Removes a socket file on which no process answers.
async fn clear(path: &Path) -> Result<(), WebError> {
    let refused = |error| WebError::Refused { place: path.display().to_string(), error };
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {}
        Ok(_) => return Err(WebError::NotASocket(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(error)),
    }
    match tokio::time::timeout(Duration::from_secs(1), UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!("{} was left over from a process that is gone; replacing it", path.display());
            std::fs::remove_file(path).map_err(refused)
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Err(refused(error)),
        // The process answers, or its queue is full.
        _ => Err(WebError::SocketInUse(path.to_owned())),
    }
}

/// A listening socket; its file is removed with it.
pub(super) struct OwnedSocket {
    listener: UnixListener,
    _file: SocketFile,
}

impl Listener for OwnedSocket {
    type Io = UnixStream;
    type Addr = tokio::net::unix::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        Listener::accept(&mut self.listener).await
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let identity = identity(&std::fs::symlink_metadata(path)?);
        Ok(Self { path: path.to_owned(), identity })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process may have replaced it meanwhile; a leftover file is replaced at the next start.
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}
