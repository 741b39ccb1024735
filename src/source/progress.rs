//! Transfers that go on, or are given up.
//!
//! In: a transfer, and a count of the bytes that it moved. Out: what came of it;
//! nothing where too little moved for too long, so that no server holds a run up
//! for good: neither one that accepts and says nothing, nor one that sends a byte
//! now and then. How long a transfer takes as a whole is bounded by its size.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWrite;

/// How long nothing may move, unless it is said otherwise.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// What a transfer must move in a second, on average, while it goes on.
const LEAST_BYTES_PER_SECOND: u64 = 4 << 10;

/// A count of bytes that were moved.
#[derive(Clone, Debug, Default)]
pub(super) struct Moved(Arc<AtomicU64>);

impl Moved {
    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What comes of a transfer; none where in `patience` it neither ended nor moved
/// what it must.
pub(super) async fn while_it_moves<T>(
    patience: Duration,
    moved: &Moved,
    transfer: impl Future<Output = T>,
) -> Option<T> {
    let least = LEAST_BYTES_PER_SECOND.saturating_mul(patience.as_secs().max(1));
    let mut transfer = pin!(transfer);
    loop {
        let before = moved.so_far();
        if let Ok(done) = tokio::time::timeout(patience, &mut transfer).await {
            return Some(done);
        }
        if moved.so_far().saturating_sub(before) < least {
            return None;
        }
    }
}

/// Takes what comes, up to a limit, and counts it.
#[derive(Debug)]
pub(super) struct Receiver<'m> {
    content: Vec<u8>,
    limit_bytes: u64,
    is_too_much: bool,
    moved: &'m Moved,
}

impl<'m> Receiver<'m> {
    pub(super) fn new(limit_bytes: u64, moved: &'m Moved) -> Receiver<'m> {
        Receiver {
            content: Vec::new(),
            limit_bytes,
            is_too_much: false,
            moved,
        }
    }

    /// What came; none where it was more than the limit.
    pub(super) fn take(self) -> Option<Vec<u8>> {
        (!self.is_too_much).then_some(self.content)
    }
}

impl AsyncWrite for Receiver<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if (this.content.len() + bytes.len()) as u64 > this.limit_bytes {
            this.is_too_much = true;
            return Poll::Ready(Err(io::Error::other("more than was announced")));
        }
        this.content.extend_from_slice(bytes);
        this.moved.add(bytes.len());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs it by a clock that goes on when nothing else is left to do.
    fn run<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(work)
    }

    const SHORT: Duration = Duration::from_secs(2);

    #[test]
    fn what_stands_still_is_given_up() {
        let moved = Moved::default();
        let never = std::future::pending::<()>();
        assert_eq!(run(while_it_moves(SHORT, &moved, never)), None);
        // A byte now and then is as good as nothing.
        let drip = async {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                moved.add(1);
            }
        };
        assert_eq!(run(while_it_moves::<()>(SHORT, &moved, drip)), None);
    }

    #[test]
    fn what_goes_on_may_take_its_time() {
        let moved = Moved::default();
        let slow = async {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(500)).await;
                moved.add(1 << 12);
            }
            7
        };
        assert_eq!(run(while_it_moves(SHORT, &moved, slow)), Some(7));
    }

    #[test]
    fn no_more_is_taken_than_was_announced() {
        let moved = Moved::default();
        let mut receiver = Receiver::new(3, &moved);
        let mut write = |bytes: &[u8]| {
            let receiver = Pin::new(&mut receiver);
            receiver.poll_write(&mut Context::from_waker(std::task::Waker::noop()), bytes)
        };
        assert!(matches!(write(b"ab"), Poll::Ready(Ok(2))));
        assert!(matches!(write(b"cd"), Poll::Ready(Err(_))));
        assert_eq!(receiver.take(), None);
    }
}
