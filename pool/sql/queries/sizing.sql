-- What traffic was offered to the pools, and how long it held numbers. For people: both read whole periods.

-- name: arrivals_by_hour(since_at, until_at)
-- Slots that wanted a dynamic number, in each hour of the period.
SELECT site, pool, hour_at, sum(slots) AS slots FROM served
WHERE hour_at >= :since_at AND hour_at < :until_at AND rung <> 'static'
GROUP BY site, pool, hour_at
ORDER BY site, pool, hour_at;

-- name: hold_lengths(since_id, at, grace_beats, longest_call)
-- Mean milliseconds of holds, freeze included, as lifecycle.py derives their end by what is known at :at.
-- since_id: the lowest id of a lease that began in the period (ids are ordered by time).
WITH held AS (
    SELECT site, pool, from_at, over_at, left_at,
        last_seen_at + :grace_beats * beat_seconds * 1000 AS silent_at,
        freeze_seconds * 1000 + /*sqlite max*//*postgresql greatest*/(
            anchor_at,
            /*sqlite min*//*postgresql least*/(:at, coalesce(call_at + :longest_call, anchor_at))
        ) AS frozen_until_at
    FROM lease
    WHERE lease_id >= :since_id AND rung IN ('own', 'site', 'base')
),
bounded AS (
    SELECT site, pool, from_at,
        CASE WHEN over_at IS NOT NULL THEN over_at
             WHEN left_at IS NULL AND silent_at > frozen_until_at THEN silent_at
             ELSE frozen_until_at END AS until_at
    FROM held
)
SELECT site, pool, count(*) AS holds, avg(until_at - from_at) AS mean_length
FROM bounded
GROUP BY site, pool
ORDER BY site, pool;

-- name: holds_in_steps(since_id, at, step, grace_beats, longest_call, site)
-- site NULL: all. How many numbers began and ceased to be held in each step (step milliseconds), by pool; as hold_lengths.
WITH held AS (
    SELECT pool, from_at, over_at, left_at,
        last_seen_at + :grace_beats * beat_seconds * 1000 AS silent_at,
        freeze_seconds * 1000 + /*sqlite max*//*postgresql greatest*/(
            anchor_at,
            /*sqlite min*//*postgresql least*/(:at, coalesce(call_at + :longest_call, anchor_at))
        ) AS frozen_until_at
    FROM lease
    WHERE lease_id >= :since_id AND rung IN ('own', 'site', 'base')
      AND (CAST(:site AS TEXT) IS NULL OR site = :site)
),
bounded AS (
    SELECT pool, from_at,
        CASE WHEN over_at IS NOT NULL THEN over_at
             WHEN left_at IS NULL AND silent_at > frozen_until_at THEN silent_at
             ELSE frozen_until_at END AS until_at
    FROM held
)
SELECT pool, step, sum(begun) AS begun, sum(ended) AS ended
FROM (
    SELECT pool, from_at / :step AS step, 1 AS begun, 0 AS ended FROM bounded
    UNION ALL
    SELECT pool, until_at / :step AS step, 0 AS begun, 1 AS ended FROM bounded
) AS signs
GROUP BY pool, step
ORDER BY pool, step;

-- name: served_by_hour(since_at, until_at)
-- Slots by rung in each hour of the period.
SELECT pool, hour_at, rung, sum(slots) AS slots FROM served
WHERE hour_at >= :since_at AND hour_at < :until_at
GROUP BY pool, hour_at, rung
ORDER BY pool, hour_at, rung;
