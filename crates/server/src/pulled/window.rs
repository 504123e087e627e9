//! How much of a stream has been handed over and is not yet on its way: the
//! bytes themselves tell when they are dropped, so the bound holds whatever
//! carries them.

use bytes::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The window of one stream.
#[derive(Debug, Default)]
pub struct Window {
    /// Most streams are idle: they have nothing to count yet.
    shared: Option<Arc<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    bytes: AtomicUsize,
    waiting: Mutex<Option<Waker>>,
}

/// Bytes that count for as long as someone holds them.
struct Counted {
    bytes: Bytes,
    shared: Arc<Shared>,
}

impl Window {
    /// Waits until fewer than `max_bytes` are out; what is handed over last may go
    /// beyond.
    pub fn poll_open(&self, max_bytes: usize, cx: &mut Context<'_>) -> Poll<()> {
        let is_open = |own: &Shared| own.bytes.load(Ordering::Acquire) < max_bytes;
        let Some(shared) = self.shared.as_ref().filter(|own| !is_open(own)) else {
            return Poll::Ready(());
        };
        *shared.waiting() = Some(cx.waker().clone());
        // What was out may have been dropped before the waker had its place.
        if is_open(shared) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Counts `bytes` until they and all that is sliced from them are dropped.
    pub fn count(&mut self, bytes: Bytes) -> Bytes {
        let shared = Arc::clone(self.shared.get_or_insert_default());
        shared.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        Bytes::from_owner(Counted { bytes, shared })
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.shared
            .bytes
            .fetch_sub(self.bytes.len(), Ordering::Release);
        let waiting = self.shared.waiting().take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_window_opens_when_the_bytes_are_dropped() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        let mut window = Window::default();
        let first = window.count(Bytes::from_static(b"123456789"));
        assert!(window.poll_open(10, &mut cx).is_ready(), "nine of ten");
        let second = window.count(Bytes::from_static(b"and more"));
        assert!(window.poll_open(10, &mut cx).is_pending());
        let part = first.slice(2..4);
        drop(first);
        assert!(
            window.poll_open(10, &mut cx).is_pending(),
            "a part is still held"
        );
        drop(part);
        assert!(window.poll_open(10, &mut cx).is_ready());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        drop(second);
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "nobody waits any more");
    }
}
