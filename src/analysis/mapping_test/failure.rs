//! A mapping test that fails, and how it is printed.

use std::fmt;

use crate::decision::trace::Trace;

/// A test that fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The test's name.
    pub name: String,
    /// Its dotted path, `tests[3]`.
    pub path: String,
    /// The expectations that are not met.
    pub differences: Vec<Difference>,
    /// The decision.
    pub trace: Trace,
}

/// One expectation that is not met.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The expectation below `expect`, such as `roles` or `claims.tier`; empty if the test can't be run.
    pub what: String,
    /// What the test expects.
    pub expected: String,
    /// What the decision has instead.
    pub got: String,
    /// The steps that led to it, each with its line.
    pub because: Vec<String>,
}

impl Failure {
    /// Dotted path of a difference's expectation.
    #[must_use]
    pub fn path_of(&self, difference: &Difference) -> String {
        if difference.what.is_empty() { self.path.clone() } else { format!("{}.expect.{}", self.path, difference.what) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        self.differences.iter().try_for_each(|difference| write!(f, "{difference}"))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.what.is_empty() {
            writeln!(f, "  {}", self.what)?;
        }
        writeln!(f, "    expected  {}", self.expected)?;
        writeln!(f, "    got       {}", self.got)?;
        self.because.iter().try_for_each(|line| writeln!(f, "    because   {line}"))
    }
}
