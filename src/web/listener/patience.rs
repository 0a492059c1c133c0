//! The bytes of a connection, with time limits for its client: for sending a head once it has begun, and for taking an answer.
//! The length of a head's first line is limited here too, because `hyper` counts it together with the header section and would
//! report the header section as too large.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::web::listener::connections::{Place, Waiting};

/// The answer to a request line that is too long (RFC 9110 §15.5.15).
const TOO_LONG: &[u8] = b"HTTP/1.1 414 URI Too Long\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A time that runs while something is waited for.
struct Limit {
    time: Duration,
    running: Option<Pin<Box<Sleep>>>,
}

impl Limit {
    fn of(time: Duration) -> Self {
        Self { time, running: None }
    }

    fn stop(&mut self) {
        self.running = None;
    }

    /// Continues to wait; fails when the time is over.
    fn poll<T>(&mut self, context: &mut Context<'_>, what: &'static str) -> Poll<io::Result<T>> {
        let running = self.running.get_or_insert_with(|| Box::pin(sleep(self.time)));
        ready!(running.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, what)))
    }
}

/// A stream with time limits for its client.
pub(super) struct Patience<S> {
    stream: S,
    place: Arc<Place>,
    /// How many requests had come when the next head was looked for.
    requests: u64,
    /// Whether some of a head has come, or the first one is due.
    begun: bool,
    /// Bytes so far of a head's first line; `None` once it has ended.
    line: Option<usize>,
    /// What is left to write of [`TOO_LONG`].
    refusal: Option<&'static [u8]>,
    head: Limit,
    write: Limit,
}

impl<S> Patience<S> {
    /// The first head is due within `head`; a later one within that time of its first byte. An answer must be taken within
    /// `write`, as a whole.
    pub(super) fn new(stream: S, place: Arc<Place>, head: Duration, write: Duration) -> Self {
        let (head, write) = (Limit::of(head), Limit::of(write));
        Self { stream, place, requests: 0, begun: true, line: Some(0), refusal: None, head, write }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Patience<S> {
    /// Counts the bytes of a head's first line that have arrived.
    fn measure(&mut self, bytes: &[u8]) {
        let Some(before) = self.line else { return };
        if bytes.contains(&b'\n') {
            self.line = None;
            return;
        }
        let length = before + bytes.len();
        self.line = Some(length);
        if length > self.place.connections().request_line() {
            self.refusal = Some(TOO_LONG);
        }
    }

    /// Writes what is left of the refusal; ends with an error, so that the connection is closed.
    fn refuse(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.refusal.filter(|rest| !rest.is_empty()) {
            let polled = Pin::new(&mut self.stream).poll_write(context, rest);
            let written = ready!(self.waited(context, polled))?;
            self.refusal = rest.get(written.max(1)..);
        }
        ready!(self.poll_flushed(context))?;
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "a request line was too long")))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Patience<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.refusal.is_some() {
            return this.refuse(context);
        }
        let awaits_head = matches!(this.place.waiting(), Some(Waiting::Begin | Waiting::Next));
        let requests = this.place.requests();
        if requests != this.requests {
            (this.requests, this.begun, this.line) = (requests, false, Some(0));
            this.head.stop();
        }
        if !awaits_head {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        if this.begun
            && let Poll::Ready(over) = this.head.poll(context, "the head of a request did not come in time")
        {
            return Poll::Ready(over);
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        let new = buffer.filled().get(before..).unwrap_or_default();
        this.begun |= !new.is_empty();
        this.measure(new);
        if this.refusal.is_some() {
            return this.refuse(context);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> Patience<S> {
    /// The outcome of a write, which may wait for the client for a while.
    fn waited<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match polled {
            Poll::Pending => self.write.poll(context, "an answer was not taken in time"),
            ready => ready,
        }
    }

    fn poll_flushed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(polled, Poll::Ready(Ok(()))) {
            // The operating system has all of it: the answer counts as taken.
            self.write.stop();
        }
        self.waited(context, polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.waited(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.waited(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flushed(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.waited(context, polled)
    }
}
