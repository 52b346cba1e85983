-- What a visitor did, in order: visits, and what they were brought by.

-- name: visits_before(calls, lookback)
-- calls: [[site, visitor_id, at], …]; lookback in milliseconds. The visits of each call's visitor to the call's
-- site that had begun by then, with the call's place in the list, the earliest first.
SELECT /*sqlite asked.key *//*postgresql asked.place - 1 */ AS place,
       v.visit_id, v.started_at, v.channel, v.source, v.medium, v.campaign, v.term, v.content
FROM /*sqlite json_each(:calls) AS asked *//*postgresql json_array_elements(:calls::json) WITH ORDINALITY AS asked (value, place) */
JOIN visit v ON v.site = asked.value ->> 0 AND v.visitor_id = asked.value ->> 1
    AND v.started_at <= CAST(asked.value ->> 2 AS BIGINT)
    AND v.started_at >= CAST(asked.value ->> 2 AS BIGINT) - :lookback
ORDER BY place, v.started_at, v.visit_id;
