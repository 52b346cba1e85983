-- Who may use the admin listener, and the keys that programs use it with. Instants are milliseconds (UTC).

CREATE TABLE account (
    name        TEXT PRIMARY KEY,
    role        TEXT NOT NULL,   -- viewer, listener, admin
    password    TEXT NOT NULL,   -- argon2id, with its own salt and parameters
    created_at  BIGINT NOT NULL
);

CREATE TABLE api_key (
    key_id        TEXT PRIMARY KEY, -- the part of a key that is no secret
    account       TEXT NOT NULL,
    digest        TEXT NOT NULL,    -- SHA-256 of the secret part, which is random and long: no salt is needed
    label         TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    last_used_at  BIGINT            -- to the hour
);

CREATE INDEX api_key_of_account ON api_key (account);
