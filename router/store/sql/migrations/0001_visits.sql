-- Visitors, their visits and the pages they saw. Instants are milliseconds since the Unix epoch (UTC).
-- Texts from the outside are cut to their caps and freed of control characters before they come here,
-- and are otherwise as sent. '' means that nothing was sent.

CREATE TABLE visitor (
    visitor_id      TEXT PRIMARY KEY,
    site            TEXT NOT NULL,
    first_seen_at   BIGINT NOT NULL,
    last_seen_at    BIGINT NOT NULL,
    visit_count     BIGINT NOT NULL,
    -- what brought the first visit
    first_source    TEXT NOT NULL,
    first_medium    TEXT NOT NULL,
    first_campaign  TEXT NOT NULL,
    first_at        BIGINT NOT NULL
);

CREATE TABLE visit (
    visit_id           TEXT PRIMARY KEY,
    site               TEXT NOT NULL,
    visitor_id         TEXT NOT NULL,
    started_at         BIGINT NOT NULL,
    -- the last page view (the visit's lease knows the last heartbeat)
    last_seen_at       BIGINT NOT NULL,
    channel            TEXT NOT NULL,
    source             TEXT NOT NULL,
    medium             TEXT NOT NULL,
    campaign           TEXT NOT NULL,
    term               TEXT NOT NULL,
    content            TEXT NOT NULL,
    referrer           TEXT NOT NULL,
    landing_page       TEXT NOT NULL,
    click_ids          TEXT NOT NULL, -- JSON object: {"gclid": "…"}
    ga_client_id       TEXT NOT NULL,
    ga_session_id      TEXT NOT NULL,
    metrica_client_id  TEXT NOT NULL,
    ip                 TEXT NOT NULL,
    region             TEXT NOT NULL, -- ISO 3166-2, '' without a GeoIP database
    city               TEXT NOT NULL,
    browser            TEXT NOT NULL,
    os                 TEXT NOT NULL,
    device             TEXT NOT NULL, -- desktop, mobile, tablet
    language           TEXT NOT NULL,
    screen             TEXT NOT NULL,
    params             TEXT NOT NULL, -- JSON object: what the page itself passed on
    visit_count        BIGINT NOT NULL -- which visit of the visitor this is, from 1
);

CREATE INDEX visit_of_visitor ON visit (visitor_id, started_at);
CREATE INDEX visit_of_site ON visit (site, started_at);

CREATE TABLE page_view (
    visit_id  TEXT NOT NULL,
    at        BIGINT NOT NULL,
    -- of url: a whole URL is too long for an index
    url_hash  TEXT NOT NULL,
    url       TEXT NOT NULL,
    title     TEXT NOT NULL,
    PRIMARY KEY (visit_id, at, url_hash)
);
