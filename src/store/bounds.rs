//! How many rows of a kind are kept, the same in every backend.

/// The maximum number of unused codes in one session; the oldest are deleted first.
pub(crate) const UNUSED_CODES: u32 = 64;

/// The maximum number of grants of one app in one session; the oldest are deleted first.
pub(crate) const GRANTS_OF_APP: u32 = 64;

/// The maximum number of notices that wait for one client; beyond it, none is kept.
pub(crate) const NOTICES_OF_CLIENT: u32 = 10_000;

/// The maximum number of decisions without a sign-in that are kept for one account.
pub(crate) const REFUSALS_OF_USER: u32 = 1_000;
/// The maximum number of decisions without an account that are kept.
pub(crate) const REFUSALS_OF_STRANGERS: u32 = 10_000;

/// The maximum number of refusals that are read for one name.
pub(crate) const REFUSALS_OF_NAME: u32 = 1_000;
/// The field that the index keys of names are computed for.
pub(crate) const REFUSED: &str = "refused";
