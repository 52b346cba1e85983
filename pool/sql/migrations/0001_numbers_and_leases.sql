-- Every number ever added. A retired number stays: calls to it still route and attribute.
CREATE TABLE number (
    number     TEXT PRIMARY KEY,            -- E.164 with +
    kind       TEXT NOT NULL CHECK (kind IN ('dynamic', 'static', 'reserve', 'extension')),
    pool       TEXT NOT NULL,
    site       TEXT NOT NULL,               -- dynamic: the site that showed it last, '' = the base
    channel    TEXT NOT NULL,
    label      TEXT NOT NULL,
    added_at   BIGINT NOT NULL,
    retired_at BIGINT,
    free_at    BIGINT NOT NULL,             -- never later than the instant at which it really is free
    lease_id   TEXT                         -- who held it last; NULL = nobody yet
) /*sqlite WITHOUT ROWID */;

-- The queues: longest free first, one per pool and site, the base being the site ''.
CREATE INDEX number_queue ON number (pool, site, free_at, number)
    WHERE kind = 'dynamic' AND retired_at IS NULL;

CREATE INDEX number_special ON number (kind, site, channel, number)
    WHERE kind <> 'dynamic' AND retired_at IS NULL;

-- Which queues there are.
CREATE TABLE queue (
    pool TEXT NOT NULL,
    site TEXT NOT NULL,
    PRIMARY KEY (pool, site)
) /*sqlite WITHOUT ROWID */;

-- One slot of one lease. The instants of a lease's slots move together.
CREATE TABLE lease (
    lease_id       TEXT NOT NULL,
    slot           TEXT NOT NULL,
    visit_id       TEXT NOT NULL,
    visitor_id     TEXT NOT NULL,
    site           TEXT NOT NULL,
    pool           TEXT NOT NULL,
    channel        TEXT NOT NULL,
    rung           TEXT NOT NULL,
    number         TEXT,                    -- NULL on the rung 'main'
    extension      TEXT NOT NULL,           -- '' = no code to be keyed
    shown_at       BIGINT,                  -- the browser confirmed the swap
    freeze_seconds BIGINT NOT NULL,
    beat_seconds   BIGINT NOT NULL,
    from_at        BIGINT NOT NULL,
    last_seen_at   BIGINT NOT NULL,
    left_at        BIGINT,
    tel_click_at   BIGINT,
    call_at        BIGINT,                  -- last sign of a call that has not ended
    anchor_at      BIGINT NOT NULL,         -- the freeze counts from here; it only grows
    over_at        BIGINT,                  -- set when the number is given to somebody else
    PRIMARY KEY (lease_id, slot)
) /*sqlite WITHOUT ROWID */;

CREATE INDEX lease_by_number ON lease (number, extension, from_at) WHERE number IS NOT NULL;

-- The last lease of each visitor on each site. In PostgreSQL its row is also the lock on that visitor.
CREATE TABLE visitor_lease (
    site       TEXT NOT NULL,
    visitor_id TEXT NOT NULL,
    lease_id   TEXT NOT NULL,
    PRIMARY KEY (site, visitor_id)
) /*sqlite WITHOUT ROWID */;

-- Calls that have not ended, so that two at once on one lease are told apart.
CREATE TABLE open_call (
    number     TEXT NOT NULL,
    extension  TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    lease_id   TEXT NOT NULL,
    sign_at    BIGINT NOT NULL,             -- when it was last heard of
    PRIMARY KEY (number, extension, started_at)
) /*sqlite WITHOUT ROWID */;

CREATE INDEX open_call_by_lease ON open_call (lease_id);

-- Extension hosts: how their codes are drawn. Codes below next_code have been given at least once.
CREATE TABLE extension_host (
    number    TEXT PRIMARY KEY,
    digits    BIGINT NOT NULL CHECK (digits BETWEEN 3 AND 6),
    secret    TEXT NOT NULL,
    next_code BIGINT NOT NULL
) /*sqlite WITHOUT ROWID */;

CREATE TABLE extension (
    number   TEXT NOT NULL,
    code     TEXT NOT NULL,
    free_at  BIGINT NOT NULL,               -- as in number
    lease_id TEXT NOT NULL,
    PRIMARY KEY (number, code)
) /*sqlite WITHOUT ROWID */;

CREATE INDEX extension_queue ON extension (number, free_at, code);

-- How many slots each rung served, by hour. `shard` keeps processes off one another's rows; sum over it.
CREATE TABLE served (
    hour_at BIGINT NOT NULL,
    site    TEXT NOT NULL,
    pool    TEXT NOT NULL,
    rung    TEXT NOT NULL,
    shard   BIGINT NOT NULL,
    slots   BIGINT NOT NULL,
    PRIMARY KEY (hour_at, site, pool, rung, shard)
) /*sqlite WITHOUT ROWID */;
