-- Sums anew from the credits, and the comparison of the two.

-- name: switches()
SELECT switch FROM journal_position ORDER BY switch;

-- name: lock_switch(switch)
-- Calls of the switch are written in transactions that lock the same row first.
SELECT switch FROM journal_position WHERE switch = :switch /*postgresql FOR UPDATE */;

-- name: days_of_switch(switch)
SELECT DISTINCT day FROM (
    SELECT day FROM call_credit WHERE switch = :switch
    UNION SELECT day FROM open_call_day WHERE switch = :switch
    UNION SELECT day FROM call_by_source WHERE switch = :switch
    UNION SELECT day FROM call_by_value WHERE switch = :switch
) AS every ORDER BY day;

-- name: calls_to_credit(switch, written_at, call_id, most)
-- A switch's calls in the order of writing, with the caller's call before each and whether it has credits.
SELECT c.call_id, c.linkedid, c.written_at, c.site, c.number, c.caller, c.started_at, c.result, c.match,
       c.confidence, c.visit_id, c.visitor_id, c.channel, c.source, c.medium, c.campaign, c.ring_seconds,
       c.talk_seconds, c.qualified, c.first_call, c.answered_by, c.record,
       (SELECT MAX(b.started_at) FROM call b
        WHERE b.caller = c.caller AND b.site = c.site AND b.started_at < c.started_at) AS before_at
FROM call c
WHERE c.switch = :switch AND (c.written_at, c.call_id) > (:written_at, :call_id)
ORDER BY c.written_at, c.call_id
LIMIT :most;

-- name: credits_of_calls(call_ids)
-- call_ids: a JSON array.
SELECT day, call_id, part, hour, before_day FROM call_credit
WHERE call_id IN (
    SELECT /*sqlite value FROM json_each(:call_ids) *//*postgresql asked FROM json_array_elements_text(:call_ids::json) AS asked */
);

-- name: move_credit*!
UPDATE call_credit SET day = :new_day, hour = :hour, before_day = :before_day
WHERE day = :day AND call_id = :call_id AND part = :part;

-- name: open_call_days()
SELECT switch, day FROM open_call_day ORDER BY day, switch;

-- name: is_open(switch, day)$
SELECT COUNT(*) FROM open_call_day WHERE switch = :switch AND day = :day;

-- name: close_call_day(switch, day)!
DELETE FROM open_call_day WHERE switch = :switch AND day = :day;

-- name: forget_sources(switch, day)!
DELETE FROM call_by_source WHERE switch = :switch AND day = :day;

-- name: forget_values(switch, day)!
DELETE FROM call_by_value
WHERE dimension IN ('channel', 'term', 'landing_page', 'page_called_from', 'region', 'device', 'hour', 'number', 'agent')
  AND day = :day AND switch = :switch;

-- name: sum_sources(switch, day)!
INSERT INTO call_by_source (day, site, switch, models, known, channel, source, medium, campaign, calls, answered, blocked, qualified, first_time, ring_answered, ring_missed, talk, expected, variance)
SELECT day, site, switch, models, known, channel, source, medium, campaign,
       SUM(calls), SUM(answered), SUM(blocked), SUM(qualified), SUM(first_time), SUM(ring_answered), SUM(ring_missed), SUM(talk), SUM(expected), SUM(variance)
FROM call_credit
WHERE switch = :switch AND day = :day
GROUP BY day, site, switch, models, known, channel, source, medium, campaign;

-- name: sum_credited_values(switch, day)!
-- By what the model decides.
INSERT INTO call_by_value (dimension, day, site, switch, models, known, value, calls, answered, blocked, qualified, first_time, ring_answered, ring_missed, talk, expected, variance)
SELECT one.dimension, day, site, switch, models, known,
       CASE one.dimension WHEN 'channel' THEN channel WHEN 'term' THEN term ELSE landing_page END AS told,
       SUM(calls), SUM(answered), SUM(blocked), SUM(qualified), SUM(first_time), SUM(ring_answered), SUM(ring_missed), SUM(talk), SUM(expected), SUM(variance)
FROM call_credit
CROSS JOIN (SELECT 'channel' AS dimension UNION ALL SELECT 'term' UNION ALL SELECT 'landing_page') AS one
WHERE switch = :switch AND day = :day
GROUP BY one.dimension, day, site, switch, models, known, told;

-- name: sum_call_values(switch, day)!
-- By what is the call's own under every model: the credit of the last visit (bit 2) is the whole call.
INSERT INTO call_by_value (dimension, day, site, switch, models, known, value, calls, answered, blocked, qualified, first_time, ring_answered, ring_missed, talk, expected, variance)
SELECT one.dimension, day, site, switch, 15,
       CASE WHEN one.dimension IN ('hour', 'number', 'agent') THEN 1 ELSE known END AS is_known,
       CASE one.dimension WHEN 'page_called_from' THEN page_called_from WHEN 'region' THEN region
            WHEN 'device' THEN device WHEN 'hour' THEN CAST(hour AS TEXT) WHEN 'number' THEN number
            ELSE agent END AS told,
       SUM(calls), SUM(answered), SUM(blocked), SUM(qualified), SUM(first_time), SUM(ring_answered), SUM(ring_missed), SUM(talk), SUM(expected), SUM(variance)
FROM call_credit
CROSS JOIN (SELECT 'page_called_from' AS dimension UNION ALL SELECT 'region' UNION ALL SELECT 'device'
            UNION ALL SELECT 'hour' UNION ALL SELECT 'number' UNION ALL SELECT 'agent') AS one
WHERE switch = :switch AND day = :day AND (models & 2) <> 0
GROUP BY one.dimension, day, site, switch, is_known, told;

-- name: source_sums(switch, day)
SELECT site, models, known, channel, source, medium, campaign, calls, answered, blocked, qualified, first_time, ring_answered, ring_missed, talk, expected, variance
FROM call_by_source WHERE switch = :switch AND day = :day
ORDER BY site, models, known, channel, source, medium, campaign;

-- name: value_sums(switch, day)
SELECT dimension, site, models, known, value, calls, answered, blocked, qualified, first_time, ring_answered, ring_missed, talk, expected, variance
FROM call_by_value WHERE switch = :switch AND day = :day
ORDER BY dimension, site, models, known, value;

-- name: credit_rows(switch, day)
SELECT day, call_id, part, site, hour, models, known, channel, source, medium, campaign, term, landing_page,
       page_called_from, region, device, number, agent, result, match, before_day, sampled, calls, answered, blocked, qualified, first_time, ring_answered, ring_missed, talk, expected, variance
FROM call_credit WHERE switch = :switch AND day = :day;

-- name: calls_without_credit(switch)$
SELECT COUNT(*) FROM call c
WHERE switch = :switch AND NOT EXISTS (SELECT 1 FROM call_credit k WHERE k.call_id = c.call_id);
