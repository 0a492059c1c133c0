//! What is wrong with an expression, found when the file is loaded.

/// What is wrong with an expression, and where in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Offset in bytes from the start of the expression, at a character's start.
    pub offset: usize,
    /// Length in bytes of what is wrong; at least 1, also at the end of the text.
    pub len: usize,
    /// What is wrong.
    pub message: String,
    /// The nearest name that exists, or what should be written there.
    pub suggestion: Option<String>,
}

impl Problem {
    pub(crate) fn whole(source: &str, message: impl Into<String>) -> Self {
        Self { offset: 0, len: source.len().max(1), message: message.into(), suggestion: None }
    }
}
