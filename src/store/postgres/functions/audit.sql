-- The audit trail. Events wait in `audit_pending` and are chained by one replica at a time, which holds the row `audit` of
-- `locks`.

-- Appends links to the chain, with what they are found by, and takes the events that they were made of from `audit_pending`.
CREATE FUNCTION append_links@(
    p_rows bigint[], p_seqs bigint[], p_ats bigint[], p_keys bytea[], p_data bytea[], p_hashes bytea[],
    p_index_keys bytea[], p_index_seqs bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Not passing: what was written out must not be chained in another order after a crash of the server.
    INSERT INTO audit (seq, at, keys, data, hash) SELECT * FROM unnest(p_seqs, p_ats, p_keys, p_data, p_hashes);
    INSERT INTO audit_keys (key, seq) SELECT * FROM unnest(p_index_keys, p_index_seqs) ON CONFLICT DO NOTHING;
    INSERT INTO audit_hours (hour, first, last)
        SELECT floor(e.at / 3600.0)::bigint, min(e.seq), max(e.seq) FROM unnest(p_ats, p_seqs) AS e (at, seq) GROUP BY 1
        ON CONFLICT (hour) DO UPDATE
        SET first = least(audit_hours.first, excluded.first), last = greatest(audit_hours.last, excluded.last);
    DELETE FROM audit_pending WHERE row = ANY (p_rows);
END $$;

-- Removes the beginning of the chain up to an event, with what these events are found by, and remembers the anchor.
CREATE FUNCTION forget_links@(p_last bigint, p_index_keys bytea[], p_index_seqs bigint[], p_hours bigint[], p_anchor bytea)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM passing@();
    DELETE FROM audit_keys USING unnest(p_index_keys, p_index_seqs) AS gone (key, seq)
        WHERE audit_keys.key = gone.key AND audit_keys.seq = gone.seq;
    DELETE FROM audit_hours WHERE hour = ANY (p_hours) AND last <= p_last;
    DELETE FROM audit WHERE seq <= p_last;
    INSERT INTO meta (key, value) VALUES ('audit_anchor', p_anchor) ON CONFLICT (key) DO UPDATE SET value = excluded.value;
END $$;
