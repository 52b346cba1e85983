-- name: latest_holders(number, extension, most)
-- Without those of whom nothing but the hold is kept (pool.purging).
SELECT * FROM lease
WHERE number = :number AND extension = :extension AND visit_id <> ''
ORDER BY from_at DESC
LIMIT :most;

-- name: write_open_call*!
INSERT INTO open_call (number, extension, started_at, lease_id, sign_at)
VALUES (:number, :extension, :started_at, :lease_id, :sign_at)
ON CONFLICT (number, extension, started_at) DO UPDATE SET sign_at = excluded.sign_at;

-- name: delete_open_call*!
DELETE FROM open_call WHERE number = :number AND extension = :extension AND started_at = :started_at;

-- name: last_open_calls(ids)
-- ids: [lease_id, …]. When each of their calls that go on was told of last.
SELECT lease_id, max(sign_at) AS sign_at FROM open_call
WHERE lease_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:ids) *//*postgresql json_array_elements(:ids::json) */)
GROUP BY lease_id;

-- name: lease_by_id(lease_id)
SELECT * FROM lease WHERE lease_id = :lease_id ORDER BY slot;
