-- Leasing. Lists come as JSON arrays, so that a batch of any size is one statement: one trip, and in SQLite one
-- stretch in which Python's other threads run on.
-- In PostgreSQL whoever relies on a row, locks it: visitors and leases in their order, numbers by SKIP LOCKED.

-- name: last_leases(visitors)
-- visitors: [[site, visitor_id], …]
/*sqlite
SELECT visitor_lease.site, visitor_lease.visitor_id, visitor_lease.lease_id
FROM json_each(:visitors) AS asked
JOIN visitor_lease ON visitor_lease.site = asked.value ->> 0 AND visitor_lease.visitor_id = asked.value ->> 1
*/
/*postgresql
INSERT INTO visitor_lease (site, visitor_id, lease_id)
SELECT asked.value ->> 0, asked.value ->> 1, '' FROM json_array_elements(:visitors::json) AS asked ORDER BY 1, 2
ON CONFLICT (site, visitor_id) DO UPDATE SET site = excluded.site
RETURNING site, visitor_id, lease_id
*/

-- name: remember_leases(rows)!
-- rows: [[site, visitor_id, lease_id], …]
INSERT INTO visitor_lease (site, visitor_id, lease_id)
SELECT given.value ->> 0, given.value ->> 1, given.value ->> 2
FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */ AS given
WHERE TRUE
ON CONFLICT (site, visitor_id) DO UPDATE SET lease_id = excluded.lease_id;

-- name: lease_rows(ids)
-- ids: [lease_id, …]. Waits for whoever is changing them.
SELECT * FROM lease
WHERE lease_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:ids) *//*postgresql json_array_elements(:ids::json) */)
ORDER BY lease_id, slot
/*postgresql FOR UPDATE */;

-- name: past_lease_rows(ids)
-- ids: [lease_id, …]. Leaves out those that somebody is changing.
SELECT * FROM lease
WHERE lease_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:ids) *//*postgresql json_array_elements(:ids::json) */)
/*postgresql FOR UPDATE SKIP LOCKED */;

-- name: queue_heads(queues, at, most)
-- queues: [[pool, site], …]: of each, the first numbers that may be free at the instant.
/*sqlite
SELECT number.pool, number.site, number.number, number.free_at, number.lease_id
FROM json_each(:queues) AS asked
JOIN number ON number.number IN (
    SELECT head.number FROM number AS head
    WHERE head.kind = 'dynamic' AND head.retired_at IS NULL
      AND head.pool = asked.value ->> 0 AND head.site = asked.value ->> 1 AND head.free_at <= :at
    ORDER BY head.free_at, head.number
    LIMIT :most
)
*/
/*postgresql
SELECT head.*
FROM json_array_elements(:queues::json) AS asked,
LATERAL (
    SELECT pool, site, number, free_at, lease_id FROM number
    WHERE kind = 'dynamic' AND retired_at IS NULL
      AND pool = asked.value ->> 0 AND site = asked.value ->> 1 AND free_at <= :at
    ORDER BY free_at, number
    LIMIT :most
    FOR UPDATE SKIP LOCKED
) AS head
*/

-- name: busy_numbers(queues, at)$
-- Whether one of the queues holds numbers that another process is just looking at.
/*sqlite
SELECT 0 WHERE :queues <> :at
*/
/*postgresql
SELECT count(*) FROM (
    SELECT 1 FROM number
    WHERE kind = 'dynamic' AND retired_at IS NULL
      AND (pool, site) IN (SELECT value ->> 0, value ->> 1 FROM json_array_elements(:queues::json))
      AND free_at <= :at
    LIMIT 1
) AS busy
*/

-- name: own_numbers(numbers)
-- numbers: [number, …]: those of them that can be leased.
SELECT pool, site, number, free_at, lease_id FROM number
WHERE number IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:numbers) *//*postgresql json_array_elements(:numbers::json) */)
  AND kind = 'dynamic' AND retired_at IS NULL
/*postgresql FOR UPDATE SKIP LOCKED */;

-- name: place_numbers(rows)!
-- rows: [[number, site, free_at, lease_id], …]
UPDATE number
SET site = given.value ->> 1, free_at = CAST(given.value ->> 2 AS BIGINT), lease_id = given.value ->> 3
FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */ AS given
WHERE number.number = given.value ->> 0;

-- name: end_leases(rows)!
-- rows: [[lease_id, number, extension, over_at], …]
UPDATE lease SET over_at = CAST(given.value ->> 3 AS BIGINT)
FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */ AS given
WHERE lease.lease_id = given.value ->> 0 AND lease.number = given.value ->> 1
  AND lease.extension = given.value ->> 2 AND lease.over_at IS NULL;

-- name: write_leases(rows)!
-- rows: [[…], …] in the order of the columns.
INSERT INTO lease (lease_id, slot, visit_id, visitor_id, site, pool, channel, rung, number, extension, shown_at,
                   freeze_seconds, beat_seconds, from_at, last_seen_at, left_at, tel_click_at, call_at, anchor_at,
                   over_at, country)
SELECT given.value ->> 0, given.value ->> 1, given.value ->> 2, given.value ->> 3, given.value ->> 4,
    given.value ->> 5, given.value ->> 6, given.value ->> 7, given.value ->> 8, given.value ->> 9,
    CAST(given.value ->> 10 AS BIGINT), CAST(given.value ->> 11 AS BIGINT),
    CAST(given.value ->> 12 AS BIGINT), CAST(given.value ->> 13 AS BIGINT),
    CAST(given.value ->> 14 AS BIGINT), CAST(given.value ->> 15 AS BIGINT),
    CAST(given.value ->> 16 AS BIGINT), CAST(given.value ->> 17 AS BIGINT),
    CAST(given.value ->> 18 AS BIGINT), CAST(given.value ->> 19 AS BIGINT), given.value ->> 20
FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */ AS given
WHERE TRUE
ON CONFLICT (lease_id, slot) DO UPDATE SET
    pool = excluded.pool, channel = excluded.channel, rung = excluded.rung, number = excluded.number,
    extension = excluded.extension, freeze_seconds = excluded.freeze_seconds, from_at = excluded.from_at;

-- name: write_holds(rows)!
-- rows: as in write_leases. A lease that was given on stays as it is.
UPDATE lease
SET shown_at = CAST(given.value ->> 10 AS BIGINT), last_seen_at = CAST(given.value ->> 14 AS BIGINT),
    left_at = CAST(given.value ->> 15 AS BIGINT), tel_click_at = CAST(given.value ->> 16 AS BIGINT),
    call_at = CAST(given.value ->> 17 AS BIGINT), anchor_at = CAST(given.value ->> 18 AS BIGINT)
FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */ AS given
WHERE lease.lease_id = given.value ->> 0 AND lease.slot = given.value ->> 1 AND lease.over_at IS NULL;

-- name: add_queue(pool, site)*!
INSERT INTO queue (pool, site) VALUES (:pool, :site) ON CONFLICT (pool, site) DO NOTHING;

-- name: site_queues()
-- Each site's queue with the lowest free_at in it.
SELECT queue.pool, queue.site,
    (SELECT min(free_at) FROM number
     WHERE kind = 'dynamic' AND retired_at IS NULL AND pool = queue.pool AND site = queue.site) AS head_at
FROM queue WHERE queue.site <> '';

-- name: count_served*!
INSERT INTO served (hour_at, site, pool, rung, shard, slots)
VALUES (:hour_at, :site, :pool, :rung, :shard, :slots)
ON CONFLICT (hour_at, site, pool, rung, shard) DO UPDATE SET slots = served.slots + excluded.slots;
