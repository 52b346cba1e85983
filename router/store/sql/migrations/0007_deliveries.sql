-- Deliveries with their whole life, and what is known of each destination. Instants are milliseconds (UTC).

-- state: due, sending, accepted, sent, skipped, refused, unclear, dead (docs/deliveries.md)
ALTER TABLE delivery ADD COLUMN since_at BIGINT NOT NULL DEFAULT 0;   -- when it became due: retries count from it
ALTER TABLE delivery ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN claim TEXT;      -- which run of which process took it to send it
ALTER TABLE delivery ADD COLUMN upload_id TEXT;  -- accepted: what the far side calls the file it is in

DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery (destination, due_at, call_id) WHERE state = 'due';
CREATE INDEX delivery_open ON delivery (destination, state) WHERE state IN ('sending', 'accepted');
CREATE INDEX delivery_failed ON delivery (state, call_id) WHERE state IN ('dead', 'unclear');
CREATE INDEX delivery_of ON delivery (destination, call_id);

-- One process at a time works for a destination. What each delivery's claim says does not depend on it.
CREATE TABLE delivery_destination (
    destination      TEXT PRIMARY KEY,
    holder           TEXT NOT NULL,
    held_until       BIGINT NOT NULL,
    disabled_at      BIGINT,   -- the far side said that it is gone (410), or an operator
    disabled_reason  TEXT
);
