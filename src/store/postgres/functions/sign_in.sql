-- A finished sign-in. It fails with CS001, and nothing is written, if the account or the link can't be written, and with a
-- unique violation if the session can't: its id and its secret are random, so that looking for them first is not worth it.
CREATE FUNCTION finish_sign_in@(
    p_now bigint, p_only_here boolean,
    p_create boolean, p_user text, p_username text, p_key text, p_sub text, p_profile bytea, p_disabled boolean,
    p_user_created bigint,
    p_provider text, p_issuer text, p_subject text, p_link_user text, p_claims bytea, p_claims_at bigint, p_email text,
    p_refresh bytea, p_link_created bigint,
    p_roles text[],
    p_session text, p_secret bytea, p_session_user text, p_session_provider text, p_session_issuer text,
    p_session_subject text, p_session_data text, p_upstream_sid text, p_id_token bytea, p_session_created bigint,
    p_last_active bigint,
    p_max_inactive bigint, p_session_expires bigint,
    p_replaces text,
    p_code bytea, p_code_grant text, p_code_client text, p_code_sid text, p_code_session text, p_code_data text,
    p_code_expires bigint, p_most_codes integer,
    p_trace text, p_trace_user text, p_trace_client text, p_trace_data bytea, p_trace_at bigint, p_trace_expires bigint,
    p_tell text[], p_request text, p_held bigint, p_most integer,
    p_events text[], p_event_data bytea[]
) RETURNS TABLE (o_client text, o_sid text, o_notice bigint) LANGUAGE plpgsql AS $$
DECLARE
    v_old text;
    v_done boolean := passing@();
BEGIN
    IF NOT put_account@(p_create, p_user, p_username, p_key, p_sub, p_profile, p_disabled, p_user_created, p_only_here) THEN
        RAISE EXCEPTION 'conflict' USING ERRCODE = 'CS001';
    END IF;
    IF p_only_here THEN
        PERFORM 1 FROM links WHERE user_id = p_link_user AND provider = p_provider AND issuer = p_issuer;
        IF FOUND THEN
            RAISE EXCEPTION 'conflict' USING ERRCODE = 'CS001';
        END IF;
    END IF;
    IF NOT put_link@(p_provider, p_issuer, p_subject, p_link_user, p_claims, p_claims_at, p_email, p_refresh,
            p_link_created) THEN
        RAISE EXCEPTION 'conflict' USING ERRCODE = 'CS001';
    END IF;
    IF cardinality(p_roles) > 0 THEN
        INSERT INTO system_roles (name) SELECT n FROM unnest(p_roles) AS n ORDER BY n ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO sessions (id, secret, user_id, provider, issuer, subject, data, upstream_sid, upstream_id_token,
            created_at, last_active, max_inactive, expires_at)
        VALUES (p_session, p_secret, p_session_user, p_session_provider, p_session_issuer, p_session_subject,
            p_session_data, p_upstream_sid, p_id_token, p_session_created, p_last_active, p_max_inactive, p_session_expires);
    IF p_replaces IS NOT NULL THEN
        SELECT user_id INTO v_old FROM sessions WHERE id = p_replaces FOR UPDATE;
        IF v_old = p_session_user THEN
            PERFORM move_session@(v_old, p_replaces, p_session, p_session_expires);
        END IF;
        RETURN QUERY SELECT * FROM end_one@(p_replaces, p_now, p_tell, p_request, p_held, p_most);
    END IF;
    IF p_code IS NOT NULL THEN
        -- A session that replaces no other has no other code.
        v_done := put_code@(p_code, p_code_grant, p_code_client, p_code_sid, p_code_session, p_code_data, p_code_expires,
            CASE WHEN p_replaces IS NOT NULL THEN p_most_codes END);
    END IF;
    v_done := put_trace@(p_trace, p_trace_user, p_trace_client, p_trace_data, p_trace_at, p_trace_expires, false, NULL, 0);
    v_done := put_events@(p_events, p_event_data, NULL, NULL);
END $$;

-- The grants and unused codes of a session pass to the one that replaces it.
CREATE FUNCTION move_session@(p_user text, p_old text, p_new text, p_expires bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- An app that knows the old session is notified when the new one ends, no matter how much later.
    UPDATE codes SET keep_until = p_expires WHERE keep_until < p_expires AND hash = ANY (ARRAY(
        SELECT code FROM grants WHERE user_id = p_user AND sso_session = p_old AND revoked_at IS NULL));
    UPDATE grants SET sso_session = p_new, session_id = CASE WHEN session_id IS NOT NULL THEN p_new END,
            expires_at = CASE WHEN revoked_at IS NULL THEN greatest(expires_at, p_expires) ELSE expires_at END
        WHERE user_id = p_user AND sso_session = p_old;
    -- Two tabs may sign in at the same time, and the code of the first may not be redeemed yet.
    UPDATE codes SET sid = p_new, session_id = CASE WHEN session_id IS NOT NULL THEN p_new END
        WHERE used_at IS NULL AND sid = p_old;
    -- So do the upstream sessions that it came from. A sign-in with the same upstream account takes the place of the earlier
    -- one.
    UPDATE upstream_sessions SET session_id = p_new WHERE session_id = p_old;
    INSERT INTO upstream_sessions (session_id, provider, issuer, subject, sid, id_token, sealed_in, at)
        SELECT p_new, provider, issuer, subject, upstream_sid, upstream_id_token, id, created_at
            FROM sessions WHERE id = p_old
        ON CONFLICT (session_id, provider, issuer, subject) DO UPDATE
        SET sid = excluded.sid, id_token = excluded.id_token, sealed_in = excluded.sealed_in, at = excluded.at;
    DELETE FROM upstream_sessions u USING sessions s WHERE s.id = p_new AND u.session_id = p_new
        AND u.provider = s.provider AND u.issuer = s.issuer AND u.subject = s.subject;
END $$;

-- A certificate is exchanged for a grant. It fails with CS001, and nothing is written, if the account or the link can't be
-- written.
CREATE FUNCTION grant_by_certificate@(
    p_create boolean, p_user text, p_username text, p_key text, p_sub text, p_profile bytea, p_disabled boolean,
    p_user_created bigint,
    p_has_link boolean, p_provider text, p_issuer text, p_subject text, p_link_user text, p_claims bytea,
    p_claims_at bigint, p_email text, p_refresh bytea, p_link_created bigint,
    p_grant text, p_client text, p_grant_user text, p_grant_provider text, p_grant_issuer text, p_grant_subject text,
    p_session text, p_made_in text, p_sid text, p_data text, p_jkt text, p_created bigint, p_revoked bigint, p_expires bigint,
    p_most_grants integer,
    p_trace text, p_trace_user text, p_trace_client text, p_trace_data bytea, p_trace_at bigint, p_trace_expires bigint,
    p_names bytea[], p_most_traces integer,
    p_events text[], p_event_data bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_linked boolean;
BEGIN
    v_linked := put_account@(p_create, p_user, p_username, p_key, p_sub, p_profile, p_disabled, p_user_created, false);
    IF v_linked AND p_has_link THEN
        v_linked := put_link@(p_provider, p_issuer, p_subject, p_link_user, p_claims, p_claims_at, p_email, p_refresh,
            p_link_created);
    ELSIF v_linked THEN
        PERFORM 1 FROM links WHERE subject = p_grant_subject AND issuer = p_grant_issuer
            AND provider = p_grant_provider AND user_id = p_grant_user FOR SHARE;
        v_linked := FOUND;
    END IF;
    IF NOT v_linked THEN
        RAISE EXCEPTION 'conflict' USING ERRCODE = 'CS001';
    END IF;
    PERFORM put_grant@(p_grant, p_client, p_grant_user, p_grant_provider, p_grant_issuer, p_grant_subject, p_session,
        p_made_in, p_sid, p_data, p_jkt, p_created, p_revoked, p_expires, NULL, p_most_grants);
    PERFORM put_trace@(p_trace, p_trace_user, p_trace_client, p_trace_data, p_trace_at, p_trace_expires, true, p_names,
        p_most_traces);
    PERFORM put_events@(p_events, p_event_data, NULL, NULL);
END $$;
