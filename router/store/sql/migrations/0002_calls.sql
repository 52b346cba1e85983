-- Finished calls, what is still to be told of them, and how far each journal was read.
-- Instants are milliseconds since the Unix epoch (UTC). NULL is unknown or "there was none".

CREATE TABLE call (
    call_id       TEXT PRIMARY KEY,
    -- the PBX and its own name for the call: one record each, whatever is read twice
    switch        TEXT NOT NULL,
    linkedid      TEXT NOT NULL,
    site          TEXT,
    number        TEXT,
    extension     TEXT,
    caller        TEXT, -- E.164
    started_at    BIGINT NOT NULL,
    answered_at   BIGINT,
    ended_at      BIGINT NOT NULL,
    -- grows with every call of a switch: what reads by it misses none
    written_at    BIGINT NOT NULL,
    result        TEXT NOT NULL,
    match         TEXT NOT NULL,
    confidence    DOUBLE PRECISION NOT NULL,
    visit_id      TEXT,
    visitor_id    TEXT,
    channel       TEXT,
    source        TEXT,
    medium        TEXT,
    campaign      TEXT,
    ring_seconds  DOUBLE PRECISION NOT NULL,
    talk_seconds  DOUBLE PRECISION NOT NULL,
    qualified     SMALLINT NOT NULL, -- 0 or 1
    first_call    SMALLINT,          -- 0 or 1; NULL: the caller is not known
    answered_by   TEXT,
    record        TEXT NOT NULL,     -- the whole CDR as JSON, exactly as in cdr.ndjson
    UNIQUE (switch, linkedid)
);

CREATE INDEX call_by_start ON call (started_at, call_id);
CREATE INDEX call_by_site ON call (site, started_at, call_id);
CREATE INDEX call_by_caller ON call (caller, started_at) WHERE caller IS NOT NULL;
CREATE INDEX call_by_visitor ON call (visitor_id, started_at) WHERE visitor_id IS NOT NULL;
CREATE INDEX call_by_written ON call (switch, written_at, call_id);

-- Where reading a journal begins after a restart: the start of the oldest call that was not finished.
CREATE TABLE journal_position (
    switch       TEXT PRIMARY KEY,
    file_id      TEXT NOT NULL,
    path         TEXT NOT NULL,
    byte_offset  BIGINT NOT NULL,
    at           BIGINT NOT NULL -- the instant of the last event that was read
);

-- One call to be told to one destination.
CREATE TABLE delivery (
    call_id      TEXT NOT NULL,
    destination  TEXT NOT NULL,
    state        TEXT NOT NULL, -- due, sent, refused, dead
    attempts     BIGINT NOT NULL,
    due_at       BIGINT NOT NULL,
    sent_at      BIGINT,
    answer       TEXT,
    reason       TEXT, -- why it was not sent
    PRIMARY KEY (call_id, destination)
);

CREATE INDEX delivery_due ON delivery (due_at) WHERE state = 'due';

-- Up to which call each node's cdr.ndjson was written; the file's own last line counts more.
CREATE TABLE cdr_file_position (
    node        TEXT PRIMARY KEY,
    written_at  BIGINT NOT NULL,
    call_id     TEXT NOT NULL
);
