-- How a site's numbers were held in the past: for those who learn from it, not for requests.
-- since_id: the lowest id of a lease that began in the period (ids are ordered by time).

-- name: count_holds(site, since_id)$
SELECT count(*) FROM lease WHERE lease_id >= :since_id AND site = :site AND rung IN ('own', 'site', 'base');

-- name: sampled_holds(site, since_id, at, parts, grace_beats)
-- One of :parts holds, the same ones whenever asked: by the instant at which they began.
SELECT from_at, coalesce(shown_at, from_at) AS shown_at,
    CASE WHEN left_at IS NOT NULL THEN left_at
         WHEN last_seen_at + :grace_beats * beat_seconds * 1000 <= :at THEN last_seen_at END AS gone_at,
    CASE WHEN shown_at IS NULL THEN 0 ELSE 1 END AS shown,
    CASE WHEN tel_click_at IS NULL THEN 0 ELSE 1 END AS clicked,
    country
FROM lease
WHERE lease_id >= :since_id AND site = :site AND rung IN ('own', 'site', 'base')
    AND (from_at / 97) % :parts = 0
ORDER BY lease_id;

-- name: numbers_by_first_hold(site, since_id)
-- How many numbers were held for the first time in the period, by the hour in which they were.
SELECT hour_at, count(*) AS numbers
FROM (
    SELECT number, min(from_at) - min(from_at) % 3600000 AS hour_at
    FROM lease
    WHERE lease_id >= :since_id AND site = :site AND rung IN ('own', 'site', 'base')
    GROUP BY number
) AS first_held
GROUP BY hour_at
ORDER BY hour_at;
