-- What ends. Functions that return o_sessions and o_grants have one row with these figures, whose o_client is NULL, and one
-- for each app that took part in a session; no row means that nothing changed.

CREATE FUNCTION touch_session@(p_id text, p_now bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM passing@();
    PERFORM touch@(p_id, p_now);
END $$;

CREATE FUNCTION end_session@(
    p_id text, p_now bigint, p_tell text[], p_request text, p_held bigint, p_most integer,
    p_events text[], p_event_data bytea[]
) RETURNS TABLE (o_client text, o_sid text, o_notice bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM put_events@(p_events, p_event_data, NULL, NULL);
    RETURN QUERY SELECT * FROM end_one@(p_id, p_now, p_tell, p_request, p_held, p_most);
END $$;

-- Remembers a one-time identifier; false if it is remembered already.
CREATE FUNCTION use_once@(p_id bytea, p_expires bigint, p_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO used_once (id, expires_at) VALUES (p_id, p_expires)
        ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at WHERE used_once.expires_at <= p_now;
    RETURN FOUND;
END $$;

-- Does what a provider says has ended, with the use of an identifier. The row with number 0 says that it was the first use;
-- those of the apps have the number of their session, from 1.
CREATE FUNCTION end_once@(
    p_once bytea, p_expires bigint, p_now bigint, p_sessions text[],
    p_users text[], p_providers text[], p_issuers text[], p_subjects text[], p_made_by bigint[],
    p_claims_providers text[], p_claims_issuers text[], p_claims_subjects text[], p_claims bytea[], p_claims_at bigint[],
    p_emails text[], p_read_at bigint[],
    p_tell text[], p_request text, p_held bigint, p_most integer,
    p_events text[], p_event_data bytea[]
) RETURNS TABLE (o_number integer, o_client text, o_sid text, o_notice bigint) LANGUAGE plpgsql AS $$
BEGIN
    IF NOT use_once@(p_once, p_expires, p_now) THEN
        RETURN;
    END IF;
    PERFORM put_events@(p_events, p_event_data, NULL, NULL);
    RETURN QUERY SELECT 0, NULL::text, NULL::text, NULL::bigint;
    UPDATE links SET claims = c.claims, claims_at = c.at, verified_email = c.email
        FROM unnest(p_claims_providers, p_claims_issuers, p_claims_subjects, p_claims, p_claims_at, p_emails, p_read_at)
            AS c (provider, issuer, subject, claims, at, email, read_at)
        WHERE links.subject = c.subject AND links.issuer = c.issuer AND links.provider = c.provider
            AND links.claims_at <= c.read_at;
    FOR n IN 1 .. cardinality(p_sessions) LOOP
        RETURN QUERY SELECT n, e.o_client, e.o_sid, e.o_notice
            FROM end_one@(p_sessions[n], p_now, p_tell, p_request, p_held, p_most) AS e;
    END LOOP;
    UPDATE grants SET revoked_at = p_now, expires_at = least(expires_at, p_now)
        FROM unnest(p_users, p_providers, p_issuers, p_subjects, p_made_by) AS g (user_id, provider, issuer, subject, made_by)
        WHERE grants.user_id = g.user_id AND grants.revoked_at IS NULL AND grants.provider = g.provider
            AND grants.issuer = g.issuer AND grants.subject = g.subject AND grants.created_at <= g.made_by;
END $$;

-- Ends sessions of a user with all grants and codes of them: one, or all but one.
CREATE FUNCTION end_own_sessions@(
    p_user text, p_one text, p_kept text, p_now bigint, p_tell text[], p_request text, p_held bigint, p_most integer,
    p_events text[], p_event_data bytea[]
) RETURNS TABLE (o_sessions bigint, o_grants bigint, o_client text, o_sid text, o_notice bigint) LANGUAGE plpgsql AS $$
DECLARE
    v_id text;
    v_sessions bigint := 0;
    v_grants bigint := 0;
    v_count bigint;
BEGIN
    FOR v_id IN SELECT id FROM sessions WHERE user_id = p_user AND (id = p_one OR p_one IS NULL AND id <> p_kept)
            ORDER BY id FOR UPDATE LOOP
        RETURN QUERY SELECT 0::bigint, 0::bigint, a.*
            FROM apps_of_session@(p_user, v_id, p_now, p_tell, p_request, p_held, p_most) AS a;
        DELETE FROM codes WHERE sid = v_id AND used_at IS NULL;
        UPDATE grants SET revoked_at = coalesce(revoked_at, p_now), expires_at = least(expires_at, p_now)
            WHERE user_id = p_user AND sso_session = v_id;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        v_grants := v_grants + v_count;
        DELETE FROM sessions WHERE id = v_id;
        v_sessions := v_sessions + 1;
    END LOOP;
    IF v_sessions > 0 THEN
        PERFORM put_events@(p_events, p_event_data, v_sessions, v_grants);
    END IF;
    RETURN QUERY SELECT v_sessions, v_grants, NULL::text, NULL::text, NULL::bigint;
END $$;

CREATE FUNCTION set_user_disabled@(
    p_user text, p_disabled boolean, p_now bigint, p_tell text[], p_request text, p_held bigint, p_most integer,
    p_events text[], p_event_data bytea[]
) RETURNS TABLE (o_sessions bigint, o_grants bigint, o_client text, o_sid text, o_notice bigint) LANGUAGE plpgsql AS $$
DECLARE
    v_sessions bigint := 0;
    v_grants bigint := 0;
BEGIN
    UPDATE users SET disabled = p_disabled WHERE id = p_user AND disabled <> p_disabled;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF p_disabled THEN
        PERFORM 1 FROM sessions WHERE user_id = p_user ORDER BY id FOR UPDATE;
        RETURN QUERY SELECT 0::bigint, 0::bigint, a.* FROM sessions s
            CROSS JOIN LATERAL apps_of_session@(p_user, s.id, p_now, p_tell, p_request, p_held, p_most) AS a
            WHERE s.user_id = p_user;
        SELECT count(*) INTO v_grants FROM grants WHERE user_id = p_user AND revoked_at IS NULL AND expires_at > p_now;
        UPDATE grants SET revoked_at = coalesce(revoked_at, p_now), expires_at = least(expires_at, p_now)
            WHERE user_id = p_user;
        DELETE FROM sessions WHERE user_id = p_user;
        GET DIAGNOSTICS v_sessions = ROW_COUNT;
    END IF;
    PERFORM put_events@(p_events, p_event_data, v_sessions, v_grants);
    RETURN QUERY SELECT v_sessions, v_grants, NULL::text, NULL::text, NULL::bigint;
END $$;

-- Renames a user; false if the name is taken or there is no such user.
CREATE FUNCTION rename_user@(p_user text, p_username text, p_key text, p_events text[], p_event_data bytea[])
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        UPDATE users SET username = p_username, username_key = p_key WHERE id = p_user;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
    EXCEPTION WHEN unique_violation THEN
        RETURN false;
    END;
    PERFORM put_events@(p_events, p_event_data, NULL, NULL);
    RETURN true;
END $$;

CREATE FUNCTION revoke_consent@(p_user text, p_client text, p_now bigint, p_events text[], p_event_data bytea[])
RETURNS TABLE (o_sessions bigint, o_grants bigint, o_client text, o_sid text) LANGUAGE plpgsql AS $$
DECLARE
    v_grants bigint;
    v_count bigint;
    v_all bigint;
BEGIN
    DELETE FROM consents WHERE user_id = p_user AND client = p_client;
    GET DIAGNOSTICS v_all = ROW_COUNT;
    DELETE FROM codes WHERE used_at IS NULL AND client = p_client AND sid IN (SELECT id FROM sessions WHERE user_id = p_user);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    UPDATE grants SET revoked_at = p_now, expires_at = least(expires_at, greatest(p_now,
            coalesce((SELECT s.expires_at FROM sessions s WHERE s.id = grants.sso_session), p_now)))
        WHERE user_id = p_user AND client = p_client AND revoked_at IS NULL;
    GET DIAGNOSTICS v_grants = ROW_COUNT;
    IF v_all + v_count + v_grants = 0 THEN
        RETURN;
    END IF;
    PERFORM put_events@(p_events, p_event_data, 0, v_grants);
    RETURN QUERY SELECT 0::bigint, v_grants, NULL::text, NULL::text;
END $$;

-- The unused codes of a client among the next ones after `p_after`: the last one that was looked at, and how many were deleted.
CREATE FUNCTION delete_codes_of_client@(p_client text, p_after bytea, p_window integer)
RETURNS TABLE (o_last bytea, o_count bigint) LANGUAGE plpgsql AS $$
DECLARE
    v_last bytea;
    v_count bigint;
BEGIN
    SELECT w.hash INTO v_last FROM (SELECT hash FROM codes WHERE hash > p_after ORDER BY hash LIMIT p_window) AS w
        ORDER BY w.hash DESC LIMIT 1;
    IF v_last IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM codes WHERE hash > p_after AND hash <= v_last AND used_at IS NULL AND client = p_client;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN QUERY SELECT v_last, v_count;
END $$;

-- The grants of a client among the next ones after `p_after`: the last one that was looked at, and how many were revoked.
CREATE FUNCTION revoke_grants_of_client@(p_client text, p_after text, p_window integer, p_now bigint)
RETURNS TABLE (o_last text, o_count bigint) LANGUAGE plpgsql AS $$
DECLARE
    v_last text;
    v_count bigint;
BEGIN
    SELECT max(w.id) INTO v_last FROM (SELECT id FROM grants WHERE id > p_after ORDER BY id LIMIT p_window) AS w;
    IF v_last IS NULL THEN
        RETURN;
    END IF;
    UPDATE grants SET revoked_at = p_now, expires_at = least(expires_at, greatest(p_now,
            coalesce((SELECT s.expires_at FROM sessions s WHERE s.id = grants.sso_session), p_now)))
        WHERE id > p_after AND id <= v_last AND client = p_client AND revoked_at IS NULL;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN QUERY SELECT v_last, v_count;
END $$;

CREATE FUNCTION attach_certificate@(
    p_provider text, p_issuer text, p_subject text, p_user text, p_claims bytea, p_claims_at bigint, p_email text,
    p_refresh bytea, p_created bigint, p_events text[], p_event_data bytea[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT has_access@(p_user) THEN
        RETURN false;
    END IF;
    INSERT INTO links (provider, issuer, subject, user_id, claims, claims_at, verified_email, refresh_token, created_at)
        VALUES (p_provider, p_issuer, p_subject, p_user, p_claims, p_claims_at, p_email, p_refresh, p_created)
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM put_events@(p_events, p_event_data, NULL, NULL);
    RETURN true;
END $$;

CREATE FUNCTION detach_certificate@(
    p_user text, p_provider text, p_issuer text, p_subject text, p_now bigint,
    p_tell text[], p_request text, p_held bigint, p_most integer, p_events text[], p_event_data bytea[]
) RETURNS TABLE (o_sessions bigint, o_grants bigint, o_client text, o_sid text, o_notice bigint) LANGUAGE plpgsql AS $$
DECLARE
    v_id text;
    v_sessions bigint := 0;
    v_grants bigint;
BEGIN
    PERFORM 1 FROM users WHERE id = p_user FOR NO KEY UPDATE;
    DELETE FROM links WHERE subject = p_subject AND issuer = p_issuer AND provider = p_provider AND user_id = p_user;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM 1 FROM sessions WHERE user_id = p_user AND provider = p_provider AND issuer = p_issuer AND subject = p_subject
        ORDER BY id FOR UPDATE;
    UPDATE grants SET revoked_at = p_now, expires_at = least(expires_at, p_now)
        WHERE user_id = p_user AND revoked_at IS NULL AND provider = p_provider AND issuer = p_issuer
            AND subject = p_subject;
    GET DIAGNOSTICS v_grants = ROW_COUNT;
    FOR v_id IN SELECT id FROM sessions
            WHERE user_id = p_user AND provider = p_provider AND issuer = p_issuer AND subject = p_subject ORDER BY id LOOP
        RETURN QUERY SELECT 0::bigint, 0::bigint, e.* FROM end_one@(v_id, p_now, p_tell, p_request, p_held, p_most) AS e;
        v_sessions := v_sessions + 1;
    END LOOP;
    PERFORM put_events@(p_events, p_event_data, v_sessions, v_grants);
    RETURN QUERY SELECT v_sessions, v_grants, NULL::text, NULL::text, NULL::bigint;
END $$;
