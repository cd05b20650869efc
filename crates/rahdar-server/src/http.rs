//! What a service manager and Prometheus ask: `/healthz`, `/readyz`, `/metrics`. Nothing else is answered.
//!
//! It says counts, sockets and the addresses of exporters, never what their flows say. Whoever can reach
//! it can read it: it belongs on loopback, or on a network of the operators.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::Listener;
use rahdar_model::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Sleep, sleep};

use crate::server::Books;

/// Connections at the same time; more wait. Chosen here: a few scrapers and probes. The collector needs its
/// file descriptors for the spool.
const CONNECTIONS_MAX: usize = 32;

/// How long a connection may last. Chosen here: an answer takes milliseconds, and who asks again can
/// connect again.
const CONNECTION_LASTS: Duration = Duration::from_secs(10);

/// How long to wait before a connection is accepted after one could not be.
const RETRY: Duration = Duration::from_millis(500);

/// What Prometheus calls its text (exposition formats, "Text-based format").
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A socket for questions.
pub(crate) struct Http {
    runtime: Runtime,
    listener: TcpListener,
}

impl Http {
    /// Opens it.
    ///
    /// # Errors
    /// What the kernel fails with.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(address))?;
        Ok(Self { runtime, listener })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers, on a thread of its own, until it is dropped.
    pub(crate) fn start(self, books: Books, clock: Arc<dyn Clock>) -> Serving {
        let (told, end) = oneshot::channel();
        let thread = thread::spawn(move || {
            let routes = Router::new()
                .route("/healthz", get(|| async { "ok\n" }))
                .route("/readyz", get(ready))
                .route("/metrics", get(metrics))
                .with_state(Asked { books, clock });
            let doors = Doors { listener: self.listener, room: Arc::new(Semaphore::new(CONNECTIONS_MAX)) };
            self.runtime.block_on(async {
                tokio::select! {
                    _ = axum::serve(doors, routes) => {}
                    _ = end => {}
                }
            });
        });
        Serving { told: Some(told), thread: Some(thread) }
    }
}

/// Questions that are being answered.
pub(crate) struct Serving {
    told: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The other end is gone already if the thread is.
        drop(self.told.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Of what the answers are made.
#[derive(Clone)]
struct Asked {
    books: Books,
    clock: Arc<dyn Clock>,
}

/// Whether everything that is sent is kept: if not, why not, a line each.
async fn ready(State(asked): State<Asked>) -> impl IntoResponse {
    let troubles = asked.books.troubles(asked.clock.now());
    if troubles.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let lines = troubles.iter().map(|trouble| format!("degraded: {trouble}\n")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines)
}

async fn metrics(State(asked): State<Asked>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], asked.books.ledger().metrics())
}

/// Lets in so many connections, each for a while.
struct Doors {
    listener: TcpListener,
    room: Arc<Semaphore>,
}

impl Listener for Doors {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        loop {
            let place = self.room.clone().acquire_owned().await;
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let end = Box::pin(sleep(CONNECTION_LASTS));
                    return (Visit { stream, end, _place: place.ok() }, peer);
                }
                Err(_) => sleep(RETRY).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends.
struct Visit {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    /// Held as long as the connection is open.
    _place: Option<OwnedSemaphorePermit>,
}

impl Visit {
    /// The stream, as long as it may be used.
    fn stream(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Err(ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(Pin::new(&mut self.stream)),
        }
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream(context)?.poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
