-- Deliveries: what is to be told to whom, and what became of it.

-- name: hold_destination(destination, holder, at, until)^
-- Gives the row when the destination is free, or held by this holder already.
INSERT INTO delivery_destination (destination, holder, held_until)
VALUES (:destination, :holder, :until)
ON CONFLICT (destination) DO UPDATE
SET holder = excluded.holder, held_until = excluded.held_until
WHERE delivery_destination.holder = excluded.holder OR delivery_destination.held_until <= :at
   -- A clock that was set back must not keep a destination from everybody for so long.
   OR delivery_destination.held_until > :until + 60000
RETURNING disabled_at, disabled_reason;

-- name: release_destination(destination, holder)!
UPDATE delivery_destination SET held_until = 0 WHERE destination = :destination AND holder = :holder;

-- name: disable_destination(destination, at, reason)!
INSERT INTO delivery_destination (destination, holder, held_until, disabled_at, disabled_reason)
VALUES (:destination, '', 0, :at, :reason)
ON CONFLICT (destination) DO UPDATE
SET disabled_at = excluded.disabled_at, disabled_reason = excluded.disabled_reason;

-- name: enable_destination(destination)
UPDATE delivery_destination SET disabled_at = NULL, disabled_reason = NULL
WHERE destination = :destination AND disabled_at IS NOT NULL
RETURNING destination;

-- name: destinations()
SELECT destination, held_until, disabled_at, disabled_reason FROM delivery_destination ORDER BY destination;

-- name: claim_due(destination, claim, at, latest, most)
-- Takes what is due. Later than `latest` nothing is ever put off: a clock was set back meanwhile.
-- MATERIALIZED: PostgreSQL may run a plain subquery with a lock more than once, and so exceed its LIMIT.
WITH taken AS MATERIALIZED (
    SELECT call_id FROM delivery
    WHERE destination = :destination AND state = 'due' AND (due_at <= :at OR due_at > :latest)
    ORDER BY due_at, call_id
    LIMIT :most
    /*postgresql FOR UPDATE SKIP LOCKED */
)
UPDATE delivery
SET state = 'sending', claim = :claim, changed_at = :at, attempts = attempts + 1
WHERE destination = :destination AND call_id IN (SELECT call_id FROM taken)
RETURNING call_id, attempts, since_at;

-- name: records_of(call_ids)
SELECT call_id, record FROM call
WHERE call_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:call_ids) *//*postgresql json_array_elements(:call_ids::json) */);

-- name: visit_span(visit_id)^
-- A visit's first and last sign of life.
SELECT started_at, last_seen_at FROM visit WHERE visit_id = :visit_id;

-- name: finish_delivery*!
-- What became of one that was taken. Whoever took it may also tell after others gave it up as unclear.
UPDATE delivery
SET state = :state, attempts = :attempts, due_at = :due_at, sent_at = :sent_at, answer = :answer,
    reason = :reason, upload_id = :upload_id, changed_at = :at
WHERE call_id = :call_id AND destination = :destination AND claim = :claim AND state IN ('sending', 'unclear');

-- name: orphaned(destination, claim)
-- What another holder had taken and never told the end of.
SELECT call_id, claim, attempts, since_at FROM delivery
WHERE destination = :destination AND state = 'sending' AND claim <> :claim;

-- name: next_due(destination)^
-- Each by the index's own end.
SELECT (SELECT MIN(due_at) FROM delivery WHERE destination = :destination AND state = 'due') AS first_at,
       (SELECT MAX(due_at) FROM delivery WHERE destination = :destination AND state = 'due') AS last_at;

-- name: accepted_uploads(destination)
SELECT upload_id, COUNT(*) AS deliveries, MIN(changed_at) AS since_at FROM delivery
WHERE destination = :destination AND state = 'accepted'
GROUP BY upload_id
ORDER BY MIN(changed_at);

-- name: finish_upload(destination, upload_id, state, answer, reason, at)!
UPDATE delivery
SET state = :state, answer = :answer, reason = :reason, changed_at = :at
WHERE destination = :destination AND upload_id = :upload_id AND state = 'accepted';

-- name: retry_delivery(call_id, destination, at, erased, may_have_arrived)
-- By hand: whatever its state, but while it is being sent, and if the call was not erased.
UPDATE delivery
SET state = 'due', due_at = :at, since_at = :at, attempts = 0, reason = NULL, claim = NULL, upload_id = NULL,
    changed_at = :at
WHERE call_id = :call_id AND destination = :destination AND state <> 'sending'
  AND (reason IS NULL OR reason NOT IN (:erased, :may_have_arrived))
RETURNING call_id;

-- name: retry_all(destination, state, at)
UPDATE delivery
SET state = 'due', due_at = :at, since_at = :at, attempts = 0, reason = NULL, claim = NULL, upload_id = NULL,
    changed_at = :at
WHERE destination = :destination AND state = :state AND state IN ('dead', 'unclear', 'refused')
RETURNING call_id;

-- name: deliveries_page(call_id, destination, state, site, since, until, before_call, before_destination, most)
-- One page of the deliveries that match every filter given (NULL: any), those of the latest calls first.
SELECT d.call_id, d.destination, d.state, d.attempts, d.due_at, d.sent_at, d.answer, d.reason, d.changed_at,
       c.site, c.number, c.caller, c.started_at, c.result, c.channel
FROM delivery d
JOIN call c ON c.call_id = d.call_id
WHERE (d.call_id, d.destination) < (:before_call, :before_destination)
  AND d.call_id >= :since AND d.call_id < :until
  AND (CAST(:call_id AS TEXT) IS NULL OR d.call_id = :call_id)
  AND (CAST(:destination AS TEXT) IS NULL OR d.destination = :destination)
  AND (CAST(:state AS TEXT) IS NULL OR d.state = :state)
  AND (CAST(:site AS TEXT) IS NULL OR c.site = :site)
ORDER BY d.call_id DESC, d.destination DESC
LIMIT :most;

-- name: feed_page(destination, since, at, after, most)
-- What a fetched file holds: what was told in it before, and what is due.
SELECT d.call_id, d.state, c.record
FROM delivery d
JOIN call c ON c.call_id = d.call_id
WHERE d.destination = :destination AND d.call_id >= :since AND d.call_id > :after
  AND (d.state = 'sent' OR (d.state = 'due' AND d.due_at <= :at))
ORDER BY d.call_id
LIMIT :most;

-- name: fetched*!
UPDATE delivery SET state = 'sent', attempts = 1, sent_at = :at, answer = :answer, reason = NULL, changed_at = :at
WHERE call_id = :call_id AND destination = :destination AND state = 'due';

-- name: counts_by_state()
SELECT destination, state, COUNT(*) AS deliveries, MIN(since_at) AS oldest_at, MAX(sent_at) AS last_sent_at
FROM delivery
GROUP BY destination, state;

-- name: waiting()
-- What is not at rest, for the figures. A part for each partial index: all that was ever sent is not read.
SELECT destination, state, COUNT(*) AS deliveries, MIN(since_at) AS oldest_at
FROM delivery WHERE state = 'due' GROUP BY destination, state
UNION ALL
SELECT destination, state, COUNT(*), MIN(since_at)
FROM delivery WHERE state IN ('sending', 'accepted') GROUP BY destination, state
UNION ALL
SELECT destination, state, COUNT(*), MIN(since_at)
FROM delivery WHERE state IN ('dead', 'unclear') GROUP BY destination, state;
