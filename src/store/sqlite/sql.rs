//! All statements, in one place: a test asks SQLite for the query plan of each, and fails if one would scan a table.
//!
//! The cost of a write is the pages that it touches, one for each index. So no statement sets an indexed column whose value
//! usually stays the same.

macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        $(pub(super) const $name: &str = $sql;)*
        /// All statements with their names.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

statements! {
    // The store itself.
    PING = "INSERT INTO meta (key, value) VALUES ('ping', x'') ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    SEAL_CHECKS = "SELECT key, value FROM meta WHERE key >= 'seal:' AND key < 'seal;'";
    INSERT_SEAL_CHECK = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO NOTHING";

    META = "SELECT value FROM meta WHERE key = ?1";
    DELETE_META = "DELETE FROM meta WHERE key = ?1";
    SET_META = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

    // The audit trail.
    LAST_EVENT = "SELECT seq, hash, (SELECT value FROM meta WHERE key = ?1) FROM audit WHERE seq > 0 ORDER BY seq DESC LIMIT 1";
    INSERT_EVENT = "INSERT INTO audit (seq, at, keys, data, hash) VALUES (?1, ?2, ?3, ?4, ?5)";
    EVENTS_BETWEEN = "SELECT seq, at, keys, data, hash FROM audit WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq DESC";
    EVENTS_AFTER = "SELECT seq, at, keys, data, hash FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    EVENT = "SELECT seq, at, keys, data, hash FROM audit WHERE seq = ?1";
    EVENT_POSTINGS = "SELECT first, last, events FROM audit_postings WHERE key = ?1 AND first <= ?2 ORDER BY first DESC";
    EVENT_KEYS_AFTER = "SELECT seq, at, keys FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    INSERT_EVENT_POSTING = "INSERT INTO audit_postings (key, first, last, events) VALUES (?1, ?2, ?3, ?4)";
    UPSERT_EVENT_HOUR = "INSERT INTO audit_hours (hour, first, last) VALUES (?1, ?2, ?3) ON CONFLICT (hour) DO UPDATE
        SET first = min(first, excluded.first), last = max(last, excluded.last)";
    EVENT_HOURS = "SELECT min(first), max(last) FROM audit_hours WHERE hour BETWEEN ?1 AND ?2";
    OLDEST_EVENTS = "SELECT seq, at, keys, hash FROM audit WHERE seq > 0 ORDER BY seq LIMIT ?1";
    DELETE_EVENTS = "DELETE FROM audit WHERE seq <= ?1";
    DELETE_EVENT_POSTINGS = "DELETE FROM audit_postings WHERE key = ?1 AND last <= ?2";
    DELETE_EVENT_HOUR = "DELETE FROM audit_hours WHERE hour = ?1 AND last <= ?2";

    // Accounts.
    USER = "SELECT id, username, username_key, sub, profile, disabled, created_at FROM users WHERE id = ?1";
    USER_BY_KEY = "SELECT id, username, username_key, sub, profile, disabled, created_at FROM users WHERE username_key = ?1";
    USERS_AFTER = "SELECT id, username, username_key, sub, profile, disabled, created_at FROM users
        WHERE id > ?1 ORDER BY id LIMIT ?2";
    USERS_BY_NAME = "SELECT id, username, username_key, sub, profile, disabled, created_at FROM users
        WHERE username_key > ?1 ORDER BY username_key LIMIT ?2";
    USER_BY_SUB = "SELECT id, username, username_key, sub, profile, disabled, created_at FROM users WHERE sub = ?1";
    USERS_BY_ADDRESS = "SELECT user_id FROM links WHERE verified_email = ?1 ORDER BY rowid LIMIT ?2";
    USERS_NAMED = "SELECT id, username, username_key, sub, profile, disabled, created_at FROM users
        WHERE username_key >= ?1 AND username_key < ?2 ORDER BY username_key LIMIT ?3";
    USERNAME_OF = "SELECT username FROM users WHERE username_key = ?1";
    USERS_WITH_SUB = "SELECT id, username, username_key, sub, profile, disabled, created_at FROM users
        WHERE sub >= ?1 AND sub < ?2 ORDER BY sub LIMIT ?3";
    USERS_WITH_ADDRESS = "SELECT verified_email, rowid, user_id FROM links
        WHERE verified_email >= ?1 AND verified_email < ?3 AND (verified_email > ?1 OR rowid > ?2)
        ORDER BY verified_email, rowid LIMIT ?4";
    USERNAMES_TAKEN = "SELECT username_key, id FROM users
        WHERE username_key >= ?1 AND username_key < ?1 || ?2 ORDER BY username_key LIMIT 1000";
    USER_DISABLED = "SELECT disabled FROM users WHERE id = ?1";
    INSERT_USER = "INSERT INTO users (id, username, username_key, sub, profile, disabled, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
    UPDATE_PROFILE = "UPDATE users SET profile = ?2 WHERE id = ?1 AND disabled = 0";
    SET_DISABLED = "UPDATE users SET disabled = ?2 WHERE id = ?1 AND disabled <> ?2";
    RENAME_USER = "UPDATE OR IGNORE users SET username = ?2, username_key = ?3 WHERE id = ?1";
    LINK = "SELECT provider, issuer, subject, user_id, claims, claims_at, verified_email, refresh_token, created_at
        FROM links WHERE subject = ?3 AND issuer = ?2 AND provider = ?1";
    LINKS_OF_USER = "SELECT provider, issuer, subject, user_id, claims, claims_at, verified_email, refresh_token, created_at
        FROM links WHERE user_id = ?1 ORDER BY rowid";
    LINKS_BY_EMAIL = "SELECT provider, issuer, user_id FROM links WHERE verified_email = ?1 ORDER BY rowid";
    IS_LINKED = "SELECT 1 FROM links WHERE user_id = ?1 AND provider = ?2 AND issuer = ?3 LIMIT 1";
    LINKS_AT = "SELECT provider, issuer, subject, user_id, claims, claims_at, verified_email, refresh_token, created_at
        FROM links WHERE user_id = ?1 AND provider = ?2 ORDER BY rowid";
    OWNER_OF_LINK = "SELECT user_id FROM links WHERE subject = ?3 AND issuer = ?2 AND provider = ?1";
    DELETE_LINK = "DELETE FROM links WHERE subject = ?3 AND issuer = ?2 AND provider = ?1 AND user_id = ?4";
    INSERT_LINK = "INSERT INTO links
        (provider, issuer, subject, user_id, claims, claims_at, verified_email, refresh_token, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";
    UPDATE_LINK = "UPDATE links SET claims = ?5, claims_at = ?6, refresh_token = ?7,
        lease_fence = lease_fence + 1, lease_until = 0
        WHERE subject = ?3 AND issuer = ?2 AND provider = ?1 AND user_id = ?4";
    CHANGE_CLAIMS = "UPDATE links SET claims = ?4, claims_at = ?5, verified_email = ?6
        WHERE subject = ?3 AND issuer = ?2 AND provider = ?1 AND claims_at <= ?7";
    UPDATE_LINK_EMAIL = "UPDATE links SET verified_email = ?5
        WHERE subject = ?3 AND issuer = ?2 AND provider = ?1 AND user_id = ?4 AND verified_email IS NOT ?5";
    LEASE_LINK = "UPDATE links SET lease_fence = lease_fence + 1, lease_until = ?6
        WHERE subject = ?3 AND issuer = ?2 AND provider = ?1 AND (lease_until <= ?4 OR lease_until > ?5)
        RETURNING lease_fence";
    IS_LEASED = "SELECT 1 FROM links WHERE subject = ?3 AND issuer = ?2 AND provider = ?1 AND lease_fence = ?4";
    RELEASE_LINK = "UPDATE links SET lease_until = 0
        WHERE subject = ?3 AND issuer = ?2 AND provider = ?1 AND lease_fence = ?4";
    SYSTEM_ROLES = "SELECT name FROM system_roles ORDER BY name";
    INSERT_SYSTEM_ROLE = "INSERT INTO system_roles (name) VALUES (?1) ON CONFLICT DO NOTHING";

    // Sessions.
    SESSION = "SELECT id, data, upstream_id_token, last_active FROM sessions WHERE id = ?1";
    SESSION_BY_SECRET = "SELECT id, data, upstream_id_token, last_active FROM sessions WHERE secret = ?1";
    SESSIONS = "SELECT id, data, upstream_id_token, last_active FROM sessions ORDER BY rowid DESC LIMIT ?1";
    SESSIONS_OF_USER = "SELECT id, data, upstream_id_token, last_active FROM sessions WHERE user_id = ?1
        ORDER BY rowid DESC LIMIT ?2";
    SESSIONS_BEFORE = "SELECT id, data, upstream_id_token, last_active, rowid FROM sessions
        WHERE rowid < ?1 ORDER BY rowid DESC LIMIT ?2";
    SESSIONS_OF_USER_BEFORE = "SELECT id, data, upstream_id_token, last_active, rowid FROM sessions
        WHERE user_id = ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3";
    SESSIONS_BY_UPSTREAM_SID = "SELECT id, data, upstream_id_token, last_active FROM sessions
        WHERE upstream_sid = ?1";
    OWN_SESSIONS = "SELECT id, data, NULL, last_active FROM sessions WHERE user_id = ?1
        AND rowid < coalesce((SELECT rowid FROM sessions WHERE id = ?2), 9223372036854775807)
        AND expires_at > ?3 AND last_active + max_inactive > ?3 ORDER BY rowid DESC LIMIT ?4";
    OWN_SESSION = "SELECT id FROM sessions WHERE id = ?1 AND user_id = ?2";
    OTHER_SESSIONS = "SELECT id FROM sessions WHERE user_id = ?1 AND id <> ?2";
    SESSIONS_BY_LINK = "SELECT id FROM sessions WHERE user_id = ?1 AND data ->> '$.link.provider' = ?2
        AND data ->> '$.link.issuer' = ?3 AND data ->> '$.link.subject' = ?4";
    UPSTREAM_SESSIONS = "SELECT session_id, provider, issuer, subject, sid, id_token, sealed_in, at
        FROM upstream_sessions WHERE session_id = ?1";
    UPSTREAM_SESSIONS_BY_SUBJECT = "SELECT session_id, provider, issuer, subject, sid, id_token, sealed_in, at
        FROM upstream_sessions WHERE subject = ?1";
    UPSTREAM_SESSIONS_BY_SID = "SELECT session_id, provider, issuer, subject, sid, id_token, sealed_in, at
        FROM upstream_sessions WHERE sid = ?1";
    MOVE_UPSTREAM_SESSIONS = "UPDATE upstream_sessions SET session_id = ?2 WHERE session_id = ?1";
    KEEP_UPSTREAM_SESSION = "INSERT INTO upstream_sessions
        (session_id, provider, issuer, subject, sid, id_token, sealed_in, at)
        SELECT ?2, data ->> '$.link.provider', data ->> '$.link.issuer', data ->> '$.link.subject',
            upstream_sid, upstream_id_token, id, data ->> '$.created_at' FROM sessions WHERE id = ?1
        ON CONFLICT (session_id, provider, issuer, subject) DO UPDATE
        SET sid = excluded.sid, id_token = excluded.id_token, sealed_in = excluded.sealed_in, at = excluded.at";
    FORGET_UPSTREAM_SESSION = "DELETE FROM upstream_sessions
        WHERE session_id = ?1 AND provider = ?2 AND issuer = ?3 AND subject = ?4";
    SESSION_USER = "SELECT user_id FROM sessions WHERE id = ?1";
    SESSION_LIVE = "SELECT 1 FROM sessions WHERE id = ?1 AND expires_at > ?2 AND last_active + max_inactive > ?2";
    COUNT_SESSIONS = "SELECT count(*) FROM sessions WHERE expires_at > ?1";
    INSERT_SESSION = "INSERT INTO sessions
        (id, secret, user_id, data, upstream_sid, upstream_id_token, last_active, max_inactive, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";
    TOUCH_SESSION = "UPDATE sessions SET last_active = ?2
        WHERE id = ?1 AND last_active < ?2 AND expires_at > ?2 AND last_active + max_inactive > ?2";
    DELETE_SESSION = "DELETE FROM sessions WHERE id = ?1";
    DELETE_SESSIONS_OF_USER = "DELETE FROM sessions WHERE user_id = ?1";
    APPS_OF_USER = "SELECT DISTINCT client, coalesce(sid, sso_session) FROM grants
        WHERE user_id = ?1 AND sso_session IN (SELECT id FROM sessions WHERE user_id = ?1)";
    APPS_OF_SESSION = "SELECT DISTINCT client, coalesce(sid, sso_session) FROM grants
        WHERE user_id = ?1 AND sso_session = ?2";
    REVOKE_SESSION = "UPDATE grants SET revoked_at = coalesce(revoked_at, ?3), expires_at = min(expires_at, ?3)
        WHERE user_id = ?1 AND sso_session = ?2 AND (session_id IS NOT NULL OR revoked_at IS NOT NULL)";
    REVOKE_ALL_OF_SESSION = "UPDATE grants SET revoked_at = coalesce(revoked_at, ?3), expires_at = min(expires_at, ?3)
        WHERE user_id = ?1 AND sso_session = ?2";
    DELETE_CODES_OF_SESSION = "DELETE FROM codes WHERE sid = ?1 AND used_at IS NULL";
    MOVE_GRANTS = "UPDATE grants SET sso_session = ?3, session_id = iif(session_id IS NULL, NULL, ?3)
        WHERE user_id = ?1 AND sso_session = ?2";
    MOVED_TO = "SELECT sso_session FROM grants WHERE sid = ?1 AND sid <> sso_session LIMIT 1";
    EXTEND_MOVED = "UPDATE grants SET expires_at = ?3
        WHERE user_id = ?1 AND sso_session = ?2 AND expires_at < ?3 AND revoked_at IS NULL";
    KEEP_MOVED_CODES = "UPDATE codes SET keep_until = ?3 WHERE keep_until < ?3 AND hash IN
        (SELECT code FROM grants WHERE user_id = ?1 AND sso_session = ?2 AND revoked_at IS NULL)";
    MOVE_CODES = "UPDATE codes SET sid = ?2, data = json_set(data, '$.grant.sid', ?2,
        '$.grant.session_id', iif(data ->> '$.grant.session_id' IS NULL, NULL, ?2))
        WHERE used_at IS NULL AND sid = ?1";

    // Codes, grants, refresh tokens, consents.
    CODE = "SELECT data, used_at FROM codes WHERE hash = ?1";
    INSERT_CODE = "INSERT INTO codes (hash, grant_id, sid, data, expires_at, keep_until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    HAS_UNUSED_CODES = "SELECT 1 FROM codes WHERE sid = ?1 AND used_at IS NULL LIMIT 1 OFFSET ?2";
    TRIM_CODES = "DELETE FROM codes WHERE rowid IN
        (SELECT rowid FROM codes WHERE sid = ?1 AND used_at IS NULL ORDER BY rowid DESC LIMIT -1 OFFSET ?2)";
    USE_CODE = "UPDATE codes SET used_at = ?2, grant_id = ?3, keep_until = max(keep_until, ?4)
        WHERE hash = ?1 AND used_at IS NULL AND expires_at > ?2";
    KEEP_CODE_OF = "UPDATE codes SET keep_until = ?2
        WHERE hash = (SELECT code FROM grants WHERE id = ?1) AND keep_until < ?2";
    DELETE_CODE = "DELETE FROM codes WHERE hash = ?1";
    GRANT_OF_USED_CODE = "SELECT grant_id FROM codes WHERE hash = ?1 AND used_at IS NOT NULL";
    GRANT = "SELECT data, session_id, revoked_at, expires_at FROM grants WHERE id = ?1";
    GRANT_STANDING = "SELECT user_id, session_id, expires_at FROM grants WHERE id = ?1 AND revoked_at IS NULL";
    INSERT_GRANT = "INSERT INTO grants
        (id, client, user_id, session_id, sso_session, sid, data, revoked_at, expires_at, code)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    HAS_GRANTS = "SELECT 1 FROM grants WHERE user_id = ?1 AND sso_session = ?2 AND client = ?3 LIMIT 1 OFFSET ?4";
    TRIM_GRANTS = "DELETE FROM grants WHERE rowid IN (SELECT rowid FROM grants
        WHERE user_id = ?1 AND sso_session = ?2 AND client = ?3 ORDER BY rowid DESC LIMIT -1 OFFSET ?4)
        RETURNING code, refresh";
    EXTEND_GRANT = "UPDATE grants SET expires_at = ?2 WHERE id = ?1 AND expires_at < ?2";
    BIND_GRANT = "UPDATE grants SET data = json_set(data, '$.dpop_jkt', ?2)
        WHERE id = ?1 AND data ->> '$.dpop_jkt' IS NULL";
    REVOKE_GRANT = "UPDATE grants SET revoked_at = ?2, expires_at = min(expires_at, max(?2,
        coalesce((SELECT expires_at FROM sessions WHERE sessions.id = grants.sso_session), ?2)))
        WHERE id = ?1 AND revoked_at IS NULL";
    REVOKE_GRANTS_OF_USER = "UPDATE grants SET revoked_at = coalesce(revoked_at, ?2), expires_at = min(expires_at, ?2)
        WHERE user_id = ?1";
    REVOKE_GRANTS_OF_CLIENT = "UPDATE grants SET revoked_at = ?3, expires_at = min(expires_at, max(?3,
        coalesce((SELECT expires_at FROM sessions WHERE sessions.id = grants.sso_session), ?3)))
        WHERE user_id = ?1 AND client = ?2 AND revoked_at IS NULL";
    REVOKE_GRANTS_BY_LINK = "UPDATE grants SET revoked_at = ?5, expires_at = min(expires_at, ?5)
        WHERE user_id = ?1 AND revoked_at IS NULL AND data ->> '$.link.provider' = ?2
        AND data ->> '$.link.issuer' = ?3 AND data ->> '$.link.subject' = ?4";
    REVOKE_OLD_GRANTS_BY_LINK = "UPDATE grants SET revoked_at = ?5, expires_at = min(expires_at, ?5)
        WHERE user_id = ?1 AND revoked_at IS NULL AND data ->> '$.link.provider' = ?2
        AND data ->> '$.link.issuer' = ?3 AND data ->> '$.link.subject' = ?4 AND data ->> '$.created_at' <= ?6";
    LIVE_GRANTS_OF_USER = "SELECT count(*) FROM grants WHERE user_id = ?1 AND revoked_at IS NULL AND expires_at > ?2";
    LAST_GRANT = "SELECT max(rowid) FROM grants";
    REVOKE_GRANTS_BETWEEN = "UPDATE grants SET revoked_at = ?4, expires_at = min(expires_at, max(?4,
        coalesce((SELECT expires_at FROM sessions WHERE sessions.id = grants.sso_session), ?4)))
        WHERE rowid > ?1 AND rowid <= ?2 AND client = ?3 AND revoked_at IS NULL";
    LAST_CODE = "SELECT max(rowid) FROM codes";
    DELETE_CODES_BETWEEN = "DELETE FROM codes
        WHERE rowid > ?1 AND rowid <= ?2 AND used_at IS NULL AND data ->> '$.grant.client' = ?3";
    DELETE_CODES_OF_CONSENT = "DELETE FROM codes WHERE used_at IS NULL AND data ->> '$.grant.client' = ?2
        AND sid IN (SELECT id FROM sessions WHERE user_id = ?1)";
    REFRESH_TOKEN = "SELECT grant_id, created_at, used_at, expires_at, family_expires_at FROM refresh_tokens WHERE hash = ?1";
    REFRESH_USE = "SELECT grant_id, parent, used_at, expires_at, family_expires_at, successor, successor_until
        FROM refresh_tokens WHERE hash = ?1";
    INSERT_REFRESH = "INSERT INTO refresh_tokens
        (hash, grant_id, parent, created_at, used_at, expires_at, family_expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    USE_REFRESH = "UPDATE refresh_tokens SET used_at = ?2, successor = ?3, successor_until = ?4 WHERE hash = ?1";
    KEEP_REFRESH = "UPDATE refresh_tokens SET expires_at = ?2 WHERE hash = ?1";
    FORGET_SUCCESSOR = "UPDATE refresh_tokens SET successor = NULL, successor_until = NULL WHERE hash = ?1";
    NEWEST_REFRESH = "UPDATE grants SET refresh = ?2 WHERE id = ?1";
    NEWEST_COPIED = "UPDATE grants SET refresh = ?2 WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS t
        WHERE t.hash = grants.refresh AND (t.used_at IS NULL, t.created_at) >= (?3 IS NULL, ?4))";
    DELETE_REFRESH = "DELETE FROM refresh_tokens WHERE hash = ?1 RETURNING parent";
    CONSENT = "SELECT scopes, claims, granted_at FROM consents WHERE user_id = ?1 AND client = ?2";
    UPSERT_CONSENT = "INSERT INTO consents (user_id, client, scopes, claims, granted_at) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (user_id, client) DO UPDATE
        SET scopes = excluded.scopes, claims = excluded.claims, granted_at = excluded.granted_at";
    CONSENTS_OF_USER = "SELECT client, scopes, claims, granted_at FROM consents WHERE user_id = ?1 ORDER BY client";
    OWN_CONSENTS = "SELECT client, scopes, claims, granted_at FROM consents
        WHERE user_id = ?1 AND client > ?2 ORDER BY client LIMIT ?3";
    DELETE_CONSENT = "DELETE FROM consents WHERE user_id = ?1 AND client = ?2";

    // Pending sign-ins and requests, traces, one-time identifiers.
    INSERT_LOGIN = "INSERT INTO logins (rowid, state, browser, data, expires_at) VALUES (1 + max(
        coalesce((SELECT max(rowid) FROM logins), 0), coalesce((SELECT max(rowid) FROM interactions), 0)), ?1, ?2, ?3, ?4)";
    LOGIN = "SELECT browser, data, expires_at FROM logins WHERE state = ?1";
    TAKE_LOGIN = "DELETE FROM logins WHERE state = ?1 AND browser = ?2 RETURNING browser, data, expires_at";
    INSERT_INTERACTION = "INSERT INTO interactions (rowid, id, browser, data, expires_at) VALUES (1 + max(
        coalesce((SELECT max(rowid) FROM logins), 0), coalesce((SELECT max(rowid) FROM interactions), 0)), ?1, ?2, ?3, ?4)";
    INTERACTION = "SELECT browser, data, expires_at FROM interactions WHERE id = ?1";
    TAKE_INTERACTION = "DELETE FROM interactions WHERE id = ?1 RETURNING browser, data, expires_at";
    COUNT_PENDING = "SELECT (SELECT count(*) FROM logins) + (SELECT count(*) FROM interactions),
        coalesce((SELECT sum(length(data)) FROM logins), 0) + coalesce((SELECT sum(length(data)) FROM interactions), 0)";
    OLDEST_LOGIN = "SELECT rowid FROM logins ORDER BY rowid LIMIT 1";
    OLDEST_INTERACTION = "SELECT rowid FROM interactions ORDER BY rowid LIMIT 1";
    DELETE_LOGIN = "DELETE FROM logins WHERE rowid = ?1 RETURNING length(data)";
    DELETE_INTERACTION = "DELETE FROM interactions WHERE rowid = ?1 RETURNING length(data)";
    INSERT_TRACE = "INSERT INTO traces (id, user_id, client, data, at, expires_at, alone) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, client = excluded.client, data = excluded.data,
        at = excluded.at, expires_at = excluded.expires_at, alone = excluded.alone";
    TRIM_TRACES = "DELETE FROM traces WHERE rowid IN (SELECT rowid FROM traces
        WHERE alone = 1 AND user_id IS ?1 ORDER BY rowid DESC LIMIT -1 OFFSET ?2)";
    TRACE = "SELECT id, user_id, client, data, at, expires_at FROM traces WHERE id = ?1 AND expires_at > ?2";
    FORGET_REFUSED_NAMES = "DELETE FROM refused_names WHERE trace = ?1";
    INSERT_REFUSED_NAME = "INSERT INTO refused_names (key, trace) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    REFUSALS_NAMED = "SELECT id, user_id, client, data, at, expires_at FROM refused_names
        CROSS JOIN traces ON traces.id = refused_names.trace
        WHERE refused_names.key = ?1 AND expires_at > ?2 LIMIT ?3";
    USE_ONCE = "INSERT INTO used_once (id, expires_at) VALUES (?1, ?2)
        ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at WHERE used_once.expires_at <= ?3";

    // Apps that are still to be told that a session ended. ?1 is now; a hold that ends after ?2 counts as
    // over; ?3 is a JSON array of clients.
    INSERT_NOTICE = "INSERT INTO logout_notices (client, user_id, sub, sid, trace_id, held_until, created_at)
        SELECT ?1, id, sub, ?3, ?4, ?5, ?6 FROM users WHERE id = ?2 RETURNING id";
    HAS_NOTICES = "SELECT 1 FROM logout_notices WHERE client = ?1 LIMIT 1 OFFSET ?2";
    IS_NOTICE_LEFT = "SELECT 1 FROM logout_notices WHERE (held_until <= ?1 OR held_until > ?2)
        AND instr(?3, json_quote(client)) = 0 LIMIT 1";
    TAKE_NOTICES = "UPDATE logout_notices SET held_until = ?4, fence = fence + 1 WHERE id IN
        (SELECT id FROM logout_notices WHERE (held_until <= ?1 OR held_until > ?2)
            AND instr(?3, json_quote(client)) = 0 LIMIT ?5)
        RETURNING id, fence, client, user_id, sub, sid, trace_id, attempts, created_at";
    HOLD_NOTICE = "UPDATE logout_notices SET attempts = ?3, held_until = ?4 WHERE id = ?1 AND fence = ?2";
    FORGET_NOTICE = "DELETE FROM logout_notices WHERE id = ?1 AND fence = ?2";

    // The history of the configuration.
    INSERT_GENERATION = "INSERT INTO generations (id, replica, number, hash, applied, data, at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    TRIM_GENERATIONS = "DELETE FROM generations WHERE rowid IN
        (SELECT rowid FROM generations ORDER BY rowid DESC LIMIT -1 OFFSET ?1)";
    GENERATIONS = "SELECT id, replica, number, hash, applied, data, at FROM generations ORDER BY rowid DESC LIMIT ?1";
    UPSERT_REPLICA = "INSERT INTO replicas (id, host, hash, generation, started_at, seen_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE
        SET hash = excluded.hash, generation = excluded.generation, seen_at = excluded.seen_at";
    FORGET_REPLICAS = "DELETE FROM replicas WHERE seen_at < ?1";
    REPLICAS = "SELECT id, host, hash, generation, started_at, seen_at FROM replicas ORDER BY started_at, id";

    // Signing keys.
    SIGNING_KEYS = "SELECT kid, algorithm, private, state, created_at, activated_at, retired_at FROM signing_keys
        ORDER BY created_at, kid";
    SIGNING_KIDS = "SELECT kid FROM signing_keys ORDER BY kid";
    DELETE_SIGNING_KEYS = "DELETE FROM signing_keys";
    INSERT_SIGNING_KEY = "INSERT INTO signing_keys (kid, algorithm, private, state, created_at, activated_at, retired_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    // Sweeping: ?1 is now, ?2 the maximum number of rows. All use an index on the expiry, because a clock that jumped leaves
    // rows in any order, except logins: each pass reads all of them, a range of row numbers at a time.
    LOGINS_FROM = "SELECT rowid FROM logins WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";
    SWEEP_LOGINS = "DELETE FROM logins WHERE rowid > ?1 AND rowid <= ?2 AND expires_at <= ?3 RETURNING length(data)";
    SWEEP_INTERACTIONS = "DELETE FROM interactions WHERE rowid IN
        (SELECT rowid FROM interactions WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2) RETURNING length(data)";
    SWEEP_SESSIONS = "DELETE FROM sessions WHERE rowid IN
        (SELECT rowid FROM sessions WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
    SWEEP_CODES = "DELETE FROM codes WHERE rowid IN
        (SELECT rowid FROM codes WHERE keep_until <= ?1 ORDER BY keep_until LIMIT ?2)";
    SWEEP_GRANTS = "DELETE FROM grants WHERE rowid IN
        (SELECT rowid FROM grants WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2) RETURNING code, refresh";
    SWEEP_REFRESH_TOKENS = "DELETE FROM refresh_tokens WHERE hash IN
        (SELECT hash FROM refresh_tokens WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
    SWEEP_SUCCESSORS = "UPDATE refresh_tokens SET successor = NULL, successor_until = NULL WHERE hash IN
        (SELECT hash FROM refresh_tokens WHERE successor_until <= ?1 ORDER BY successor_until LIMIT ?2)";
    SWEEP_TRACES = "DELETE FROM traces WHERE rowid IN
        (SELECT rowid FROM traces WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
    SWEEP_NOTICES = "DELETE FROM logout_notices WHERE id IN
        (SELECT id FROM logout_notices WHERE held_until <= ?1 ORDER BY held_until LIMIT ?2)";
    SWEEP_USED_ONCE = "DELETE FROM used_once WHERE id IN
        (SELECT id FROM used_once WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
}
