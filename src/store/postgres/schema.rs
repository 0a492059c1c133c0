//! The tables, as a list of forward-only migrations, and the functions that operations call. A released migration is never
//! edited; a change is a new one at the end. One version of the broker may run while the next one is rolled out, so that a
//! migration leaves what the version before it uses: it adds, and what became unused is dropped one version later.
//!
//! An operation that decides by what it reads is a function: one statement, and so one round trip and one transaction. The
//! functions have the hash of their text in their names, so that each version of the broker calls its own while another is
//! rolled out, and a changed function needs no migration. `@` in the texts stands for it.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::digest::sha256;

/// All migrations, in order. `store.version` counts those that have run.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("schema/01_first.sql"),
    include_str!("schema/02_logout_notices.sql"),
    include_str!("schema/03_link_leases.sql"),
];

/// The functions, by topic.
const FUNCTIONS: &[&str] = &[
    include_str!("functions/common.sql"),
    include_str!("functions/sign_in.sql"),
    include_str!("functions/grants.sql"),
    include_str!("functions/ending.sql"),
    include_str!("functions/notices.sql"),
    include_str!("functions/upkeep.sql"),
    include_str!("functions/audit.sql"),
];

/// The table that says what this schema is, in a single row, which is locked while the schema changes. Its version is the
/// number of migrations that have run.
pub(crate) const CREATE_STORE: &str = "CREATE TABLE IF NOT EXISTS countersign_store (
        sole boolean PRIMARY KEY DEFAULT true CHECK (sole), version integer NOT NULL, issuer text NOT NULL
    );
    INSERT INTO countersign_store (version, issuer) VALUES (0, '') ON CONFLICT DO NOTHING;";

/// What the names of this version's functions end with.
pub(crate) static SUFFIX: LazyLock<String> = LazyLock::new(|| {
    let hash = sha256(FUNCTIONS.concat().as_bytes());
    hash.iter().take(6).fold(String::from("_"), |mut suffix, byte| {
        // Writing to a string can't fail.
        let _ = write!(suffix, "{byte:02x}");
        suffix
    })
});

/// The statements that create the functions.
pub(crate) fn functions() -> String {
    FUNCTIONS.concat().replace('@', &SUFFIX)
}

/// A call of a function.
pub(crate) fn call(function: &str, parameters: usize) -> String {
    let mut call = format!("SELECT * FROM {function}{}(", *SUFFIX);
    for number in 1..=parameters {
        let _ = write!(call, "{}${number}", if number > 1 { ", " } else { "" });
    }
    call.push(')');
    call
}
