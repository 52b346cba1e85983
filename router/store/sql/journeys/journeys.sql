-- What a visitor did, in order: visits, and what they were brought by.

-- name: visits_before(calls, lookback)
-- calls: [[site, visitor_id, at], …]; lookback in milliseconds. The visits of each call's visitor to the call's
-- site that had begun by then, with the call's place in the list, the earliest first.
SELECT /*sqlite asked.key *//*postgresql asked.place - 1 */ AS place,
       v.visit_id, v.started_at, v.channel, v.source, v.medium, v.campaign, v.term, v.content,
       v.landing_page
FROM /*sqlite json_each(:calls) AS asked *//*postgresql json_array_elements(:calls::json) WITH ORDINALITY AS asked (value, place) */
JOIN visit v ON v.site = asked.value ->> 0 AND v.visitor_id = asked.value ->> 1
    AND v.started_at <= CAST(asked.value ->> 2 AS BIGINT)
    AND v.started_at >= CAST(asked.value ->> 2 AS BIGINT) - :lookback
ORDER BY place, v.started_at, v.visit_id;

-- name: sites_of_visitor(visitor_id, sites)
-- sites: [site, …], the configured ones. Where the visitor was seen or called.
SELECT site FROM visitor
WHERE visitor_id = :visitor_id
  AND site IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:sites) *//*postgresql json_array_elements(:sites::json) */)
UNION
SELECT site FROM call WHERE visitor_id = :visitor_id AND site IS NOT NULL
ORDER BY site;

-- name: callers_of_visitors(site, visitors, most)
-- visitors: [visitor_id, …]. Who called the site and was taken for one of them.
SELECT DISTINCT caller FROM call
WHERE visitor_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visitors) *//*postgresql json_array_elements(:visitors::json) */)
  AND site = :site AND caller IS NOT NULL
ORDER BY caller
LIMIT :most;

-- name: visitors_of_callers(site, callers, most)
-- callers: [caller, …]. The visitors that these callers were taken for.
SELECT DISTINCT visitor_id FROM call
WHERE caller IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:callers) *//*postgresql json_array_elements(:callers::json) */)
  AND site = :site AND visitor_id IS NOT NULL
ORDER BY visitor_id
LIMIT :most;

-- name: visitor_rows(site, visitors)
SELECT site, visitor_id, first_seen_at, last_seen_at, visit_count,
       first_source, first_medium, first_campaign, first_at
FROM visitor
WHERE site = :site
  AND visitor_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visitors) *//*postgresql json_array_elements(:visitors::json) */)
ORDER BY first_seen_at, visitor_id;

-- name: journey_visits(site, visitors, most)
-- Their latest visits, the latest first.
SELECT visit_id, visitor_id, started_at, last_seen_at, channel, source, medium, campaign, term, content, referrer,
       landing_page, click_ids, region, city, browser, os, device, visit_count
FROM visit
WHERE site = :site
  AND visitor_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visitors) *//*postgresql json_array_elements(:visitors::json) */)
ORDER BY started_at DESC, visit_id DESC
LIMIT :most;

-- name: journey_pages(visits, most)
-- visits: [visit_id, …]. The pages of each, in order, the first :most of them.
SELECT visit_id, at, url, title
FROM (
    SELECT visit_id, at, url, title, url_hash,
           ROW_NUMBER() OVER (PARTITION BY visit_id ORDER BY at, url_hash) AS place
    FROM page_view
    WHERE visit_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visits) *//*postgresql json_array_elements(:visits::json) */)
) AS ordered
WHERE place <= :most
ORDER BY visit_id, at, url_hash;

-- name: journey_calls(site, visitors, callers, most)
-- The latest calls to the site that were made by one of the callers or credited to one of the visitors, the
-- latest first.
SELECT call_id, started_at, ended_at, number, caller, result, ring_seconds, talk_seconds, qualified, first_call,
       answered_by, match, confidence, visit_id, visitor_id, channel
FROM call
WHERE site = :site AND call_id IN (
    SELECT call_id FROM call
    WHERE visitor_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visitors) *//*postgresql json_array_elements(:visitors::json) */)
    UNION
    SELECT call_id FROM call
    WHERE caller IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:callers) *//*postgresql json_array_elements(:callers::json) */)
)
ORDER BY started_at DESC, call_id DESC
LIMIT :most;
