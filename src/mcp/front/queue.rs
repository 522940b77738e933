//! What waits for a client to read it. Bounded: a client that does not read is left, the others go on.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What a queue may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) items: usize,
    pub(super) bytes: usize,
}

/// A queue with one reader.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Notify,
    bounds: Bounds,
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    /// Nothing more is accepted; what is there is still read.
    ended: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                bytes: 0,
                ended: false,
            }),
            changed: Notify::new(),
            bounds,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item of `bytes` bytes. `false` when there is no room: then the queue has ended, and what was in it is gone.
    pub(super) fn push(&self, item: T, bytes: usize) -> bool {
        let mut state = self.lock();
        if state.ended {
            return false;
        }
        if state.items.len() >= self.bounds.items || state.bytes + bytes > self.bounds.bytes {
            state.ended = true;
            state.items = VecDeque::new();
            state.bytes = 0;
            drop(state);
            self.changed.notify_one();
            return false;
        }
        state.bytes += bytes;
        state.items.push_back((item, bytes));
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Adds an item, and makes room for it by dropping the oldest.
    pub(super) fn push_latest(&self, item: T, bytes: usize) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        while !state.items.is_empty()
            && (state.items.len() >= self.bounds.items || state.bytes + bytes > self.bounds.bytes)
        {
            if let Some((_, dropped)) = state.items.pop_front() {
                state.bytes -= dropped;
            }
        }
        state.bytes += bytes;
        state.items.push_back((item, bytes));
        drop(state);
        self.changed.notify_one();
    }

    /// Adds the last item, whatever its size.
    pub(super) fn push_last(&self, item: T) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        state.items.push_back((item, 0));
        state.ended = true;
        drop(state);
        self.changed.notify_one();
    }

    /// Accepts nothing more.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_one();
    }

    /// Whether an item is there that `matches`.
    pub(super) fn holds(&self, matches: impl Fn(&T) -> bool) -> bool {
        self.lock().items.iter().any(|(item, _)| matches(item))
    }

    /// The next item, when it is there already. `Err` at the end.
    pub(super) fn try_next(&self) -> Result<Option<T>, Ended> {
        let mut state = self.lock();
        match state.items.pop_front() {
            Some((item, bytes)) => {
                state.bytes -= bytes;
                if state.items.is_empty() {
                    // A queue that was once full must not keep its memory while it waits.
                    state.items = VecDeque::new();
                }
                Ok(Some(item))
            }
            None if state.ended => Err(Ended),
            None => Ok(None),
        }
    }

    /// The next item; `None` at the end.
    pub(super) async fn next(&self) -> Option<T> {
        loop {
            match self.try_next() {
                Ok(Some(item)) => return Some(item),
                Err(Ended) => return None,
                Ok(None) => self.changed.notified().await,
            }
        }
    }

    /// Says to the reader that something else has changed than the items.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Waits until something has changed since the last call.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// The queue has ended and is empty.
#[derive(Debug, PartialEq)]
pub(super) struct Ended;

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(items: usize, bytes: usize) -> Queue<&'static str> {
        Queue::new(Bounds { items, bytes })
    }

    fn all(queue: &Queue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.try_next().ok().flatten()).collect()
    }

    #[test]
    fn a_full_queue_ends_and_forgets() {
        for (items, bytes) in [(2, 100), (100, 2)] {
            let queue = queue(items, bytes);
            assert!(queue.push("a", 1) && queue.push("b", 1));
            assert!(!queue.push("c", 1));
            assert_eq!(queue.try_next(), Err(Ended));
            queue.push_last("end");
            assert_eq!(queue.try_next(), Err(Ended));
        }
    }

    #[test]
    fn the_latest_push_the_oldest_out() {
        let queue = queue(2, 10);
        for item in ["a", "b", "c"] {
            queue.push_latest(item, 4);
        }
        assert_eq!(all(&queue), ["b", "c"]);
        queue.push_latest("huge", 1000);
        assert_eq!(all(&queue), ["huge"]);
    }

    #[tokio::test]
    async fn the_last_item_always_fits_and_ends() {
        let queue = queue(1, 1);
        queue.push("a", 1);
        queue.push_last("end");
        assert_eq!(queue.next().await, Some("a"));
        assert_eq!(queue.next().await, Some("end"));
        assert_eq!(queue.next().await, None);
    }
}
