-- What calls told their sites' models. Written with the calls (calls.sql).

-- name: latest_seen(site, since, most)
SELECT at, seen FROM call_seen WHERE site = :site AND at >= :since ORDER BY at DESC, call_id DESC LIMIT :most;

-- name: seen_by_site()
-- How many each site has, and the latest.
SELECT site, count(*) AS calls, max(at) AS latest_at FROM call_seen GROUP BY site ORDER BY site;

-- name: forget_seen(site, before)!
DELETE FROM call_seen WHERE site = :site AND at < :before;
