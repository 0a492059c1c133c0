//! A problem in an expression, found when the file is loaded.

/// A problem in an expression, and its position in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Offset in bytes from the start of the expression, on a character boundary.
    pub offset: usize,
    /// Length in bytes of the part that is wrong; at least 1, even at the end of the text.
    pub len: usize,
    /// What is wrong.
    pub message: String,
    /// The most similar name that exists, or the text to write instead.
    pub suggestion: Option<String>,
}

impl Problem {
    pub(crate) fn whole(source: &str, message: impl Into<String>) -> Self {
        Self { offset: 0, len: source.len().max(1), message: message.into(), suggestion: None }
    }
}
