-- Who is logged in to the dashboard, and how each user wants to see it. Instants are milliseconds (UTC).

ALTER TABLE account ADD COLUMN language TEXT NOT NULL DEFAULT '';   -- '' = as the browser asks
ALTER TABLE account ADD COLUMN time_zone TEXT NOT NULL DEFAULT '';  -- '' = the site's

CREATE TABLE session (
    digest      TEXT PRIMARY KEY, -- SHA-256 of the 256 random bits that only the browser has
    account     TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,  -- to some minutes
    address     TEXT NOT NULL,
    browser     TEXT NOT NULL
);

CREATE INDEX session_of_account ON session (account);
