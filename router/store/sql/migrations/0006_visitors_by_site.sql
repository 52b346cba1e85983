-- A visitor id is a site's own (first-party): the same id at another site is another visitor. Rows are counted
-- again from the visits, because the old ones mixed sites.

CREATE TABLE visitor_of_site (
    site            TEXT NOT NULL,
    visitor_id      TEXT NOT NULL,
    first_seen_at   BIGINT NOT NULL,
    last_seen_at    BIGINT NOT NULL,
    visit_count     BIGINT NOT NULL,
    -- what brought the first visit
    first_source    TEXT NOT NULL,
    first_medium    TEXT NOT NULL,
    first_campaign  TEXT NOT NULL,
    first_at        BIGINT NOT NULL,
    PRIMARY KEY (site, visitor_id)
);

INSERT INTO visitor_of_site (site, visitor_id, first_seen_at, last_seen_at, visit_count,
                             first_source, first_medium, first_campaign, first_at)
SELECT site, visitor_id, started_at, latest_at, visits, source, medium, campaign, started_at
FROM (
    SELECT site, visitor_id, started_at, source, medium, campaign,
           MAX(last_seen_at) OVER (PARTITION BY site, visitor_id) AS latest_at,
           COUNT(*) OVER (PARTITION BY site, visitor_id) AS visits,
           ROW_NUMBER() OVER (PARTITION BY site, visitor_id ORDER BY started_at, visit_id) AS place
    FROM visit
) AS ranked
WHERE place = 1;

DROP TABLE visitor;
ALTER TABLE visitor_of_site RENAME TO visitor;

DROP INDEX visit_of_visitor;
CREATE INDEX visit_of_visitor ON visit (site, visitor_id, started_at);
