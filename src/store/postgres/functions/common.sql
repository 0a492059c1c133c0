-- Shared by the functions of the operations. They lock rows in this order: users, links, sessions, codes, grants, refresh
-- tokens.
--
-- What a sign-in and a refresh consist of is called in an assignment to v_done, not with PERFORM: PL/pgSQL evaluates such an
-- expression by itself, and runs a statement of the executor for PERFORM, which takes as long as a small INSERT. For the same
-- reason nothing is called that would do nothing.

-- A write that survives the end of the broker, but perhaps not that of the database server. The server's log keeps the order,
-- so that it becomes as durable as the rest with the next write that waits for the disk.
CREATE FUNCTION passing@() RETURNS boolean LANGUAGE sql AS $$
    SELECT set_config('synchronous_commit', 'off', true) IS NOT NULL;
$$;

-- Events, with what their operation ended.
CREATE FUNCTION put_events@(p_ids text[], p_data bytea[], p_sessions bigint, p_grants bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(p_ids) > 0 THEN
        INSERT INTO audit_pending (id, data, sessions, grants)
            SELECT e.id, e.data, p_sessions, p_grants FROM unnest(p_ids, p_data) AS e (id, data);
    END IF;
    RETURN true;
END $$;

-- The account of a sign-in, locked; false if a name or the subject is taken, or the account has no access. With `p_alone`, no
-- other sign-in of the account runs at the same time.
CREATE FUNCTION put_account@(
    p_create boolean, p_id text, p_username text, p_key text, p_sub text, p_profile bytea, p_disabled boolean,
    p_created bigint, p_alone boolean
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF p_create THEN
        INSERT INTO users (id, username, username_key, sub, profile, disabled, created_at)
            VALUES (p_id, p_username, p_key, p_sub, p_profile, p_disabled, p_created) ON CONFLICT DO NOTHING;
    ELSIF p_profile IS NOT NULL THEN
        UPDATE users SET profile = p_profile WHERE id = p_id AND NOT disabled;
    ELSIF p_alone THEN
        PERFORM 1 FROM users WHERE id = p_id AND NOT disabled FOR NO KEY UPDATE;
    ELSE
        PERFORM 1 FROM users WHERE id = p_id AND NOT disabled FOR SHARE;
    END IF;
    RETURN FOUND;
END $$;

-- A link, made or refreshed; false if the upstream account belongs to another user.
CREATE FUNCTION put_link@(
    p_provider text, p_issuer text, p_subject text, p_user text, p_claims bytea, p_claims_at bigint, p_email text,
    p_refresh bytea, p_created bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO links (provider, issuer, subject, user_id, claims, claims_at, verified_email, refresh_token, created_at)
        VALUES (p_provider, p_issuer, p_subject, p_user, p_claims, p_claims_at, p_email, p_refresh, p_created)
        ON CONFLICT (subject, issuer, provider) DO UPDATE SET claims = excluded.claims, claims_at = excluded.claims_at,
            verified_email = excluded.verified_email, refresh_token = excluded.refresh_token,
            lease_fence = links.lease_fence + 1, lease_until = 0
        WHERE links.user_id = excluded.user_id;
    RETURN FOUND;
END $$;

-- Whether a user has access; the row is locked so that this remains so.
CREATE FUNCTION has_access@(p_user text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM users WHERE id = p_user AND NOT disabled FOR SHARE;
    RETURN FOUND;
END $$;

-- Marks a session as active.
CREATE FUNCTION touch@(p_id text, p_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE sessions SET last_active = p_now
        WHERE id = p_id AND last_active < p_now AND expires_at > p_now AND last_active + max_inactive > p_now;
    RETURN FOUND;
END $$;

-- An unused code; the oldest of its session go beyond a bound, if there is one.
CREATE FUNCTION put_code@(
    p_hash bytea, p_grant text, p_client text, p_sid text, p_session text, p_data text, p_expires bigint, p_most integer
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO codes (hash, grant_id, client, sid, session_id, data, expires_at, keep_until)
        VALUES (p_hash, p_grant, p_client, p_sid, p_session, p_data, p_expires, p_expires);
    IF p_most IS NULL THEN
        RETURN true;
    END IF;
    PERFORM 1 FROM codes WHERE sid = p_sid AND used_at IS NULL OFFSET p_most LIMIT 1;
    IF FOUND THEN
        DELETE FROM codes WHERE used_at IS NULL AND hash = ANY (ARRAY(
            SELECT hash FROM codes WHERE sid = p_sid AND used_at IS NULL ORDER BY row DESC OFFSET p_most));
    END IF;
    RETURN true;
END $$;

-- A grant, with the code that was redeemed for it; the oldest of its app in its session go beyond a bound, with all they
-- issued.
CREATE FUNCTION put_grant@(
    p_id text, p_client text, p_user text, p_provider text, p_issuer text, p_subject text, p_session text, p_made_in text,
    p_sid text, p_data text, p_jkt text, p_created bigint, p_revoked bigint, p_expires bigint, p_code bytea, p_most integer
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO grants (id, client, user_id, provider, issuer, subject, session_id, sso_session, sid, data, dpop_jkt,
            created_at, revoked_at, expires_at, code)
        VALUES (p_id, p_client, p_user, p_provider, p_issuer, p_subject, p_session, p_made_in, p_sid, p_data, p_jkt, p_created,
            p_revoked, p_expires, p_code);
    PERFORM 1 FROM grants WHERE user_id = p_user AND sso_session = p_made_in AND client = p_client OFFSET p_most LIMIT 1;
    IF FOUND THEN
        PERFORM forget_grants@(ARRAY(SELECT id FROM grants
            WHERE user_id = p_user AND sso_session = p_made_in AND client = p_client ORDER BY row DESC OFFSET p_most));
    END IF;
    RETURN true;
END $$;

-- Deletes grants, with their codes and refresh tokens.
CREATE FUNCTION forget_grants@(p_ids text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_count bigint;
BEGIN
    WITH gone AS (DELETE FROM grants WHERE id = ANY (p_ids) RETURNING id, code),
        of_codes AS (DELETE FROM codes WHERE hash IN (SELECT code FROM gone)),
        of_tokens AS (DELETE FROM refresh_tokens WHERE grant_id IN (SELECT id FROM gone))
        SELECT count(*) INTO v_count FROM gone;
    RETURN v_count;
END $$;

-- Revokes a grant. It is kept as long as the session that it was made in.
CREATE FUNCTION revoke_one@(p_id text, p_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE grants SET revoked_at = p_now, expires_at = least(expires_at, greatest(p_now,
            coalesce((SELECT s.expires_at FROM sessions s WHERE s.id = grants.sso_session), p_now)))
        WHERE id = p_id AND revoked_at IS NULL;
    RETURN FOUND;
END $$;

-- A decision; for one without a sign-in, the names that it is found by, and the oldest of the same account go beyond a bound.
CREATE FUNCTION put_trace@(
    p_id text, p_user text, p_client text, p_data bytea, p_at bigint, p_expires bigint, p_alone boolean, p_names bytea[],
    p_most integer
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO traces (id, user_id, client, data, at, expires_at, alone)
        VALUES (p_id, p_user, p_client, p_data, p_at, p_expires, p_alone)
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        UPDATE traces SET user_id = p_user, client = p_client, data = p_data, at = p_at, expires_at = p_expires,
            alone = p_alone WHERE id = p_id;
        -- The earlier decision may have been about somebody else.
        DELETE FROM refused_names WHERE trace = p_id;
    END IF;
    IF NOT p_alone THEN
        RETURN true;
    END IF;
    INSERT INTO refused_names (key, trace) SELECT DISTINCT n, p_id FROM unnest(p_names) AS n
        ON CONFLICT DO NOTHING;
    -- Near the bound, one at a time, so that each sees what the others have inserted.
    PERFORM 1 FROM traces WHERE alone AND owner = coalesce(p_user, '') OFFSET greatest(p_most - 64, 0) LIMIT 1;
    IF FOUND THEN
        PERFORM 1 FROM locks WHERE name = 'refusals' FOR UPDATE;
        DELETE FROM traces WHERE id = ANY (ARRAY(
            SELECT id FROM traces WHERE alone AND owner = coalesce(p_user, '') ORDER BY row DESC OFFSET p_most));
    END IF;
    RETURN true;
END $$;

-- Ends a session and revokes the grants bound to it. Returns the apps that took part in it, as apps_of_session does.
CREATE FUNCTION end_one@(p_id text, p_now bigint, p_tell text[], p_request text, p_held bigint, p_most integer)
RETURNS TABLE (o_client text, o_sid text, o_notice bigint) LANGUAGE plpgsql AS $$
DECLARE
    v_user text;
BEGIN
    SELECT user_id INTO v_user FROM sessions WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM apps_of_session@(v_user, p_id, p_now, p_tell, p_request, p_held, p_most);
    UPDATE grants SET revoked_at = coalesce(revoked_at, p_now), expires_at = least(expires_at, p_now)
        WHERE user_id = v_user AND sso_session = p_id AND (session_id IS NOT NULL OR revoked_at IS NOT NULL);
    DELETE FROM sessions WHERE id = p_id;
END $$;
