-- Finished calls, their deliveries, the journal's position, and cdr.ndjson's.

-- name: save_journal_position(switch, file_id, path, byte_offset, at)!
-- First in the transaction: its row lock lets one writer at a time number a switch's calls (written_at).
INSERT INTO journal_position (switch, file_id, path, byte_offset, at)
VALUES (:switch, :file_id, :path, :byte_offset, :at)
ON CONFLICT (switch) DO UPDATE
SET file_id = excluded.file_id, path = excluded.path, byte_offset = excluded.byte_offset, at = excluded.at;

-- name: journal_position(switch)^
SELECT file_id, path, byte_offset, at FROM journal_position WHERE switch = :switch;

-- name: add_call*!
-- A finished call, unless it is there already. Each is written later than all before it.
INSERT INTO call (call_id, switch, linkedid, site, number, extension, caller, started_at, answered_at, ended_at,
                  written_at,
                  result, match, confidence, visit_id, visitor_id, channel, source, medium, campaign,
                  ring_seconds, talk_seconds, qualified, first_call, answered_by, record)
SELECT :call_id, :switch, :linkedid, :site, :number, :extension, :caller, :started_at, :answered_at, :ended_at,
       CASE WHEN latest.written_at >= :now THEN latest.written_at + 1 ELSE :now END,
       :result, :match, :confidence, :visit_id, :visitor_id, :channel, :source, :medium, :campaign,
       :ring_seconds, :talk_seconds, :qualified, :first_call, :answered_by, :record
FROM (
    -- Not MAX: within a subquery SQLite would read all of the switch's calls for it.
    SELECT COALESCE((SELECT written_at FROM call WHERE switch = :switch ORDER BY written_at DESC LIMIT 1), 0)
        AS written_at
) AS latest
WHERE TRUE
ON CONFLICT (switch, linkedid) DO NOTHING;

-- name: stored_calls(switch, linkedids)
-- linkedids: a JSON array. Which of a switch's calls are there already.
SELECT linkedid, call_id FROM call
WHERE switch = :switch AND linkedid IN (
    SELECT /*sqlite value FROM json_each(:linkedids) *//*postgresql asked FROM json_array_elements_text(:linkedids::json) AS asked */
);

-- name: add_delivery*!
-- For a call that was written just now; not for one that was there before under another id.
INSERT INTO delivery (call_id, destination, state, attempts, due_at, since_at, changed_at, reason)
SELECT call.call_id, CAST(:destination AS TEXT), CAST(:state AS TEXT), 0, CAST(:due_at AS BIGINT),
       CAST(:now AS BIGINT), CAST(:now AS BIGINT), CAST(:reason AS TEXT)
FROM call
WHERE call.call_id = :call_id
ON CONFLICT (call_id, destination) DO NOTHING;

-- name: add_seen*!
-- Of a call that was written just now; not of one that was there before under another id.
INSERT INTO call_seen (site, at, call_id, seen)
SELECT CAST(:site AS TEXT), CAST(:at AS BIGINT), call.call_id, CAST(:seen AS TEXT)
FROM call
WHERE call.call_id = :call_id
ON CONFLICT (site, at, call_id) DO NOTHING;

-- name: linkedids_written_since(switch, since)
SELECT linkedid FROM call WHERE switch = :switch AND written_at >= :since;

-- name: calls_of_caller(site, caller, before, most)
-- A caller's calls to a site before an instant, the latest first.
SELECT number, started_at,
       /*sqlite record -> 'candidates' *//*postgresql (record::json -> 'candidates')::text */ AS candidates
FROM call
WHERE caller = :caller AND site = :site AND started_at < :before
ORDER BY started_at DESC
LIMIT :most;

-- name: visits_at_call(visit_id, held, held_at, at)^
-- Always one row. The visit that a lease's first visit (visit_id) had become by held_at, with its visitor's
-- beginnings and the page it was on at an instant; columns are NULL for no visit.
-- held: [visit_id, …], the first visits of leases; renamed: [[first, visit at the instant], …] of those that changed.
SELECT changed.renamed, v.visit_id, v.visitor_id, v.channel, v.source, v.medium, v.campaign, v.term, v.content, v.referrer,
       v.landing_page, v.click_ids, v.ga_client_id, v.ga_session_id, v.metrica_client_id, v.region, v.city, v.ip,
       v.browser, v.os, v.device, v.visit_count,
       w.first_source, w.first_medium, w.first_campaign, w.first_at,
       (SELECT p.url FROM page_view p WHERE p.visit_id = v.visit_id AND p.at <= :at
        ORDER BY p.at DESC LIMIT 1) AS page_called_from
FROM (
    SELECT /*sqlite json_group_array(json_array(latest.first_visit_id, latest.visit_id)) */
           /*postgresql json_agg(json_build_array(latest.first_visit_id, latest.visit_id))::text */ AS renamed
    FROM (
        SELECT n.first_visit_id, n.visit_id,
               ROW_NUMBER() OVER (PARTITION BY n.first_visit_id ORDER BY n.from_at DESC, n.visit_id DESC) AS place
        FROM next_visit n
        WHERE n.from_at <= :at
          AND n.first_visit_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:held) *//*postgresql json_array_elements(:held::json) */)
    ) AS latest
    WHERE latest.place = 1
) AS changed
LEFT JOIN visit v ON v.visit_id = COALESCE((
    SELECT n.visit_id FROM next_visit n
    WHERE n.first_visit_id = :visit_id AND n.from_at <= :held_at
    ORDER BY n.from_at DESC, n.visit_id DESC
    LIMIT 1
), :visit_id)
LEFT JOIN visitor w ON w.site = v.site AND w.visitor_id = v.visitor_id;

-- name: channel_at(visit_id, at)$
-- The channel of the visit that a lease's first visit had become by an instant.
SELECT channel FROM visit
WHERE visit_id = COALESCE((
    SELECT n.visit_id FROM next_visit n
    WHERE n.first_visit_id = :visit_id AND n.from_at <= :at
    ORDER BY n.from_at DESC, n.visit_id DESC
    LIMIT 1
), :visit_id);

-- name: call_by_id(call_id)^
SELECT call_id, written_at, record FROM call WHERE call_id = :call_id;

-- name: call_of_linkedid(switch, linkedid)^
SELECT call_id, written_at, record FROM call WHERE switch = :switch AND linkedid = :linkedid;

-- name: calls_page(since, until, site, number, caller, result, match, channel, source, before_at, before_id, most)
-- One page of the calls that match every filter given (NULL: any), the latest first.
SELECT call_id, started_at, record
FROM call
WHERE started_at >= :since AND started_at < :until
  AND (started_at, call_id) < (:before_at, :before_id)
  AND (CAST(:site AS TEXT) IS NULL OR site = :site)
  AND (CAST(:number AS TEXT) IS NULL OR number = :number)
  AND (CAST(:caller AS TEXT) IS NULL OR caller = :caller)
  AND (CAST(:result AS TEXT) IS NULL OR result = :result)
  AND (CAST(:match AS TEXT) IS NULL OR match = :match)
  AND (CAST(:channel AS TEXT) IS NULL OR channel = :channel)
  AND (CAST(:source AS TEXT) IS NULL OR source = :source)
ORDER BY started_at DESC, call_id DESC
LIMIT :most;

-- name: calls_written_after(switch, written_at, call_id, most)
-- A switch's calls in the order in which they were written.
SELECT call_id, written_at, record
FROM call
WHERE switch = :switch AND (written_at, call_id) > (:written_at, :call_id)
ORDER BY written_at, call_id
LIMIT :most;

-- name: cdr_file_position(node)^
SELECT written_at, call_id FROM cdr_file_position WHERE node = :node;

-- name: save_cdr_file_position(node, written_at, call_id)!
INSERT INTO cdr_file_position (node, written_at, call_id)
VALUES (:node, :written_at, :call_id)
ON CONFLICT (node) DO UPDATE SET written_at = excluded.written_at, call_id = excluded.call_id;
