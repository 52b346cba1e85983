-- Calls as they are written, of every switch that shares the store.

-- name: known_switches()
SELECT switch FROM journal_position ORDER BY switch;

-- name: latest_place(switch)^
SELECT written_at, call_id FROM call WHERE switch = :switch ORDER BY written_at DESC, call_id DESC LIMIT 1;
