//! Why an operation of the store failed.

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store is locked or failing temporarily: 503, the caller may try again. Nothing was written.
    #[error("the store is busy or can't be written: {0}")]
    Unavailable(String),
    /// The disk is full, or the store may not grow: 503 until rows expire or space is freed. Nothing was written.
    #[error("the store is full: {0}")]
    Full(String),
    /// The file system is read-only: 503 until it is writable again. Nothing was written.
    #[error("the store can only be read: {0}")]
    ReadOnly(String),
    /// A row can't be decrypted with any of the keys, or has an unexpected form.
    #[error("the store holds something that can't be read: {0}")]
    Corrupt(String),
    /// The file itself is damaged and no longer a valid database.
    #[error("the store's file is damaged: {0}; stop the broker and restore a backup")]
    Damaged(String),
}

impl StoreError {
    /// The same error with another text.
    #[must_use]
    pub fn map(self, text: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Unavailable(reason) => Self::Unavailable(text(reason)),
            Self::Full(reason) => Self::Full(text(reason)),
            Self::ReadOnly(reason) => Self::ReadOnly(text(reason)),
            Self::Corrupt(reason) => Self::Corrupt(text(reason)),
            Self::Damaged(reason) => Self::Damaged(text(reason)),
        }
    }

    /// Whether the error is temporary, which makes it worth trying again.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_) | Self::ReadOnly(_))
    }
}

/// Shorthand for the outcome of an operation.
pub type Result<T> = std::result::Result<T, StoreError>;
