-- name: number_record(number)^
SELECT number, kind, pool, site, channel, label, added_at, retired_at FROM number WHERE number = :number;

-- name: number_records(numbers)
-- numbers: [number, …]
SELECT number, kind, pool, site, channel, label, added_at, retired_at FROM number
WHERE number IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:numbers) *//*postgresql json_array_elements(:numbers::json) */);

-- name: list_numbers(after, kind, pool, site, retired, most)
-- In the order of the numbers, from the one after `after`; '*' for any, retired 0 or 1, -1 for both.
SELECT number, kind, pool, site, channel, label, added_at, retired_at FROM number
WHERE number > :after
  AND (:kind = '*' OR kind = :kind)
  AND (:pool = '*' OR pool = :pool)
  AND (:site = '*' OR site = :site)
  AND (:retired = -1 OR (:retired = 1) = (retired_at IS NOT NULL))
ORDER BY number
LIMIT :most;

-- name: add_number*!
INSERT INTO number (number, kind, pool, site, channel, label, added_at, retired_at, free_at, lease_id)
VALUES (:number, :kind, :pool, :site, :channel, :label, :added_at, NULL, :added_at, NULL);

-- name: add_extension_host*!
INSERT INTO extension_host (number, digits, secret, next_code) VALUES (:number, :digits, :secret, 0)
ON CONFLICT (number) DO NOTHING;

-- name: change_number*!
-- A number that changes its queue joins at the tail: nobody in it is overtaken.
UPDATE number
SET free_at = CASE WHEN (pool <> :pool OR site <> :site OR retired_at IS NOT NULL) AND free_at < :at
                   THEN :at ELSE free_at END,
    pool = :pool, site = :site, channel = :channel, label = :label, retired_at = :retired_at
WHERE number = :number;

-- name: inventory_counts(at, rest, grace_beats, longest_call)
-- Dynamic numbers by pool, site and state, as lifecycle.py derives it (a test compares the two).
-- rest and longest_call in milliseconds. One pass over the numbers: for people, not for every request.
WITH held AS (
    SELECT number.pool, number.site, number.free_at, lease.left_at, lease.over_at,
        lease.last_seen_at + :grace_beats * lease.beat_seconds * 1000 AS silent_at,
        lease.freeze_seconds * 1000 + /*sqlite max*//*postgresql greatest*/(
            lease.anchor_at,
            /*sqlite min*//*postgresql least*/(:at, coalesce(lease.call_at + :longest_call, lease.anchor_at))
        ) AS frozen_until_at
    FROM number
    LEFT JOIN lease ON lease.lease_id = number.lease_id AND lease.number = number.number
    WHERE number.kind = 'dynamic' AND number.retired_at IS NULL
),
bounded AS (
    SELECT pool, site, free_at, left_at, silent_at,
        CASE WHEN over_at IS NOT NULL THEN over_at
             WHEN silent_at > frozen_until_at THEN silent_at
             ELSE frozen_until_at END AS until_at
    FROM held
)
SELECT pool, site,
    CASE WHEN until_at > :at AND left_at IS NULL AND silent_at > :at THEN 'live'
         WHEN until_at > :at THEN 'frozen'
         WHEN until_at + :rest > :at OR free_at > :at THEN 'resting'
         ELSE 'free' END AS state,
    count(*) AS numbers
FROM bounded
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;

-- name: special_counts()
SELECT kind, site, count(*) AS numbers FROM number
WHERE kind <> 'dynamic' AND retired_at IS NULL
GROUP BY kind, site ORDER BY kind, site;

-- name: retired_count()$
SELECT count(*) FROM number WHERE retired_at IS NOT NULL;

-- name: served_since(since_at, site)
-- Slots by rung since the hour of the instant; site '*' for all.
SELECT site, pool, rung, sum(slots) AS slots FROM served
WHERE hour_at >= :since_at AND (:site = '*' OR site = :site)
GROUP BY site, pool, rung ORDER BY site, pool, rung;
