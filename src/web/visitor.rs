//! Limits HTTP clients: how many at once, how long each may take, how many bytes it may send.
//! It must not know requests or responses.
//!
//! axum starts hyper without a timer, so hyper's time-out for request headers never fires; this replaces it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The limits of a client, and of all clients together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Connections at once; more wait in the system's queue.
    pub visitors: usize,
    /// From accepting a connection to its end, request and response together.
    pub time: Duration,
    /// Bytes that a client may send.
    pub bytes: usize,
}

impl Bounds {
    /// A scrape takes milliseconds and 1 KiB; these leave room for a machine under load.
    pub const USUAL: Self = Self { visitors: 16, time: Duration::from_secs(10), bytes: 16 * 1024 };
}

/// A listener with limits on its connections.
pub(super) struct Door<L> {
    inner: L,
    bounds: Bounds,
    places: Arc<Semaphore>,
    shut: CancellationToken,
}

impl<L: Listener> Door<L> {
    /// Limits the connections of `inner`; `shut` ends all of them at once.
    pub fn new(inner: L, bounds: Bounds, shut: CancellationToken) -> Self {
        Self { inner, bounds, places: Arc::new(Semaphore::new(bounds.visitors)), shut }
    }
}

impl<L: Listener> Listener for Door<L> {
    type Io = Visitor<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The semaphore is never closed, so that a permit always comes.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (io, address) = self.inner.accept().await;
        let (shut, time) = (self.shut.clone(), self.bounds.time);
        let end = Box::pin(async move {
            tokio::select! {
                () = shut.cancelled() => {}
                () = tokio::time::sleep(time) => {}
            }
        });
        (Visitor { io, left: self.bounds.bytes, end, ended: false, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// A connection that ends at its limits.
pub(super) struct Visitor<T> {
    io: T,
    left: usize,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
    _place: Option<OwnedSemaphorePermit>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Visitor<T> {
    fn in_time(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.ended = self.ended || self.end.as_mut().poll(cx).is_ready();
        if self.ended { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Visitor<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx)?;
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let come = buf.filled().len() - before;
        if come > self.left {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        self.left -= come;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Visitor<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.in_time(cx)?;
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx)?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx)?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
