-- Visits that led to no call, when their leases are forgotten; and a visitor's whole trace.

-- name: visits_to_forget(visits)
-- visits: [visit_id, …], the first visits of leases: they and those after them, but what came before a call of the
-- same visitor (it is that call's journey).
SELECT v.visit_id, v.site, v.visitor_id FROM visit v
WHERE (v.visit_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visits) *//*postgresql json_array_elements(:visits::json) */)
       OR v.visit_id IN (
           SELECT n.visit_id FROM next_visit n
           WHERE n.first_visit_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visits) *//*postgresql json_array_elements(:visits::json) */)))
  AND NOT EXISTS (
      SELECT 1 FROM call c
      WHERE c.visitor_id = v.visitor_id AND c.site = v.site AND c.started_at >= v.started_at);

-- name: visits_of_visitor(site, visitor_id)
SELECT visit_id FROM visit WHERE site = :site AND visitor_id = :visitor_id;

-- name: count_page_views(visits)$
SELECT COUNT(*) FROM page_view
WHERE visit_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visits) *//*postgresql json_array_elements(:visits::json) */);

-- name: delete_page_views(visits)!
DELETE FROM page_view
WHERE visit_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visits) *//*postgresql json_array_elements(:visits::json) */);

-- name: delete_visits(visits)!
DELETE FROM visit
WHERE visit_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visits) *//*postgresql json_array_elements(:visits::json) */);

-- name: delete_next_visits(visits)!
-- visits: the first visits of leases that are forgotten.
DELETE FROM next_visit
WHERE first_visit_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visits) *//*postgresql json_array_elements(:visits::json) */);

-- name: lock_visitors(visitors)
-- visitors: [[site, visitor_id], …]: those that nobody is just adding a visit to.
SELECT visitor.site, visitor.visitor_id
FROM /*sqlite json_each(:visitors) *//*postgresql json_array_elements(:visitors::json) */ AS asked
JOIN visitor ON visitor.site = asked.value ->> 0 AND visitor.visitor_id = asked.value ->> 1
/*postgresql FOR UPDATE OF visitor SKIP LOCKED */;

-- name: delete_visitors_without_visits(visitors)
DELETE FROM visitor
WHERE (site, visitor_id) IN (SELECT value ->> 0, value ->> 1 FROM /*sqlite json_each(:visitors) *//*postgresql json_array_elements(:visitors::json) */)
  AND NOT EXISTS (SELECT 1 FROM visit v WHERE v.site = visitor.site AND v.visitor_id = visitor.visitor_id)
RETURNING visitor_id;

-- name: delete_visitor(site, visitor_id)!
DELETE FROM visitor WHERE site = :site AND visitor_id = :visitor_id;

-- name: calls_of_visitor(site, visitor_id)
SELECT call_id, caller FROM call WHERE visitor_id = :visitor_id AND site = :site;

-- name: calls_by_caller(caller, site)
-- site NULL: all sites.
SELECT call_id, site, visitor_id FROM call
WHERE caller = :caller AND (CAST(:site AS TEXT) IS NULL OR site = :site);

-- name: calls_that_name(visitor_id)
-- Calls that list the visitor, perhaps as a candidate only. Reads every record: for people.
SELECT call_id FROM call
WHERE record LIKE '%"' || CAST(:visitor_id AS TEXT) || '"%';

-- name: records_to_blank(call_ids)
SELECT call_id, switch, caller, visitor_id, visit_id, record FROM call
WHERE call_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:call_ids) *//*postgresql json_array_elements(:call_ids::json) */)
ORDER BY call_id;

-- name: blank_call*!
UPDATE call SET caller = :caller, visitor_id = :visitor_id, visit_id = :visit_id, record = :record
WHERE call_id = :call_id;

-- name: settle_deliveries(call_ids, at, erased, may_have_arrived)!
-- Nothing of these calls is sent any more, and no answer or reason that quotes them stays. Whoever is just sending
-- one has lost its claim: what became of it is not written.
UPDATE delivery
SET reason = CASE WHEN state IN ('sending', 'accepted', 'unclear') THEN CAST(:may_have_arrived AS TEXT)
                  ELSE CAST(:erased AS TEXT) END,
    state = CASE WHEN state = 'sent' THEN 'sent' ELSE 'skipped' END,
    answer = NULL, claim = NULL, upload_id = NULL, changed_at = :at
WHERE call_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:call_ids) *//*postgresql json_array_elements(:call_ids::json) */);

-- name: add_erased_call*!
INSERT INTO erased_call (call_id, switch, erased_at, recording)
VALUES (:call_id, :switch, :at, :recording)
ON CONFLICT (call_id) DO UPDATE
SET erased_at = excluded.erased_at, done_at = NULL,
    recording = CASE WHEN erased_call.recording = 1 THEN 1 ELSE excluded.recording END;

-- name: erased_calls_due(switch, before)
SELECT e.call_id, e.recording, c.record
FROM erased_call e
JOIN call c ON c.call_id = e.call_id
WHERE e.switch = :switch AND e.erased_at < :before AND e.done_at IS NULL
ORDER BY e.erased_at, e.call_id
LIMIT 1000;

-- name: finish_erased_calls(calls, at)!
UPDATE erased_call SET done_at = :at
WHERE call_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:calls) *//*postgresql json_array_elements(:calls::json) */);
