-- name: latest_holders(number, extension, most)
SELECT * FROM lease
WHERE number = :number AND extension = :extension
ORDER BY from_at DESC
LIMIT :most;

-- name: write_open_call(number, extension, started_at, lease_id, sign_at)!
INSERT INTO open_call (number, extension, started_at, lease_id, sign_at)
VALUES (:number, :extension, :started_at, :lease_id, :sign_at)
ON CONFLICT (number, extension, started_at) DO UPDATE SET sign_at = excluded.sign_at;

-- name: delete_open_call(number, extension, started_at)!
DELETE FROM open_call WHERE number = :number AND extension = :extension AND started_at = :started_at;

-- name: last_open_call(lease_id)$
SELECT max(sign_at) FROM open_call WHERE lease_id = :lease_id;

-- name: lease_by_id(lease_id)
SELECT * FROM lease WHERE lease_id = :lease_id ORDER BY slot;
