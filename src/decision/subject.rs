//! The subject that a client sees (OIDC Core §8): the account's public one, or a pairwise one for the client's sector.

use std::borrow::Cow;

use crate::decision::account::AccountIds;
use crate::digest::sha256_base64url;

/// The subject of an account for a client: `sector` is that of a client with pairwise subjects, `None` for public ones.
#[must_use]
pub fn subject<'a>(sector: Option<&str>, ids: &'a AccountIds) -> Cow<'a, str> {
    let Some(sector) = sector else { return Cow::Borrowed(&ids.sub) };
    // The internal id is the salt of OIDC Core §8.1.
    Cow::Owned(sha256_base64url(format!("{sector}\n{}\n{}", ids.sub, ids.id).as_bytes()))
}
