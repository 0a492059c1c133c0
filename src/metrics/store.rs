//! What a store measures of itself.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use crate::env::Stopwatch;
use crate::metrics::catalogue::{self, Labels, labels};
use crate::metrics::exposition::Exposition;

/// Upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 9] = [0.000_05, 0.000_25, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0];

/// How long a store's operations took. Clones share what they record.
#[derive(Clone, Debug)]
pub struct StoreFigures {
    operations: Family<Labels, Histogram, fn() -> Histogram>,
    reads: Histogram,
    writes: Histogram,
}

impl Default for StoreFigures {
    fn default() -> Self {
        let operations = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let of = |operation: &str| {
            operations.get_or_create_owned(&labels(&catalogue::STORE_SECONDS, [operation.to_owned()]))
        };
        let (reads, writes) = (of("read"), of("write"));
        Self { operations, reads, writes }
    }
}

impl StoreFigures {
    /// Records a read that began with the stopwatch.
    pub fn read(&self, since: Stopwatch) {
        self.reads.observe(since.seconds());
    }

    /// Records a write that began with the stopwatch.
    pub fn written(&self, since: Stopwatch) {
        self.writes.observe(since.seconds());
    }

    /// Adds what was recorded, and how many writes wait now.
    pub fn expose(&self, waiting: usize, exposition: &mut Exposition) {
        exposition.add(&catalogue::STORE_SECONDS, self.operations.clone());
        exposition.gauge(&catalogue::STORE_WAITING, waiting);
    }
}
