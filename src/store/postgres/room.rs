//! How many more rows may wait before all that wait are counted again. Counting them at every insert would read them all, so
//! each replica inserts a part of what was free at its last count, and counts at every insert only when little is free.

use std::sync::atomic::{AtomicI64, Ordering};

/// The part of what was free that one replica uses before it counts again: an eighth.
const PART: i64 = 8;

/// What this process may insert without counting.
#[derive(Default)]
pub(crate) struct Room {
    rows: AtomicI64,
    bytes: AtomicI64,
}

impl Room {
    /// Takes the room for a row; `false` when there is none left, and everything has to be counted.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let rows = self.rows.fetch_sub(1, Ordering::Relaxed);
        let left = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        rows > 0 && left > bytes
    }

    /// Notes what a count found to be free.
    pub(crate) fn found(&self, rows: i64, bytes: i64) {
        self.rows.store(rows / PART, Ordering::Relaxed);
        self.bytes.store(bytes / PART, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_at_first_and_when_little_is_free() {
        let room = Room::default();
        assert!(!room.take(1), "nothing was counted yet");
        room.found(80, 8000);
        for _ in 0..9 {
            assert!(room.take(10));
        }
        room.found(80, 8000);
        assert!(!room.take(1000), "too large for what is left");
        room.found(7, 8000);
        assert!(!room.take(1));
    }
}
