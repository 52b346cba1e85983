-- Visits, by the day when it is over, else from the visits themselves.

-- name: closed_days(site, first, last)
SELECT site, day FROM visit_day
WHERE day BETWEEN :first AND :last AND (CAST(:site AS TEXT) IS NULL OR site = :site);

-- name: visits_by_source(by, first, last, site, channel, source, medium, campaign, most)
SELECT CASE CAST(:by AS TEXT)
            WHEN 'channel' THEN channel WHEN 'source' THEN source WHEN 'medium' THEN medium
            WHEN 'campaign' THEN campaign WHEN 'site' THEN site WHEN 'day' THEN CAST(day AS TEXT)
            WHEN 'weekday' THEN CAST((day + 3) % 7 AS TEXT)
            ELSE '' END AS key,
       CAST(SUM(visits) AS BIGINT) AS visits, CAST(SUM(visitors) AS BIGINT) AS visitors,
       CAST(SUM(new_visitors) AS BIGINT) AS new_visitors, CAST(SUM(numbered) AS BIGINT) AS numbered,
       CAST(SUM(shown) AS BIGINT) AS shown
FROM visit_by_source
WHERE day BETWEEN :first AND :last
  AND (CAST(:site AS TEXT) IS NULL OR site = :site)
  AND (CAST(:channel AS TEXT) IS NULL OR channel = :channel)
  AND (CAST(:source AS TEXT) IS NULL OR source = :source)
  AND (CAST(:medium AS TEXT) IS NULL OR medium = :medium)
  AND (CAST(:campaign AS TEXT) IS NULL OR campaign = :campaign)
GROUP BY 1
ORDER BY visits DESC, key
LIMIT :most;

-- name: visits_by_value(by, dimension, first, last, site, value, most)
SELECT CASE CAST(:by AS TEXT) WHEN 'site' THEN site WHEN 'day' THEN CAST(day AS TEXT)
            WHEN 'weekday' THEN CAST((day + 3) % 7 AS TEXT) WHEN '' THEN '' ELSE value END AS key,
       CAST(SUM(visits) AS BIGINT) AS visits, CAST(SUM(visitors) AS BIGINT) AS visitors,
       CAST(SUM(new_visitors) AS BIGINT) AS new_visitors, CAST(SUM(numbered) AS BIGINT) AS numbered,
       CAST(SUM(shown) AS BIGINT) AS shown
FROM visit_by_value
WHERE dimension = :dimension AND day BETWEEN :first AND :last
  AND (CAST(:site AS TEXT) IS NULL OR site = :site)
  AND (CAST(:value AS TEXT) IS NULL OR value = :value)
GROUP BY 1
ORDER BY visits DESC, key
LIMIT :most;

-- name: visits_between(by, site, since_at, until_at, since_id, until_id, channel, source, medium, campaign, term, landing_page, region, device, most)
-- The visits of a site that began in a period; a visitor counts with the first of them. `by` may be `quarter`, of
-- an hour: what local hour it is, and on what day, depends on the time zone. since_id, until_id: of leases.
WITH held AS (
    SELECT visit_id, MAX(CASE WHEN rung IN ('own', 'site', 'base', 'extension') THEN 1 ELSE 0 END) AS numbered,
           MAX(CASE WHEN shown_at IS NOT NULL THEN 1 ELSE 0 END) AS shown
    FROM lease
    WHERE lease_id >= :since_id AND lease_id < :until_id AND site = :site
    GROUP BY visit_id
),
cut AS (
    SELECT visit_id, visitor_id, started_at, visit_count, channel, source, medium, campaign, term, region, device,
           /*sqlite substr(url, 1, instr(url || '?', '?') - 1) *//*postgresql split_part(url, '?', 1) */ AS cut
    FROM (
        SELECT v.*, /*sqlite substr(landing_page, 1, instr(landing_page || '#', '#') - 1)
            *//*postgresql split_part(landing_page, '#', 1) */ AS url
        FROM visit v
        WHERE site = :site AND started_at >= :since_at AND started_at < :until_at
    ) AS whole
),
seen AS (
    SELECT cut.visit_id, started_at, visit_count, channel, source, medium, campaign, term, region, device,
           rtrim(substr(/*sqlite
            CASE WHEN instr(cut, '://') > 0 THEN substr(cut, instr(cut, '://') + 3) ELSE cut END
            *//*postgresql
            CASE WHEN strpos(cut, '://') > 0 THEN substr(cut, strpos(cut, '://') + 3) ELSE cut END
            */, 1, 200), '/') AS landing_page,
           COALESCE(held.numbered, 0) AS numbered, COALESCE(held.shown, 0) AS shown,
           ROW_NUMBER() OVER (PARTITION BY visitor_id ORDER BY started_at, cut.visit_id) AS place
    FROM cut LEFT JOIN held ON held.visit_id = cut.visit_id
)
SELECT CASE CAST(:by AS TEXT) WHEN 'channel' THEN channel WHEN 'source' THEN source WHEN 'medium' THEN medium
            WHEN 'campaign' THEN campaign WHEN 'term' THEN term WHEN 'landing_page' THEN landing_page
            WHEN 'region' THEN region WHEN 'device' THEN device WHEN 'quarter' THEN CAST(started_at / 900000 AS TEXT)
            ELSE '' END AS key,
       COUNT(*) AS visits, SUM(CASE WHEN place = 1 THEN 1 ELSE 0 END) AS visitors,
       SUM(CASE WHEN visit_count = 1 THEN 1 ELSE 0 END) AS new_visitors, SUM(numbered) AS numbered,
       SUM(shown) AS shown
FROM seen
WHERE TRUE
  AND (CAST(:channel AS TEXT) IS NULL OR channel = :channel)
  AND (CAST(:source AS TEXT) IS NULL OR source = :source)
  AND (CAST(:medium AS TEXT) IS NULL OR medium = :medium)
  AND (CAST(:campaign AS TEXT) IS NULL OR campaign = :campaign)
  AND (CAST(:term AS TEXT) IS NULL OR term = :term)
  AND (CAST(:landing_page AS TEXT) IS NULL OR landing_page = :landing_page)
  AND (CAST(:region AS TEXT) IS NULL OR region = :region)
  AND (CAST(:device AS TEXT) IS NULL OR device = :device)
GROUP BY 1
ORDER BY visits DESC, key
LIMIT :most;

-- name: visits_between_by_source(site, since_at, until_at, since_id, until_id)
WITH held AS (
    SELECT visit_id, MAX(CASE WHEN rung IN ('own', 'site', 'base', 'extension') THEN 1 ELSE 0 END) AS numbered,
           MAX(CASE WHEN shown_at IS NOT NULL THEN 1 ELSE 0 END) AS shown
    FROM lease
    WHERE lease_id >= :since_id AND lease_id < :until_id AND site = :site
    GROUP BY visit_id
),
cut AS (
    SELECT visit_id, visitor_id, started_at, visit_count, channel, source, medium, campaign, term, region, device,
           /*sqlite substr(url, 1, instr(url || '?', '?') - 1) *//*postgresql split_part(url, '?', 1) */ AS cut
    FROM (
        SELECT v.*, /*sqlite substr(landing_page, 1, instr(landing_page || '#', '#') - 1)
            *//*postgresql split_part(landing_page, '#', 1) */ AS url
        FROM visit v
        WHERE site = :site AND started_at >= :since_at AND started_at < :until_at
    ) AS whole
),
seen AS (
    SELECT cut.visit_id, started_at, visit_count, channel, source, medium, campaign, term, region, device,
           rtrim(substr(/*sqlite
            CASE WHEN instr(cut, '://') > 0 THEN substr(cut, instr(cut, '://') + 3) ELSE cut END
            *//*postgresql
            CASE WHEN strpos(cut, '://') > 0 THEN substr(cut, strpos(cut, '://') + 3) ELSE cut END
            */, 1, 200), '/') AS landing_page,
           COALESCE(held.numbered, 0) AS numbered, COALESCE(held.shown, 0) AS shown,
           ROW_NUMBER() OVER (PARTITION BY visitor_id ORDER BY started_at, cut.visit_id) AS place
    FROM cut LEFT JOIN held ON held.visit_id = cut.visit_id
)
SELECT channel, source, medium, campaign,
       COUNT(*) AS visits, SUM(CASE WHEN place = 1 THEN 1 ELSE 0 END) AS visitors,
       SUM(CASE WHEN visit_count = 1 THEN 1 ELSE 0 END) AS new_visitors, SUM(numbered) AS numbered,
       SUM(shown) AS shown
FROM seen
GROUP BY channel, source, medium, campaign;

-- name: count_visits(site, since_at, until_at)$
SELECT COUNT(*) FROM visit WHERE site = :site AND started_at >= :since_at AND started_at < :until_at;

-- name: first_visit_at(site)$
SELECT MIN(started_at) FROM visit WHERE site = :site;

-- name: last_visit_day(site)$
SELECT MAX(day) FROM visit_day WHERE site = :site;

-- name: close_visit_day(site, day, since_at, until_at, at)
-- No row: another process counted this day already.
INSERT INTO visit_day (site, day, since_at, until_at, counted_at)
VALUES (:site, :day, :since_at, :until_at, :at)
ON CONFLICT (site, day) DO NOTHING
RETURNING day;

-- name: reopen_visit_day(site, day)!
DELETE FROM visit_day WHERE site = :site AND day = :day;

-- name: forget_visits_by_source(site, day)!
DELETE FROM visit_by_source WHERE site = :site AND day = :day;

-- name: forget_visits_by_value(site, day)!
DELETE FROM visit_by_value
WHERE site = :site AND day = :day AND dimension IN ('term', 'landing_page', 'region', 'device', 'hour');

-- name: add_visits_by_source*!
INSERT INTO visit_by_source (day, site, channel, source, medium, campaign, visits, visitors, new_visitors, numbered, shown)
VALUES (:day, :site, :channel, :source, :medium, :campaign, :visits, :visitors, :new_visitors, :numbered, :shown);

-- name: add_visits_by_value*!
INSERT INTO visit_by_value (dimension, day, site, value, visits, visitors, new_visitors, numbered, shown)
VALUES (:dimension, :day, :site, :value, :visits, :visitors, :new_visitors, :numbered, :shown);
