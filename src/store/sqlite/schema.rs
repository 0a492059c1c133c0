//! The tables, as a list of forward-only migrations; `user_version` counts those that have run. A released migration is never
//! edited; a change is a new one at the end.

/// All migrations, in order.
pub(super) const MIGRATIONS: &[&str] = &[
    FIRST,
    UPSTREAM_SIDS,
    SESSION_COLUMNS,
    CONSENT_CLAIMS,
    MOVED_GRANTS,
    ROW_LIFETIMES,
    AUDIT_TRAIL,
    GENERATIONS,
    FEWER_INDEXES,
    REFUSED_NAMES,
    UPSTREAM_SESSIONS,
    AUDIT_POSTINGS,
    LOGOUT_NOTICES,
    LINK_LEASES,
];

/// `application_id` of the database file, "Csgn": tells our files from other SQLite databases.
pub(super) const APPLICATION_ID: i32 = 0x4373_676e;

// Small rows that are found by their hash are stored in the index itself (WITHOUT ROWID); larger ones are stored outside it.
// `data` is the record as JSON; what changes after the insert, or is searched for, has its own column, whose value takes
// precedence. Columns named in `columns` of `rows.rs` are sealed.
const FIRST: &str = "
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL,
    username_key TEXT NOT NULL UNIQUE,
    sub TEXT NOT NULL UNIQUE,
    profile BLOB NOT NULL,
    disabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE links (
    subject TEXT NOT NULL,
    issuer TEXT NOT NULL,
    provider TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    claims BLOB NOT NULL,
    claims_at INTEGER NOT NULL,
    verified_email TEXT,
    refresh_token BLOB,
    created_at INTEGER NOT NULL,
    UNIQUE (subject, issuer, provider)
) STRICT;
CREATE INDEX links_user ON links (user_id);
CREATE INDEX links_verified_email ON links (verified_email) WHERE verified_email IS NOT NULL;

CREATE TABLE system_roles (
    name TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id),
    data TEXT NOT NULL,
    upstream_id_token BLOB,
    last_active INTEGER NOT NULL,
    max_inactive INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE logins (
    state BLOB NOT NULL PRIMARY KEY,
    browser BLOB NOT NULL,
    data BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE interactions (
    id BLOB NOT NULL PRIMARY KEY,
    browser BLOB NOT NULL,
    data BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX interactions_expires ON interactions (expires_at);

CREATE TABLE codes (
    hash BLOB NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL,
    data TEXT NOT NULL,
    used_at INTEGER,
    expires_at INTEGER NOT NULL,
    keep_until INTEGER NOT NULL
) STRICT;
CREATE INDEX codes_keep ON codes (keep_until);
CREATE INDEX codes_session ON codes (data ->> '$.grant.sid') WHERE used_at IS NULL;

-- session_id is the session that the grant dies with; sso_session the one that it was made in, kept with offline_access
-- too, so that a sign-out knows whom to notify.
CREATE TABLE grants (
    id TEXT NOT NULL PRIMARY KEY,
    client TEXT NOT NULL,
    user_id TEXT,
    session_id TEXT,
    sso_session TEXT,
    sid TEXT,
    data TEXT NOT NULL,
    revoked_at INTEGER,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX grants_user ON grants (user_id, sso_session, client) WHERE user_id IS NOT NULL;
CREATE INDEX grants_expires ON grants (expires_at);

-- successor is the token that followed, sealed, while it may be handed out again, which is until successor_until.
CREATE TABLE refresh_tokens (
    hash BLOB NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL,
    parent BLOB,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    expires_at INTEGER NOT NULL,
    family_expires_at INTEGER NOT NULL,
    successor BLOB,
    successor_until INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_expires ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_successor ON refresh_tokens (successor_until) WHERE successor_until IS NOT NULL;

CREATE TABLE consents (
    user_id TEXT NOT NULL,
    client TEXT NOT NULL,
    scopes TEXT NOT NULL,
    granted_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, client)
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    private BLOB NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    activated_at INTEGER,
    retired_at INTEGER
) STRICT;

CREATE TABLE traces (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT,
    client TEXT,
    data BLOB NOT NULL,
    at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE used_once (
    id BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX used_once_expires ON used_once (expires_at);
";

// A provider's sign-out may name only its session (OIDC Back-Channel Logout §2.4). Providers without such ids cost nothing.
const UPSTREAM_SIDS: &str = "
CREATE INDEX sessions_upstream_sid ON sessions (data ->> '$.upstream_sid') WHERE data ->> '$.upstream_sid' IS NOT NULL;
";

// Values that are searched for have their own columns: an index on a part of `data` would parse it at every write.
const SESSION_COLUMNS: &str = "
ALTER TABLE sessions ADD COLUMN upstream_sid TEXT;
UPDATE sessions SET upstream_sid = data ->> '$.upstream_sid';
DROP INDEX sessions_upstream_sid;
CREATE INDEX sessions_upstream_sid ON sessions (upstream_sid) WHERE upstream_sid IS NOT NULL;

ALTER TABLE codes ADD COLUMN sid TEXT;
UPDATE codes SET sid = data ->> '$.grant.sid';
DROP INDEX codes_session;
CREATE INDEX codes_session ON codes (sid) WHERE used_at IS NULL;
";

// A consent covers the single claims that its page named; a consent from before this migration covers none.
const CONSENT_CLAIMS: &str = "
ALTER TABLE consents ADD COLUMN claims TEXT NOT NULL DEFAULT '[]';
";

// An ID token names the session that it was issued in, whose grants may have moved to another. Grants that never moved cost
// nothing.
const MOVED_GRANTS: &str = "
CREATE INDEX grants_moved ON grants (sid) WHERE sid <> sso_session;
";

// A row exists as long as it can still be used. An unused code expires by itself; a used one is kept as long as the grant that
// it led to (`grants.code`), and deleting the grant deletes its code and its refresh tokens. Expired rows are always found by
// an index, because after a jump of the clock rows do not expire in the order in which they were inserted. A decision without a
// sign-in (`traces.alone`) is a refusal, which anyone can cause, so their number is bounded for each account.
const ROW_LIFETIMES: &str = "
CREATE INDEX logins_expires ON logins (expires_at);
CREATE INDEX traces_expires ON traces (expires_at);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
ALTER TABLE grants ADD COLUMN code BLOB;
UPDATE grants SET code = codes.hash FROM codes WHERE codes.grant_id = grants.id AND codes.used_at IS NOT NULL;
UPDATE codes SET keep_until = expires_at WHERE used_at IS NULL;
ALTER TABLE traces ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;
CREATE INDEX traces_alone ON traces (user_id) WHERE alone = 1;
";

// Events are appended to `audit` as they happen, and indexed many at a time: a key of an event is 8 bytes, all of them are in
// `keys`, and those that are indexed in `audit_keys`. `audit_hours` has the first and the last event of each hour.
const AUDIT_TRAIL: &str = "
CREATE TABLE audit (
    seq INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    keys BLOB NOT NULL,
    data BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TABLE audit_keys (
    key BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit_hours (
    hour INTEGER NOT NULL PRIMARY KEY,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL
) STRICT;
";

// What was put to work or refused, of all processes; `data` is sealed. A process says every half a minute what it runs.
const GENERATIONS: &str = "
CREATE TABLE generations (
    id TEXT NOT NULL PRIMARY KEY,
    replica TEXT NOT NULL,
    number INTEGER NOT NULL,
    hash TEXT NOT NULL,
    applied INTEGER NOT NULL,
    data BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE replicas (
    id TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    hash TEXT NOT NULL,
    generation INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

// Each index is a page more in every sign-in's writes. Logins are few and short-lived: the sweep reads all of them instead. The
// refresh tokens of a grant are found from the newest one, whose predecessors are its `parent`s.
const FEWER_INDEXES: &str = "
DROP INDEX logins_expires;
ALTER TABLE grants ADD COLUMN refresh BLOB;
UPDATE grants SET refresh = (SELECT hash FROM refresh_tokens WHERE grant_id = grants.id
    ORDER BY used_at IS NULL DESC, created_at DESC LIMIT 1);
DROP INDEX refresh_tokens_grant;
";

// A person who was refused without an account is found by a keyed hash of each name that the provider gave. They go with the
// decision.
const REFUSED_NAMES: &str = "
CREATE TABLE refused_names (
    key BLOB NOT NULL,
    trace TEXT NOT NULL,
    PRIMARY KEY (key, trace)
) STRICT, WITHOUT ROWID;
CREATE INDEX refused_names_trace ON refused_names (trace);
CREATE TRIGGER refused_names_forgotten AFTER DELETE ON traces WHEN old.alone = 1
    BEGIN DELETE FROM refused_names WHERE trace = old.id; END;
";

// What a session came from before its user signed in anew with another upstream account; the latest is in `sessions`. The ID
// token stays sealed as it was there, bound to the id of the session that it was stored with first: `sealed_in`.
const UPSTREAM_SESSIONS: &str = "
CREATE TABLE upstream_sessions (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    sid TEXT,
    id_token BLOB,
    sealed_in TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (session_id, provider, issuer, subject)
) STRICT;
CREATE INDEX upstream_sessions_subject ON upstream_sessions (subject);
CREATE INDEX upstream_sessions_sid ON upstream_sessions (sid) WHERE sid IS NOT NULL;
";

// One row for all events of a run that have a key, in place of a row for each: see `audit_index`. All events are indexed anew.
const AUDIT_POSTINGS: &str = "
DROP TABLE audit_keys;
DELETE FROM audit_hours;
DELETE FROM meta WHERE key = 'audit_indexed';
CREATE TABLE audit_postings (
    key BLOB NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    events BLOB NOT NULL,
    PRIMARY KEY (key, first)
) STRICT, WITHOUT ROWID;
";

// Apps that are still to be told that a session ended. An id is never given twice: a process may come back to one that is gone.
const LOGOUT_NOTICES: &str = "
CREATE TABLE logout_notices (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    client TEXT NOT NULL,
    user_id TEXT NOT NULL,
    sub TEXT NOT NULL,
    sid TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0,
    held_until INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX logout_notices_held ON logout_notices (held_until);
CREATE INDEX logout_notices_client ON logout_notices (client);
";

// The right to use the refresh token of a link.
const LINK_LEASES: &str = "
ALTER TABLE links ADD COLUMN lease_fence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;
";
