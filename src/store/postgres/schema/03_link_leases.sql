-- The right to use the refresh token of a link.
ALTER TABLE links ADD COLUMN lease_fence bigint NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN lease_until bigint NOT NULL DEFAULT 0;
