-- What each call tells its site's model of who calls (docs/attribution.md), written with the call. It holds no
-- personal data. The latest thousand or so of each site are kept.
CREATE TABLE call_seen (
    site     TEXT NOT NULL,
    at       BIGINT NOT NULL, -- the call's begin, milliseconds (UTC)
    call_id  TEXT NOT NULL,
    seen     TEXT NOT NULL,   -- JSON: router.store.seen
    PRIMARY KEY (site, at, call_id)
) /*sqlite WITHOUT ROWID */;
