//! Answers on the port or socket of `http.listen` until it is cancelled.
//! It must not know the contents of the pages.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Listen;
use crate::web::bind::{self, WebError};
use crate::web::pages::pages;
use crate::web::status::Status;
use crate::web::visitor::{Bounds, Door};

/// How long running responses may take after the cancellation; then their connections are cut.
const GRACE: Duration = Duration::from_secs(1);

/// The task that serves the pages.
#[derive(Debug)]
pub struct Serving {
    address: Option<SocketAddr>,
    task: JoinHandle<()>,
}

impl Serving {
    /// The address of a port; none for a socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Waits for the end, within 2 seconds of the cancellation. Then a socket file is removed.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            tracing::error!("the task that answers health and metrics broke off: {error}");
        }
    }
}

/// Opens the port or socket, which accepts connections as soon as this returns, and answers until `cancel`.
///
/// Every connection gets one response. At most 16 are served at once, each for at most 10 seconds and 16 KiB of
/// request: a slow or silent client loses its connection, without effect on the daemon.
///
/// # Errors
/// The port or socket is taken, or the system refuses it; the text names `http.listen`.
pub async fn serve(listen: &Listen, status: Arc<Status>, cancel: CancellationToken) -> Result<Serving, WebError> {
    serve_within(Bounds::USUAL, listen, status, cancel).await
}

async fn serve_within(
    bounds: Bounds,
    listen: &Listen,
    status: Arc<Status>,
    cancel: CancellationToken,
) -> Result<Serving, WebError> {
    let pages = pages(status);
    let (address, task) = match listen {
        Listen::Port(address) => {
            let listener = bind::port(*address).await?;
            (listener.local_addr().ok(), tokio::spawn(answer(listener, bounds, pages, cancel)))
        }
        Listen::Socket(path) => {
            let listener = bind::socket(path).await?;
            (None, tokio::spawn(answer(listener, bounds, pages, cancel)))
        }
    };
    Ok(Serving { address, task })
}

async fn answer<L>(listener: L, bounds: Bounds, pages: Router, cancel: CancellationToken)
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    let shut = CancellationToken::new();
    let door = Door::new(listener, bounds, shut.clone());
    let mut answering = axum::serve(door, pages).with_graceful_shutdown(cancel.clone().cancelled_owned()).into_future();
    let grace = async {
        cancel.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        // It never fails: an error of a connection ends only that connection.
        _ = &mut answering => return,
        () = grace => shut.cancel(),
    }
    // All remaining connections end at once with an error; this lets their tasks end.
    drop(tokio::time::timeout(GRACE / 2, answering).await);
}

#[cfg(test)]
mod tests;
