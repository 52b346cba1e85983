-- What visits were served, hour by hour.

-- name: served_by_hour(since_at, until_at, site, pool)
SELECT hour_at, rung, CAST(SUM(slots) AS BIGINT) AS slots FROM served
WHERE hour_at >= :since_at AND hour_at < :until_at AND rung <> 'static'
  AND (CAST(:site AS TEXT) IS NULL OR site = :site)
  AND (CAST(:pool AS TEXT) IS NULL OR pool = :pool)
GROUP BY hour_at, rung
ORDER BY hour_at, rung;
