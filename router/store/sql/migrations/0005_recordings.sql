-- What became of each call's recording; the call's own record never changes. Instants are milliseconds (UTC).

CREATE TABLE recording (
    call_id     TEXT PRIMARY KEY,
    switch      TEXT NOT NULL,
    linkedid    TEXT NOT NULL,
    -- the file that is served, in [recordings] folder
    name        TEXT NOT NULL,
    -- due, replacing, ready, kept, missing, deleted: docs/recordings.md
    state       TEXT NOT NULL,
    format      TEXT NOT NULL,    -- wav, opus, mp3
    seconds     DOUBLE PRECISION NOT NULL,
    channels    BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,  -- the call's end: retention counts from it
    due_at      BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    reason      TEXT,             -- why it is kept, missing or deleted
    changed_at  BIGINT NOT NULL
);

CREATE INDEX recording_due ON recording (switch, due_at) WHERE state IN ('due', 'replacing');
CREATE INDEX recording_there ON recording (switch, ended_at) WHERE state NOT IN ('missing', 'deleted');

-- Up to which call of a switch the table above was filled.
CREATE TABLE recording_place (
    switch      TEXT PRIMARY KEY,
    written_at  BIGINT NOT NULL,
    call_id     TEXT NOT NULL
);
