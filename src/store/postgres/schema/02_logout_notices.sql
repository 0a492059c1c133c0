-- Apps that are still to be told that a session ended.
CREATE TABLE logout_notices (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    sub text COLLATE "C" NOT NULL,
    sid text COLLATE "C" NOT NULL,
    trace_id text NOT NULL,
    attempts bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    held_until bigint NOT NULL,
    created_at bigint NOT NULL
);
CREATE INDEX logout_notices_held ON logout_notices (held_until);
CREATE INDEX logout_notices_client ON logout_notices (client);
