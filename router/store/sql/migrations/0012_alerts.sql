-- Warnings that people were given, and how many numbers visitors were shown. Instants are milliseconds (UTC).

CREATE TABLE alert (
    cause       TEXT NOT NULL,
    subject     TEXT NOT NULL,   -- the site, destination or PBX that it is about
    told_at     BIGINT NOT NULL, -- one cause is told at most once in a while
    suppressed  BIGINT NOT NULL, -- how many more there were since
    text        TEXT NOT NULL,   -- of the latest
    PRIMARY KEY (cause, subject)
);

CREATE TABLE shown_hour (
    site     TEXT NOT NULL,
    hour_at  BIGINT NOT NULL,
    times    BIGINT NOT NULL,    -- how often a browser said that a number is on the screen
    last_at  BIGINT NOT NULL,
    PRIMARY KEY (site, hour_at)
);
