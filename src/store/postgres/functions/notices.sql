-- Apps that are still to be told that a session ended. p_tell are the clients that are told, p_request is the request that ends
-- the session, p_held the time until which the caller holds the notices, p_most how many may wait for one client.

-- The apps that took part in a session that ends, each with the notice that is kept for it, if it is told.
CREATE FUNCTION apps_of_session@(
    p_user text, p_session text, p_now bigint, p_tell text[], p_request text, p_held bigint, p_most integer
) RETURNS TABLE (o_client text, o_sid text, o_notice bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR o_client, o_sid IN SELECT DISTINCT client, coalesce(sid, sso_session) FROM grants
            WHERE user_id = p_user AND sso_session = p_session LOOP
        o_notice := NULL;
        IF o_client = ANY (p_tell) THEN
            PERFORM 1 FROM logout_notices WHERE client = o_client OFFSET p_most - 1 LIMIT 1;
            IF NOT FOUND THEN
                INSERT INTO logout_notices (client, user_id, sub, sid, trace_id, held_until, created_at)
                    SELECT o_client, id, sub, o_sid, p_request, p_held, p_now FROM users WHERE id = p_user
                    RETURNING row INTO o_notice;
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;

-- Takes notices that nobody holds, except those for some clients. A hold that ends after p_latest counts as over.
CREATE FUNCTION take_notices@(p_now bigint, p_latest bigint, p_except text[], p_until bigint, p_limit bigint)
RETURNS TABLE (
    o_id bigint, o_fence bigint, o_client text, o_user text, o_sub text, o_sid text, o_trace text, o_attempts bigint,
    o_created bigint
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM passing@();
    RETURN QUERY UPDATE logout_notices SET held_until = p_until, fence = fence + 1 WHERE row = ANY (ARRAY(
            SELECT n.row FROM logout_notices n WHERE (n.held_until <= p_now OR n.held_until > p_latest)
                AND n.client <> ALL (p_except) LIMIT p_limit FOR UPDATE SKIP LOCKED))
        RETURNING row, fence, client, user_id, sub, sid, trace_id, attempts, created_at;
END $$;

CREATE FUNCTION hold_notice@(p_id bigint, p_fence bigint, p_attempts bigint, p_until bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM passing@();
    UPDATE logout_notices SET attempts = p_attempts, held_until = p_until WHERE row = p_id AND fence = p_fence;
    RETURN FOUND;
END $$;

CREATE FUNCTION forget_notice@(p_id bigint, p_fence bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM passing@();
    DELETE FROM logout_notices WHERE row = p_id AND fence = p_fence;
    RETURN FOUND;
END $$;
