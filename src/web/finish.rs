//! Requests that are finished although nobody waits for their response any more.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;

/// How many requests are being finished that nobody waits for.
pub struct Unattended(watch::Sender<usize>);

impl Default for Unattended {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Unattended {
    /// Returns when there are none any more.
    pub async fn finished(&self) {
        // The sender is `self`, so that the channel can't be closed.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// One of them.
struct One(Arc<Unattended>);

impl One {
    fn of(all: Arc<Unattended>) -> Self {
        all.0.send_modify(|count| *count += 1);
        Self(all)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// A future that continues in a task of its own when it is dropped before it is ready. Until then it runs where it is
/// awaited, which costs no switch to another thread.
pub(super) struct Finished<F: Future + Send + 'static> {
    future: Option<Pin<Box<F>>>,
    unattended: Arc<Unattended>,
}

impl<F: Future + Send + 'static> Finished<F> {
    pub(super) fn new(future: F, unattended: &Arc<Unattended>) -> Self {
        Self { future: Some(Box::pin(future)), unattended: Arc::clone(unattended) }
    }
}

impl<F: Future + Send + 'static> Future for Finished<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = self.future.as_mut() else { return Poll::Pending };
        let polled = future.as_mut().poll(context);
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

impl<F: Future + Send + 'static> Drop for Finished<F> {
    fn drop(&mut self) {
        // Outside of a runtime, which is while the process ends, nothing can be finished.
        if let (Some(future), Ok(runtime)) = (self.future.take(), tokio::runtime::Handle::try_current()) {
            let one = One::of(Arc::clone(&self.unattended));
            runtime.spawn(async move {
                drop(future.await);
                drop(one);
            });
        }
    }
}
