-- Texts compare byte by byte (COLLATE "C"), as the pages of lists expect. `data` is the record as JSON; what changes after the
-- insert, or is searched for, has its own column, whose value takes precedence. The columns named in `store/encoding.rs` are
-- sealed. `row` keeps the order in which rows were inserted.

CREATE TABLE meta (
    key text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);

-- Rows that are locked so that one transaction at a time does something, and leases: `fence` grows with every holder.
CREATE TABLE locks (
    name text COLLATE "C" PRIMARY KEY,
    holder text NOT NULL DEFAULT '',
    fence bigint NOT NULL DEFAULT 0,
    until timestamptz NOT NULL DEFAULT to_timestamp(0)
);
INSERT INTO locks (name) VALUES ('audit'), ('pending'), ('refusals'), ('signing_keys'), ('sweep');

CREATE TABLE users (
    id text COLLATE "C" PRIMARY KEY,
    username text COLLATE "C" NOT NULL,
    username_key text COLLATE "C" NOT NULL UNIQUE,
    sub text COLLATE "C" NOT NULL UNIQUE,
    profile bytea NOT NULL,
    disabled boolean NOT NULL,
    created_at bigint NOT NULL
) WITH (fillfactor = 85);

CREATE TABLE links (
    row bigint GENERATED ALWAYS AS IDENTITY,
    subject text COLLATE "C" NOT NULL,
    issuer text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL REFERENCES users (id),
    claims bytea NOT NULL,
    claims_at bigint NOT NULL,
    verified_email text COLLATE "C",
    refresh_token bytea,
    created_at bigint NOT NULL,
    PRIMARY KEY (subject, issuer, provider)
) WITH (fillfactor = 85);
CREATE INDEX links_user ON links (user_id);
CREATE INDEX links_verified_email ON links (verified_email, row) WHERE verified_email IS NOT NULL;

CREATE TABLE system_roles (
    name text COLLATE "C" PRIMARY KEY
);

CREATE TABLE sessions (
    row bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    id text COLLATE "C" PRIMARY KEY,
    secret bytea NOT NULL UNIQUE,
    user_id text COLLATE "C" NOT NULL REFERENCES users (id),
    provider text COLLATE "C" NOT NULL,
    issuer text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    data text NOT NULL,
    upstream_sid text COLLATE "C",
    upstream_id_token bytea,
    created_at bigint NOT NULL,
    last_active bigint NOT NULL,
    max_inactive bigint NOT NULL,
    expires_at bigint NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX sessions_user ON sessions (user_id, row);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE INDEX sessions_upstream_sid ON sessions (upstream_sid) WHERE upstream_sid IS NOT NULL;

-- What a session came from before its user signed in anew with another upstream account; the latest is in `sessions`. The ID
-- token stays sealed as it was there, bound to the id of the session that it was stored with first: `sealed_in`.
CREATE TABLE upstream_sessions (
    session_id text COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    provider text COLLATE "C" NOT NULL,
    issuer text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    sid text COLLATE "C",
    id_token bytea,
    sealed_in text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (session_id, provider, issuer, subject)
);
CREATE INDEX upstream_sessions_subject ON upstream_sessions (subject);
CREATE INDEX upstream_sessions_sid ON upstream_sessions (sid) WHERE sid IS NOT NULL;

-- Sign-ins at a provider ('login') and requests that wait for a person ('interaction').
CREATE TABLE pending (
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    id bytea PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    browser bytea NOT NULL,
    data bytea NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX pending_expires ON pending (kind, expires_at);

CREATE TABLE codes (
    row bigint GENERATED ALWAYS AS IDENTITY,
    hash bytea PRIMARY KEY,
    grant_id text COLLATE "C" NOT NULL,
    client text COLLATE "C" NOT NULL,
    sid text COLLATE "C",
    session_id text COLLATE "C",
    data text NOT NULL,
    used_at bigint,
    expires_at bigint NOT NULL,
    keep_until bigint NOT NULL
);
CREATE INDEX codes_keep ON codes (keep_until);
CREATE INDEX codes_session ON codes (sid) WHERE used_at IS NULL;

-- session_id is the session that the grant ends with; sso_session the one that it was made in, kept with offline_access too, so
-- that a sign-out knows whom to notify. dpop_jkt and the two sessions take precedence over `data`.
CREATE TABLE grants (
    row bigint GENERATED ALWAYS AS IDENTITY,
    id text COLLATE "C" PRIMARY KEY,
    client text COLLATE "C" NOT NULL,
    user_id text COLLATE "C",
    provider text COLLATE "C",
    issuer text COLLATE "C",
    subject text COLLATE "C",
    session_id text COLLATE "C",
    sso_session text COLLATE "C",
    sid text COLLATE "C",
    data text NOT NULL,
    dpop_jkt text,
    created_at bigint NOT NULL,
    revoked_at bigint,
    expires_at bigint NOT NULL,
    code bytea
);
CREATE INDEX grants_user ON grants (user_id, sso_session, client) WHERE user_id IS NOT NULL;
CREATE INDEX grants_expires ON grants (expires_at);
CREATE INDEX grants_moved ON grants (sid) WHERE sid <> sso_session;

-- successor is the token that followed, sealed, while it may be handed out again, which is until successor_until.
CREATE TABLE refresh_tokens (
    hash bytea PRIMARY KEY,
    grant_id text COLLATE "C" NOT NULL,
    parent bytea,
    created_at bigint NOT NULL,
    used_at bigint,
    expires_at bigint NOT NULL,
    family_expires_at bigint NOT NULL,
    successor bytea,
    successor_until bigint
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expires ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_successor ON refresh_tokens (successor_until) WHERE successor_until IS NOT NULL;

CREATE TABLE consents (
    user_id text COLLATE "C" NOT NULL,
    client text COLLATE "C" NOT NULL,
    scopes text NOT NULL,
    claims text NOT NULL,
    granted_at bigint NOT NULL,
    PRIMARY KEY (user_id, client)
);

CREATE TABLE signing_keys (
    kid text COLLATE "C" PRIMARY KEY,
    algorithm text NOT NULL,
    private bytea NOT NULL,
    state text NOT NULL,
    created_at bigint NOT NULL,
    activated_at bigint,
    retired_at bigint
);

-- `alone` marks a decision without a sign-in; `owner` is its user, or empty.
CREATE TABLE traces (
    row bigint GENERATED ALWAYS AS IDENTITY,
    id text COLLATE "C" PRIMARY KEY,
    user_id text COLLATE "C",
    client text COLLATE "C",
    data bytea NOT NULL,
    at bigint NOT NULL,
    expires_at bigint NOT NULL,
    alone boolean NOT NULL,
    owner text COLLATE "C" NOT NULL GENERATED ALWAYS AS (coalesce(user_id, '')) STORED
);
CREATE INDEX traces_expires ON traces (expires_at);
CREATE INDEX traces_alone ON traces (owner, row) WHERE alone;

CREATE TABLE refused_names (
    key bytea NOT NULL,
    trace text COLLATE "C" NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
    PRIMARY KEY (key, trace)
);
CREATE INDEX refused_names_trace ON refused_names (trace);

CREATE TABLE used_once (
    id bytea PRIMARY KEY,
    expires_at bigint NOT NULL
);
CREATE INDEX used_once_expires ON used_once (expires_at);

-- Events are written to `audit_pending` by the transactions that they tell of, and chained from there, many at a time, by one
-- replica at a time: a transaction that has an event waits for no other. sessions and grants are what the event's operation
-- ended; NULL if it says so itself.
CREATE TABLE audit_pending (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL,
    data bytea NOT NULL,
    sessions bigint,
    grants bigint
);
CREATE TABLE audit (
    seq bigint PRIMARY KEY,
    at bigint NOT NULL,
    keys bytea NOT NULL,
    data bytea NOT NULL,
    hash bytea NOT NULL
);
CREATE TABLE audit_keys (
    key bytea NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (key, seq)
);
CREATE TABLE audit_hours (
    hour bigint PRIMARY KEY,
    first bigint NOT NULL,
    last bigint NOT NULL
);

CREATE TABLE generations (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL,
    replica text NOT NULL,
    number bigint NOT NULL,
    hash text NOT NULL,
    applied boolean NOT NULL,
    data bytea NOT NULL,
    at bigint NOT NULL
);
CREATE TABLE replicas (
    id text COLLATE "C" PRIMARY KEY,
    host text NOT NULL,
    hash text NOT NULL,
    generation bigint NOT NULL,
    started_at bigint NOT NULL,
    seen_at bigint NOT NULL
);
