-- Remembers the consent that a grant is based on, and marks its session as active.
CREATE FUNCTION remember@(
    p_session text, p_now bigint, p_user text, p_client text, p_scopes text, p_claims text, p_granted bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM touch@(p_session, p_now);
    IF p_user IS NOT NULL THEN
        INSERT INTO consents (user_id, client, scopes, claims, granted_at)
            VALUES (p_user, p_client, p_scopes, p_claims, p_granted)
            ON CONFLICT (user_id, client) DO UPDATE
            SET scopes = excluded.scopes, claims = excluded.claims, granted_at = excluded.granted_at;
    END IF;
END $$;

CREATE FUNCTION save_code@(
    p_hash bytea, p_grant text, p_client text, p_sid text, p_session text, p_data text, p_expires bigint, p_most integer,
    p_now bigint, p_consent_user text, p_consent_client text, p_scopes text, p_claims text, p_granted bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM passing@();
    PERFORM remember@(coalesce(p_session, p_sid), p_now, p_consent_user, p_consent_client, p_scopes, p_claims, p_granted);
    PERFORM put_code@(p_hash, p_grant, p_client, p_sid, p_session, p_data, p_expires, p_most);
END $$;

CREATE FUNCTION save_grant@(
    p_id text, p_client text, p_user text, p_provider text, p_issuer text, p_subject text, p_session text, p_made_in text,
    p_sid text, p_data text, p_jkt text, p_created bigint, p_revoked bigint, p_expires bigint, p_most integer,
    p_now bigint, p_consent_user text, p_consent_client text, p_scopes text, p_claims text, p_granted bigint,
    p_events text[], p_event_data bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM remember@(p_made_in, p_now, p_consent_user, p_consent_client, p_scopes, p_claims, p_granted);
    PERFORM put_grant@(p_id, p_client, p_user, p_provider, p_issuer, p_subject, p_session, p_made_in, p_sid, p_data, p_jkt,
        p_created, p_revoked, p_expires, NULL, p_most);
    PERFORM put_events@(p_events, p_event_data, NULL, NULL);
END $$;

CREATE FUNCTION put_refresh@(
    p_hash bytea, p_grant text, p_parent bytea, p_created bigint, p_used bigint, p_expires bigint, p_family bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO refresh_tokens (hash, grant_id, parent, created_at, used_at, expires_at, family_expires_at)
        VALUES (p_hash, p_grant, p_parent, p_created, p_used, p_expires, p_family);
    RETURN true;
END $$;

-- Redeems a code: true at its first use, whose grant is stored; otherwise what its first use issued is revoked. With
-- `p_again`, an earlier attempt of the same call may have been committed, which is known by the id of its grant.
CREATE FUNCTION redeem_code@(
    p_hash bytea, p_now bigint, p_again boolean,
    p_id text, p_client text, p_user text, p_provider text, p_issuer text, p_subject text, p_session text, p_made_in text,
    p_sid text, p_data text, p_jkt text, p_created bigint, p_revoked bigint, p_expires bigint, p_most integer,
    p_refresh bytea, p_refresh_grant text, p_refresh_created bigint, p_refresh_used bigint, p_refresh_expires bigint,
    p_refresh_family bigint,
    p_events text[], p_event_data bytea[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_valid boolean := true;
    v_live boolean;
    v_first text;
    v_done boolean;
BEGIN
    IF p_user IS NOT NULL THEN
        v_valid := has_access@(p_user);
    END IF;
    -- The session is locked even if the grant does not end with it: whoever ends it revokes all that was granted in it.
    SELECT expires_at > p_now AND last_active + max_inactive > p_now INTO v_live FROM sessions WHERE id = p_made_in FOR SHARE;
    IF p_session IS NOT NULL AND v_live IS NOT TRUE THEN
        v_valid := false;
    END IF;
    UPDATE codes SET used_at = p_now, grant_id = p_id, keep_until = greatest(keep_until, p_expires)
        WHERE hash = p_hash AND used_at IS NULL AND expires_at > p_now;
    IF NOT FOUND THEN
        SELECT grant_id INTO v_first FROM codes WHERE hash = p_hash AND used_at IS NOT NULL;
        IF p_again AND v_first = p_id THEN
            RETURN EXISTS (SELECT FROM grants WHERE id = p_id AND revoked_at IS NULL);
        END IF;
        v_done := revoke_one@(v_first, p_now);
        RETURN false;
    END IF;
    IF NOT v_valid THEN
        RETURN false;
    END IF;
    v_done := put_grant@(p_id, p_client, p_user, p_provider, p_issuer, p_subject, p_session, p_made_in, p_sid, p_data, p_jkt,
        p_created, p_revoked, p_expires, p_hash, p_most);
    IF p_refresh IS NOT NULL THEN
        v_done := put_refresh@(p_refresh, p_refresh_grant, NULL, p_refresh_created, p_refresh_used, p_refresh_expires,
            p_refresh_family);
    END IF;
    v_done := put_events@(p_events, p_event_data, NULL, NULL);
    RETURN true;
END $$;

CREATE FUNCTION revoke_grant@(p_id text, p_now bigint, p_events text[], p_event_data bytea[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM revoke_one@(p_id, p_now);
    PERFORM put_events@(p_events, p_event_data, NULL, NULL);
END $$;

-- Uses a refresh token. The outcome is `new`, `replayed` (with the sealed successor), `reused` or `refused`. It fails with
-- CS002, and nothing is written, if the account that comes with it has lost access. With `p_again`, an earlier attempt of the
-- same call may have been committed, which is known by its successor.
CREATE FUNCTION rotate_refresh@(
    p_parent bytea, p_now bigint, p_again boolean, p_grace bigint,
    p_successor bytea, p_successor_grant text, p_successor_created bigint, p_successor_used bigint,
    p_successor_expires bigint, p_successor_family bigint, p_sealed bytea, p_keep_until bigint,
    p_has_link boolean, p_provider text, p_issuer text, p_subject text, p_claims bytea, p_claims_at bigint, p_email text,
    p_upstream_refresh bytea,
    p_touch text, p_profile_user text, p_profile bytea, p_jkt text, p_grant_expires bigint,
    p_events text[], p_event_data bytea[], p_reuse_events text[], p_reuse_event_data bytea[],
    OUT o_outcome text, OUT o_successor bytea
) LANGUAGE plpgsql AS $$
DECLARE
    v_grant text;
    v_user text;
    v_session text;
    v_granted grants%ROWTYPE;
    v_token refresh_tokens%ROWTYPE;
    v_valid boolean := true;
    v_replay boolean;
    v_done boolean;
BEGIN
    SELECT t.grant_id, g.user_id, g.session_id INTO v_grant, v_user, v_session
        FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id WHERE t.hash = p_parent AND g.revoked_at IS NULL;
    IF NOT FOUND THEN
        o_outcome := 'refused';
        RETURN;
    END IF;
    IF v_user IS NOT NULL THEN
        IF p_profile_user IS NOT NULL THEN
            PERFORM 1 FROM users WHERE id = v_user AND NOT disabled FOR NO KEY UPDATE;
            v_valid := FOUND;
        ELSE
            v_valid := has_access@(v_user);
        END IF;
    END IF;
    IF p_has_link THEN
        PERFORM 1 FROM links WHERE subject = p_subject AND issuer = p_issuer AND provider = p_provider FOR NO KEY UPDATE;
    END IF;
    IF p_touch IS NOT NULL THEN
        PERFORM 1 FROM sessions WHERE id = p_touch FOR NO KEY UPDATE;
    END IF;
    IF v_session IS NOT NULL THEN
        PERFORM 1 FROM sessions WHERE id = v_session AND expires_at > p_now AND last_active + max_inactive > p_now FOR SHARE;
        v_valid := v_valid AND FOUND;
    END IF;
    -- From here on, one use of the family at a time.
    SELECT * INTO v_granted FROM grants WHERE id = v_grant FOR NO KEY UPDATE;
    IF NOT FOUND OR v_granted.revoked_at IS NOT NULL THEN
        o_outcome := 'refused';
        RETURN;
    END IF;
    IF v_granted.session_id IS DISTINCT FROM v_session THEN
        RAISE EXCEPTION 'the grant has moved to another session' USING ERRCODE = '40001';
    END IF;
    SELECT * INTO v_token FROM refresh_tokens WHERE hash = p_parent;
    IF p_again THEN
        PERFORM 1 FROM refresh_tokens WHERE hash = p_successor AND parent = p_parent;
        IF FOUND THEN
            o_outcome := 'new';
            RETURN;
        END IF;
    END IF;
    v_valid := v_valid AND p_now < v_granted.expires_at;
    IF v_token.used_at IS NOT NULL THEN
        -- A clock that was set back does not make the successor available again.
        v_replay := v_token.successor IS NOT NULL AND p_now >= v_token.used_at - p_grace
            AND p_now < coalesce(v_token.successor_until, p_now);
        IF v_replay AND v_valid THEN
            v_done := put_events@(p_events, p_event_data, NULL, NULL);
            o_outcome := 'replayed';
            o_successor := v_token.successor;
        ELSIF v_replay THEN
            o_outcome := 'refused';
        ELSE
            v_done := revoke_one@(v_grant, p_now);
            v_done := put_events@(p_reuse_events, p_reuse_event_data, NULL, NULL);
            o_outcome := 'reused';
        END IF;
        RETURN;
    END IF;
    IF NOT v_valid OR p_now >= least(v_token.expires_at, v_token.family_expires_at) THEN
        o_outcome := 'refused';
        RETURN;
    END IF;
    IF p_has_link AND v_user IS NOT NULL THEN
        UPDATE links SET claims = p_claims, claims_at = p_claims_at, verified_email = p_email,
                refresh_token = p_upstream_refresh
            WHERE subject = p_subject AND issuer = p_issuer AND provider = p_provider AND user_id = v_user;
        IF NOT FOUND THEN
            o_outcome := 'refused';
            RETURN;
        END IF;
    END IF;
    IF p_profile_user IS NOT NULL THEN
        UPDATE users SET profile = p_profile WHERE id = p_profile_user AND NOT disabled;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the account has no access' USING ERRCODE = 'CS002';
        END IF;
    END IF;
    IF p_successor IS NOT NULL THEN
        UPDATE refresh_tokens SET used_at = p_now, successor = p_sealed,
                successor_until = CASE WHEN p_sealed IS NOT NULL THEN p_now + p_grace END
            WHERE hash = p_parent;
        v_done := put_refresh@(p_successor, p_successor_grant, p_parent, p_successor_created, p_successor_used,
            p_successor_expires, p_successor_family);
    ELSE
        UPDATE refresh_tokens SET expires_at = p_keep_until WHERE hash = p_parent;
    END IF;
    IF v_token.parent IS NOT NULL THEN
        UPDATE refresh_tokens SET successor = NULL, successor_until = NULL
            WHERE hash = v_token.parent AND successor IS NOT NULL;
    END IF;
    IF p_touch IS NOT NULL THEN
        v_done := touch@(p_touch, p_now);
    END IF;
    IF v_granted.expires_at < p_grant_expires THEN
        UPDATE codes SET keep_until = p_grant_expires WHERE hash = v_granted.code AND keep_until < p_grant_expires;
    END IF;
    IF v_granted.expires_at < p_grant_expires OR v_granted.dpop_jkt IS NULL AND p_jkt IS NOT NULL THEN
        UPDATE grants SET expires_at = greatest(expires_at, p_grant_expires), dpop_jkt = coalesce(dpop_jkt, p_jkt)
            WHERE id = v_grant;
    END IF;
    v_done := put_events@(p_events, p_event_data, NULL, NULL);
    o_outcome := 'new';
END $$;
