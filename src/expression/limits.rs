//! The limits of expressions, as `docs/expressions.md` states them, and the units in which cost is counted.

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit;

impl Limit {
    /// Longest expression, in bytes.
    pub const SOURCE_BYTES: usize = 8 * 1024;
    /// Deepest nesting of brackets, operators, selections and calls.
    pub const NESTING: usize = 250;
    /// Deepest expression after its macros are expanded. One level takes 1.5 KiB of stack; worker threads have 2 MiB.
    pub const DEPTH: usize = 400;
    /// What one evaluation may spend: a unit is one value copied or visited by a loop, or 16 bytes of text.
    pub const BUDGET: u64 = 250_000;
    /// Most values in a result, including nested ones.
    pub const RESULT_VALUES: usize = 20_000;
    /// Most bytes of text in a result.
    pub const RESULT_BYTES: usize = 512 * 1024;
    /// Deepest nesting of a result and of the variables; what lies deeper in a variable is absent.
    pub const VALUE_DEPTH: usize = 64;
    /// Longest pattern that is not written literally, in bytes.
    pub const PATTERN_BYTES: usize = 1024;
    /// Longest text that `matches()` looks at, in bytes.
    pub const MATCHED_BYTES: usize = 16 * 1024;
}

/// Bytes of text that cost one unit.
pub(crate) const UNIT_BYTES: usize = 16;
/// How many values can be read for one unit, if they are not copied.
pub(crate) const SCANNED_PER_UNIT: u64 = 16;

/// The units of a text of `bytes`.
pub(crate) const fn text_units(bytes: usize) -> u64 {
    1 + (bytes / UNIT_BYTES) as u64
}
