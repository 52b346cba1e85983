-- Calls whose person was erased from the store: what the PBX's own router still has to blank in its files.
-- Instants are milliseconds (UTC).

CREATE TABLE erased_call (
    call_id     TEXT PRIMARY KEY,
    switch      TEXT NOT NULL,
    erased_at   BIGINT NOT NULL,
    recording   SMALLINT NOT NULL, -- 1: its recording is to be deleted too
    done_at     BIGINT             -- cdr.ndjson holds it no more, and the recording is gone
);

CREATE INDEX erased_call_due ON erased_call (switch, erased_at) WHERE done_at IS NULL;
