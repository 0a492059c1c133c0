//! Why an operation of the store did not happen.

/// Why an operation did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Locked, full or read-only: 503, try again. Nothing was written.
    #[error("the store is busy or can't be written: {0}")]
    Unavailable(String),
    /// A row can't be opened with any of the keys, or does not read as what it should be.
    #[error("the store holds something that can't be read: {0}")]
    Corrupt(String),
}

/// Shorthand for the outcome of an operation.
pub type Result<T> = std::result::Result<T, StoreError>;
