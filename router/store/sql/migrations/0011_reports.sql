-- What reports are made of: docs/reports.md. All are sums of whole numbers, so that what is added up in another
-- order is equal to the last digit. `day` counts local days of the site since 1970-01-01.

-- To which visit each call is credited, as it was when the call was written: later, visits are purged.
CREATE TABLE call_credit (
    day               BIGINT NOT NULL,
    call_id           TEXT NOT NULL,
    part              BIGINT NOT NULL,
    switch            TEXT NOT NULL,
    site              TEXT NOT NULL,
    hour              BIGINT NOT NULL,   -- of the site's local day
    models            BIGINT NOT NULL,   -- bits: 1 first, 2 last, 4 last non-direct, 8 linear
    known             BIGINT NOT NULL,   -- 0: nobody knows what caused the call
    channel           TEXT NOT NULL,
    source            TEXT NOT NULL,
    medium            TEXT NOT NULL,
    campaign          TEXT NOT NULL,
    term              TEXT NOT NULL,
    landing_page      TEXT NOT NULL,     -- host and path
    page_called_from  TEXT NOT NULL,     -- host and path
    region            TEXT NOT NULL,
    device            TEXT NOT NULL,
    number            TEXT NOT NULL,
    agent             TEXT NOT NULL,
    result            TEXT NOT NULL,
    match             TEXT NOT NULL,
    -- the caller's call before this one to the site: its day; -1 there was none; NULL the caller is not known
    before_day        BIGINT,
    sampled           BIGINT NOT NULL,   -- 1 for all calls of one caller in 64, told by the caller's hash
    -- what this credit adds to a row's measures
    calls             BIGINT NOT NULL,   -- millionths
    answered          BIGINT NOT NULL,
    blocked           BIGINT NOT NULL,
    qualified         BIGINT NOT NULL,
    first_time        BIGINT NOT NULL,
    ring_answered     BIGINT NOT NULL,   -- milliseconds
    ring_missed       BIGINT NOT NULL,
    talk              BIGINT NOT NULL,
    expected          BIGINT NOT NULL,   -- millionths: of the probability that the credit is right
    variance          BIGINT NOT NULL,   -- millionths: of p (1 - p)
    PRIMARY KEY (day, call_id, part)
) /*sqlite WITHOUT ROWID */;

CREATE INDEX call_credit_of_call ON call_credit (call_id);

-- Callers of long periods are estimated from these alone.
CREATE INDEX call_credit_sampled ON call_credit (
    day, site, models, before_day, calls, known, channel, source, medium, campaign, term, landing_page,
    page_called_from, region, device, hour, number, agent
) WHERE sampled = 1;

-- Calls by what caused them.
CREATE TABLE call_by_source (
    day            BIGINT NOT NULL,
    site           TEXT NOT NULL,
    switch         TEXT NOT NULL,        -- keeps switches off one another's rows
    models         BIGINT NOT NULL,
    known          BIGINT NOT NULL,
    channel        TEXT NOT NULL,
    source         TEXT NOT NULL,
    medium         TEXT NOT NULL,
    campaign       TEXT NOT NULL,
    calls          BIGINT NOT NULL,
    answered       BIGINT NOT NULL,
    blocked        BIGINT NOT NULL,
    qualified      BIGINT NOT NULL,
    first_time     BIGINT NOT NULL,
    ring_answered  BIGINT NOT NULL,
    ring_missed    BIGINT NOT NULL,
    talk           BIGINT NOT NULL,
    expected       BIGINT NOT NULL,
    variance       BIGINT NOT NULL,
    PRIMARY KEY (day, site, switch, models, known, channel, source, medium, campaign)
) /*sqlite WITHOUT ROWID */;

-- Calls by one thing each: channel, term, landing_page, page_called_from, region, device, hour, number, agent.
CREATE TABLE call_by_value (
    dimension      TEXT NOT NULL,
    day            BIGINT NOT NULL,
    site           TEXT NOT NULL,
    switch         TEXT NOT NULL,
    models         BIGINT NOT NULL,
    known          BIGINT NOT NULL,
    value          TEXT NOT NULL,
    calls          BIGINT NOT NULL,
    answered       BIGINT NOT NULL,
    blocked        BIGINT NOT NULL,
    qualified      BIGINT NOT NULL,
    first_time     BIGINT NOT NULL,
    ring_answered  BIGINT NOT NULL,
    ring_missed    BIGINT NOT NULL,
    talk           BIGINT NOT NULL,
    expected       BIGINT NOT NULL,
    variance       BIGINT NOT NULL,
    PRIMARY KEY (dimension, day, site, switch, models, known, value)
) /*sqlite WITHOUT ROWID */;

-- Visits of the days that are over; those of the others are counted when they are asked for.
CREATE TABLE visit_day (
    site        TEXT NOT NULL,
    day         BIGINT NOT NULL,
    since_at    BIGINT NOT NULL,         -- milliseconds (UTC): the local day's bounds
    until_at    BIGINT NOT NULL,
    counted_at  BIGINT NOT NULL,
    PRIMARY KEY (site, day)
) /*sqlite WITHOUT ROWID */;

CREATE TABLE visit_by_source (
    day          BIGINT NOT NULL,
    site         TEXT NOT NULL,
    channel      TEXT NOT NULL,
    source       TEXT NOT NULL,
    medium       TEXT NOT NULL,
    campaign     TEXT NOT NULL,
    visits       BIGINT NOT NULL,
    visitors     BIGINT NOT NULL,        -- each counted where the day's first visit came from
    new_visitors BIGINT NOT NULL,
    numbered     BIGINT NOT NULL,        -- visits with a number of their own
    shown        BIGINT NOT NULL,        -- whose browser confirmed it
    PRIMARY KEY (day, site, channel, source, medium, campaign)
) /*sqlite WITHOUT ROWID */;

CREATE TABLE visit_by_value (
    dimension    TEXT NOT NULL,          -- term, landing_page, region, device, hour
    day          BIGINT NOT NULL,
    site         TEXT NOT NULL,
    value        TEXT NOT NULL,
    visits       BIGINT NOT NULL,
    visitors     BIGINT NOT NULL,
    new_visitors BIGINT NOT NULL,
    numbered     BIGINT NOT NULL,
    shown        BIGINT NOT NULL,
    PRIMARY KEY (dimension, day, site, value)
) /*sqlite WITHOUT ROWID */;

-- What advertising cost.
CREATE TABLE advertising_cost (
    day       BIGINT NOT NULL,
    site      TEXT NOT NULL,
    channel   TEXT NOT NULL,
    source    TEXT NOT NULL,
    medium    TEXT NOT NULL,
    campaign  TEXT NOT NULL,
    currency  TEXT NOT NULL,             -- ISO 4217
    amount    BIGINT NOT NULL,           -- millionths
    PRIMARY KEY (day, site, channel, source, medium, campaign, currency)
) /*sqlite WITHOUT ROWID */;
