-- What waits, what is kept, what is swept.

-- Stores what waits, and counts all that waits, one at a time. The oldest go beyond the bounds: somewhat more than necessary
-- where the bounds are large, so that this happens rarely. Returns how much more there is room for.
CREATE FUNCTION save_and_count_pending@(
    p_kind text, p_id bytea, p_browser bytea, p_data bytea, p_expires bigint, p_rows bigint, p_bytes bigint,
    OUT o_rows bigint, OUT o_bytes bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_own bigint;
    v_done boolean := passing@();
BEGIN
    INSERT INTO pending (kind, id, browser, data, expires_at) VALUES (p_kind, p_id, p_browser, p_data, p_expires)
        ON CONFLICT (id) DO NOTHING RETURNING seq INTO v_own;
    PERFORM 1 FROM locks WHERE name = 'pending' FOR UPDATE;
    SELECT p_rows - count(*), p_bytes - coalesce(sum(octet_length(data)), 0) INTO o_rows, o_bytes FROM pending;
    IF o_rows < 0 OR o_bytes < 0 THEN
        DELETE FROM pending WHERE seq <> v_own AND seq = ANY (ARRAY(
            SELECT w.seq FROM (
                SELECT seq, row_number() OVER newest AS rows, sum(octet_length(data)) OVER newest AS bytes
                FROM pending WINDOW newest AS (ORDER BY seq DESC)
            ) AS w WHERE w.rows > p_rows - p_rows / 16 OR w.bytes > p_bytes - p_bytes / 16));
        SELECT p_rows - count(*), p_bytes - coalesce(sum(octet_length(data)), 0) INTO o_rows, o_bytes FROM pending;
    END IF;
END $$;

CREATE FUNCTION save_trace@(
    p_id text, p_user text, p_client text, p_data bytea, p_at bigint, p_expires bigint, p_names bytea[], p_most integer,
    p_events text[], p_event_data bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM put_trace@(p_id, p_user, p_client, p_data, p_at, p_expires, true, p_names, p_most);
    PERFORM put_events@(p_events, p_event_data, NULL, NULL);
END $$;

CREATE FUNCTION record@(p_events text[], p_event_data bytea[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM passing@();
    PERFORM put_events@(p_events, p_event_data, NULL, NULL);
END $$;

CREATE FUNCTION set_passing_meta@(p_key text, p_value bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM passing@();
    INSERT INTO meta (key, value) VALUES (p_key, p_value) ON CONFLICT (key) DO UPDATE SET value = excluded.value;
END $$;

-- Replaces the signing keys if those that are stored are the expected ones, in the order of their ids.
CREATE FUNCTION replace_signing_keys@(
    p_expected text[], p_kids text[], p_algorithms text[], p_privates bytea[], p_states text[], p_created bigint[],
    p_activated bigint[], p_retired bigint[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM locks WHERE name = 'signing_keys' FOR UPDATE;
    IF ARRAY(SELECT kid FROM signing_keys ORDER BY kid) <> p_expected THEN
        RETURN false;
    END IF;
    DELETE FROM signing_keys;
    INSERT INTO signing_keys (kid, algorithm, private, state, created_at, activated_at, retired_at)
        SELECT * FROM unnest(p_kids, p_algorithms, p_privates, p_states, p_created, p_activated, p_retired);
    RETURN true;
END $$;

CREATE FUNCTION save_generation@(
    p_id text, p_replica text, p_number bigint, p_hash text, p_applied boolean, p_data bytea, p_at bigint, p_most integer
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO generations (id, replica, number, hash, applied, data, at)
        VALUES (p_id, p_replica, p_number, p_hash, p_applied, p_data, p_at);
    DELETE FROM generations WHERE row = ANY (ARRAY(SELECT row FROM generations ORDER BY row DESC OFFSET p_most));
END $$;

CREATE FUNCTION replica_seen@(
    p_id text, p_host text, p_hash text, p_generation bigint, p_started bigint, p_seen bigint, p_before bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM passing@();
    DELETE FROM replicas WHERE id = ANY (ARRAY(
        SELECT id FROM replicas WHERE seen_at < p_before ORDER BY id FOR UPDATE SKIP LOCKED));
    INSERT INTO replicas (id, host, hash, generation, started_at, seen_at)
        VALUES (p_id, p_host, p_hash, p_generation, p_started, p_seen)
        ON CONFLICT (id) DO UPDATE
        SET hash = excluded.hash, generation = excluded.generation, seen_at = excluded.seen_at;
END $$;

-- Takes a lease, or extends one's own, and returns its fence; NULL while another one holds it. The time is the server's, which
-- all replicas share.
CREATE FUNCTION take_lease@(p_name text, p_holder text, p_seconds integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_fence bigint;
BEGIN
    PERFORM passing@();
    INSERT INTO locks (name) VALUES (p_name) ON CONFLICT DO NOTHING;
    UPDATE locks SET holder = p_holder, until = clock_timestamp() + make_interval(secs => p_seconds),
            fence = CASE WHEN holder = p_holder AND until > clock_timestamp() THEN fence ELSE fence + 1 END
        WHERE name = p_name AND (holder = p_holder OR until <= clock_timestamp())
        RETURNING fence INTO v_fence;
    RETURN v_fence;
END $$;

-- Ends the leases of a holder. A lease that is taken next has a higher fence.
CREATE FUNCTION give_back_leases@(p_holder text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM passing@();
    UPDATE locks SET until = to_timestamp(0) WHERE holder = p_holder AND until > clock_timestamp();
END $$;

-- Deletes expired rows of one kind, while the lease with this fence is held; NULL if it is not any more.
CREATE FUNCTION sweep@(p_kind text, p_now bigint, p_limit integer, p_fence bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_count bigint;
BEGIN
    PERFORM 1 FROM locks WHERE name = 'sweep' AND fence = p_fence FOR SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM passing@();
    CASE p_kind
        WHEN 'login', 'interaction' THEN
            DELETE FROM pending WHERE id = ANY (ARRAY(SELECT id FROM pending WHERE kind = p_kind AND expires_at <= p_now
                ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
        WHEN 'session' THEN
            DELETE FROM sessions WHERE id = ANY (ARRAY(SELECT id FROM sessions WHERE expires_at <= p_now
                ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
        WHEN 'grant' THEN
            RETURN forget_grants@(ARRAY(SELECT id FROM grants WHERE expires_at <= p_now
                ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
        WHEN 'code' THEN
            DELETE FROM codes WHERE hash = ANY (ARRAY(SELECT hash FROM codes WHERE keep_until <= p_now
                ORDER BY keep_until LIMIT p_limit FOR UPDATE SKIP LOCKED));
        WHEN 'refresh_token' THEN
            DELETE FROM refresh_tokens WHERE hash = ANY (ARRAY(SELECT hash FROM refresh_tokens WHERE expires_at <= p_now
                ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
        WHEN 'successor' THEN
            UPDATE refresh_tokens SET successor = NULL, successor_until = NULL WHERE hash = ANY (ARRAY(
                SELECT hash FROM refresh_tokens WHERE successor_until <= p_now
                ORDER BY successor_until LIMIT p_limit FOR UPDATE SKIP LOCKED));
        WHEN 'trace' THEN
            DELETE FROM traces WHERE id = ANY (ARRAY(SELECT id FROM traces WHERE expires_at <= p_now
                ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
        WHEN 'notice' THEN
            DELETE FROM logout_notices WHERE row = ANY (ARRAY(SELECT row FROM logout_notices WHERE held_until <= p_now
                ORDER BY held_until LIMIT p_limit FOR UPDATE SKIP LOCKED));
        WHEN 'used_once' THEN
            DELETE FROM used_once WHERE id = ANY (ARRAY(SELECT id FROM used_once WHERE expires_at <= p_now
                ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
    END CASE;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;
