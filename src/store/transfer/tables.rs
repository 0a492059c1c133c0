//! What is copied: every table, with its columns in the form that all backends have in common. Tables come after those that
//! they refer to.

/// The name in `meta` of the mark of a copy that is not finished; its value is the name of the source.
pub(crate) const UNFINISHED: &str = "copy";

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Integer,
    /// A truth value, which a [`Cell`](crate::store::transfer::end::Cell) has as 0 or 1.
    Flag,
    /// A text.
    Text,
    /// Bytes: hashes, and what is sealed.
    Bytes,
}

/// The order in which the rows of a table are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// That in which they were inserted, which lists show and which is therefore kept.
    Inserted,
    /// That of these columns, which are unique together. Texts compare byte by byte.
    Key(&'static [&'static str]),
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [(&'static str, Kind)],
    /// The order of its rows.
    pub order: Order,
}

use Kind::{Bytes, Flag, Integer, Text};
use Order::{Inserted, Key};

/// All tables.
pub const TABLES: &[Table] = &[
    Table { name: "meta", columns: &[("key", Text), ("value", Bytes)], order: Key(&["key"]) },
    Table {
        name: "users",
        columns: &[
            ("id", Text),
            ("username", Text),
            ("username_key", Text),
            ("sub", Text),
            ("profile", Bytes),
            ("disabled", Flag),
            ("created_at", Integer),
        ],
        order: Key(&["id"]),
    },
    Table {
        name: "links",
        columns: &[
            ("subject", Text),
            ("issuer", Text),
            ("provider", Text),
            ("user_id", Text),
            ("claims", Bytes),
            ("claims_at", Integer),
            ("verified_email", Text),
            ("refresh_token", Bytes),
            ("created_at", Integer),
        ],
        order: Inserted,
    },
    Table { name: "system_roles", columns: &[("name", Text)], order: Key(&["name"]) },
    Table {
        name: "sessions",
        columns: &[
            ("id", Text),
            ("secret", Bytes),
            ("user_id", Text),
            ("data", Text),
            ("upstream_sid", Text),
            ("upstream_id_token", Bytes),
            ("last_active", Integer),
            ("max_inactive", Integer),
            ("expires_at", Integer),
        ],
        order: Inserted,
    },
    Table {
        name: "upstream_sessions",
        columns: &[
            ("session_id", Text),
            ("provider", Text),
            ("issuer", Text),
            ("subject", Text),
            ("sid", Text),
            ("id_token", Bytes),
            ("sealed_in", Text),
            ("at", Integer),
        ],
        order: Key(&["session_id", "provider", "issuer", "subject"]),
    },
    // Sign-ins at a provider ("login") and requests that wait for a person ("interaction"), in one order.
    Table {
        name: "pending",
        columns: &[("kind", Text), ("id", Bytes), ("browser", Bytes), ("data", Bytes), ("expires_at", Integer)],
        order: Inserted,
    },
    Table {
        name: "codes",
        columns: &[
            ("hash", Bytes),
            ("grant_id", Text),
            ("sid", Text),
            ("data", Text),
            ("used_at", Integer),
            ("expires_at", Integer),
            ("keep_until", Integer),
        ],
        order: Inserted,
    },
    Table {
        name: "grants",
        columns: &[
            ("id", Text),
            ("client", Text),
            ("user_id", Text),
            ("session_id", Text),
            ("sso_session", Text),
            ("sid", Text),
            ("data", Text),
            ("revoked_at", Integer),
            ("expires_at", Integer),
            ("code", Bytes),
        ],
        order: Inserted,
    },
    Table {
        name: "refresh_tokens",
        columns: &[
            ("hash", Bytes),
            ("grant_id", Text),
            ("parent", Bytes),
            ("created_at", Integer),
            ("used_at", Integer),
            ("expires_at", Integer),
            ("family_expires_at", Integer),
            ("successor", Bytes),
            ("successor_until", Integer),
        ],
        order: Key(&["hash"]),
    },
    Table {
        name: "consents",
        columns: &[("user_id", Text), ("client", Text), ("scopes", Text), ("claims", Text), ("granted_at", Integer)],
        order: Key(&["user_id", "client"]),
    },
    Table {
        name: "signing_keys",
        columns: &[
            ("kid", Text),
            ("algorithm", Text),
            ("private", Bytes),
            ("state", Text),
            ("created_at", Integer),
            ("activated_at", Integer),
            ("retired_at", Integer),
        ],
        order: Key(&["kid"]),
    },
    Table {
        name: "traces",
        columns: &[
            ("id", Text),
            ("user_id", Text),
            ("client", Text),
            ("data", Bytes),
            ("at", Integer),
            ("expires_at", Integer),
            ("alone", Flag),
        ],
        order: Inserted,
    },
    Table { name: "refused_names", columns: &[("key", Bytes), ("trace", Text)], order: Key(&["key", "trace"]) },
    Table { name: "used_once", columns: &[("id", Bytes), ("expires_at", Integer)], order: Key(&["id"]) },
    Table {
        name: "logout_notices",
        columns: &[
            ("client", Text),
            ("user_id", Text),
            ("sub", Text),
            ("sid", Text),
            ("trace_id", Text),
            ("attempts", Integer),
            ("held_until", Integer),
            ("created_at", Integer),
        ],
        order: Inserted,
    },
    Table {
        name: "audit",
        columns: &[("seq", Integer), ("at", Integer), ("keys", Bytes), ("data", Bytes), ("hash", Bytes)],
        order: Key(&["seq"]),
    },
    Table {
        name: "generations",
        columns: &[
            ("id", Text),
            ("replica", Text),
            ("number", Integer),
            ("hash", Text),
            ("applied", Flag),
            ("data", Bytes),
            ("at", Integer),
        ],
        order: Inserted,
    },
    Table {
        name: "replicas",
        columns: &[
            ("id", Text),
            ("host", Text),
            ("hash", Text),
            ("generation", Integer),
            ("started_at", Integer),
            ("seen_at", Integer),
        ],
        order: Key(&["id"]),
    },
];
