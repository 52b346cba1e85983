-- What became of each call's recording. A row is laid down once and changed only by the switch's own worker.

-- name: add_recording*!
INSERT INTO recording (call_id, switch, linkedid, name, state, format, seconds, channels, bytes, ended_at, due_at,
                       attempts, reason, changed_at)
VALUES (:call_id, :switch, :linkedid, :name, 'due', 'wav', :seconds, :channels, :bytes, :ended_at, :due_at,
        0, NULL, :changed_at)
ON CONFLICT (call_id) DO NOTHING;

-- name: recording_place(switch)^
SELECT written_at, call_id FROM recording_place WHERE switch = :switch;

-- name: save_recording_place(switch, written_at, call_id)!
INSERT INTO recording_place (switch, written_at, call_id)
VALUES (:switch, :written_at, :call_id)
ON CONFLICT (switch) DO UPDATE SET written_at = excluded.written_at, call_id = excluded.call_id;

-- name: due_recordings(switch, at, most)
-- What was begun is ended first; then the oldest that is due.
SELECT call_id, linkedid, name, state, format, seconds, channels, bytes, ended_at, attempts, reason, changed_at
FROM recording
WHERE switch = :switch AND state IN ('due', 'replacing') AND due_at <= :at
ORDER BY state DESC, due_at, call_id
LIMIT :most;

-- name: change_recording*!
UPDATE recording
SET name = :name, state = :state, format = :format, seconds = :seconds, channels = :channels, bytes = :bytes,
    due_at = :due_at, attempts = :attempts, reason = :reason, changed_at = :changed_at
WHERE call_id = :call_id;

-- name: try_recordings_again(switch, state, at)!
UPDATE recording SET state = 'due', due_at = :at WHERE switch = :switch AND state = :state;

-- name: recordings_ended_before(switch, before, most)
SELECT call_id, linkedid, name, state, format, seconds, channels, bytes, ended_at, attempts, reason, changed_at
FROM recording
WHERE switch = :switch AND ended_at < :before AND state NOT IN ('missing', 'deleted')
ORDER BY ended_at
LIMIT :most;

-- name: recordings_waiting(switch)$
SELECT COUNT(*) FROM recording WHERE switch = :switch AND state IN ('due', 'replacing');

-- name: recordings_of(call_ids)
SELECT call_id, linkedid, name, state, format, seconds, channels, bytes, ended_at, attempts, reason, changed_at
FROM recording
WHERE call_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:call_ids) *//*postgresql json_array_elements(:call_ids::json) */);

-- name: calls_known(switch, linkedids)
SELECT linkedid FROM call
WHERE switch = :switch
  AND linkedid IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:linkedids) *//*postgresql json_array_elements(:linkedids::json) */);
