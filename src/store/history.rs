//! The history of the configuration: what was put to work and what was refused, and which generation each process runs.

use async_trait::async_trait;

use crate::store::Result;

/// The most generations that are remembered; the oldest go first.
pub const REMEMBERED: u32 = 100;

/// A configuration that a process put to work or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGeneration {
    /// Its id.
    pub id: String,
    /// The process that read it.
    pub replica: String,
    /// Its number in that process; for one that was refused, the number of the generation that went on serving.
    pub number: i64,
    /// The hash of its files; empty for one that was refused.
    pub hash: String,
    /// Whether it was put to work.
    pub applied: bool,
    /// What changed with it and what was wrong with it: JSON. Sealed.
    pub data: String,
    /// When.
    pub at: i64,
}

/// A process of the broker, and what it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Its id, made when it starts.
    pub id: String,
    /// The name of its host.
    pub host: String,
    /// The hash of the configuration that it runs.
    pub hash: String,
    /// The number of that generation.
    pub generation: i64,
    /// When the process started.
    pub started_at: i64,
    /// When it was last seen.
    pub seen_at: i64,
}

/// The history of the configuration.
///
/// Each operation is one transaction.
#[async_trait]
pub trait History: Send + Sync {
    /// Remembers a generation. Of all processes together, [`REMEMBERED`] are kept.
    async fn save_generation(&self, generation: StoredGeneration) -> Result<()>;

    /// The generations that are remembered, newest first.
    async fn generations(&self, limit: u32) -> Result<Vec<StoredGeneration>>;

    /// Says what a process runs now, and forgets those that were last seen before `forget_before`.
    async fn replica_seen(&self, replica: Replica, forget_before: i64) -> Result<()>;

    /// The processes that were seen lately, in the order of their start.
    async fn replicas(&self) -> Result<Vec<Replica>>;
}
