-- Visitors, visits and page views. All are written in the transaction of the lease that they belong to.
-- Rows come as one JSON array: a batch of any size is one statement, and SQLite runs it without Python's lock.

-- name: upsert_visitors(rows)!
-- rows: [[site, visitor_id, at, source, medium, campaign, visits], …]: so many more visits of each visitor, known
-- or not, the earliest of them at that instant with that source. Each visitor once.
INSERT INTO visitor (site, visitor_id, first_seen_at, last_seen_at, visit_count,
                     first_source, first_medium, first_campaign, first_at)
SELECT one.value ->> 0, one.value ->> 1, CAST(one.value ->> 2 AS BIGINT), CAST(one.value ->> 2 AS BIGINT),
       CAST(one.value ->> 6 AS BIGINT),
       one.value ->> 3, one.value ->> 4, one.value ->> 5, CAST(one.value ->> 2 AS BIGINT)
FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */ AS one
WHERE true
ON CONFLICT (site, visitor_id) DO UPDATE
SET last_seen_at = CASE WHEN excluded.last_seen_at > visitor.last_seen_at
                        THEN excluded.last_seen_at ELSE visitor.last_seen_at END,
    visit_count = visitor.visit_count + excluded.visit_count;

-- name: add_visits(rows)!
-- rows: visits that have just begun, [[visit_id, site, visitor_id, at, channel, …], …] in the order of the
-- columns below, and last how many later visits of the same visitor are among them. Their visitors are written
-- already.
INSERT INTO visit (visit_id, site, visitor_id, started_at, last_seen_at, channel, source, medium, campaign,
                   term, content, referrer, landing_page, click_ids, ga_client_id, ga_session_id,
                   metrica_client_id, ip, region, city, browser, os, device, language, screen, params,
                   visit_count)
SELECT one.value ->> 0, one.value ->> 1, one.value ->> 2,
       CAST(one.value ->> 3 AS BIGINT), CAST(one.value ->> 3 AS BIGINT),
       one.value ->> 4, one.value ->> 5, one.value ->> 6, one.value ->> 7, one.value ->> 8, one.value ->> 9, one.value ->> 10, one.value ->> 11,
       one.value ->> 12, one.value ->> 13, one.value ->> 14, one.value ->> 15, one.value ->> 16, one.value ->> 17, one.value ->> 18, one.value ->> 19,
       one.value ->> 20, one.value ->> 21, one.value ->> 22, one.value ->> 23, one.value ->> 24,
       (SELECT visit_count - CAST(one.value ->> 25 AS BIGINT) FROM visitor
        WHERE visitor.site = one.value ->> 1 AND visitor.visitor_id = one.value ->> 2)
FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */ AS one;

-- name: visits_of_leases(visits)
-- visits: [visit_id, …], the first visits of leases: what brought each, and those after it, the latest last.
SELECT first_visit_id, source, medium, campaign, term, content, click_ids
FROM (
    SELECT visit_id AS first_visit_id, CAST(0 AS BIGINT) AS from_at, visit_id,
           source, medium, campaign, term, content, click_ids
    FROM visit
    WHERE visit_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visits) *//*postgresql json_array_elements(:visits::json) */)
    UNION ALL
    SELECT n.first_visit_id, n.from_at, n.visit_id, v.source, v.medium, v.campaign, v.term, v.content, v.click_ids
    FROM next_visit n
    JOIN visit v ON v.visit_id = n.visit_id
    WHERE n.first_visit_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:visits) *//*postgresql json_array_elements(:visits::json) */)
) AS visits
ORDER BY first_visit_id, from_at, visit_id;

-- name: add_next_visits(rows)!
-- rows: [[first_visit_id, from_at, visit_id], …]
INSERT INTO next_visit (first_visit_id, from_at, visit_id)
SELECT one.value ->> 0, CAST(one.value ->> 1 AS BIGINT), one.value ->> 2
FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */ AS one;

-- name: touch_visit(at, visit_id)*!
-- The visit that a lease's first visit has become goes on.
UPDATE visit SET last_seen_at = :at
WHERE last_seen_at < :at AND visit_id = COALESCE((
    SELECT n.visit_id FROM next_visit n
    WHERE n.first_visit_id = :visit_id AND n.from_at <= :at
    ORDER BY n.from_at DESC, n.visit_id DESC
    LIMIT 1
), :visit_id);

-- name: set_analytics_ids(ga_client_id, ga_session_id, metrica_client_id, visit_id)*!
-- Of those that are told; '' is unknown.
UPDATE visit
SET ga_client_id = COALESCE(NULLIF(:ga_client_id, ''), ga_client_id),
    ga_session_id = COALESCE(NULLIF(:ga_session_id, ''), ga_session_id),
    metrica_client_id = COALESCE(NULLIF(:metrica_client_id, ''), metrica_client_id)
WHERE visit_id = COALESCE((
    SELECT n.visit_id FROM next_visit n
    WHERE n.first_visit_id = :visit_id
    ORDER BY n.from_at DESC, n.visit_id DESC
    LIMIT 1
), :visit_id);

-- name: touch_visitor(at, site, visitor_id)*!
UPDATE visitor SET last_seen_at = :at
WHERE site = :site AND visitor_id = :visitor_id AND last_seen_at < :at;

-- name: add_page_views(rows)!
-- rows: [[visit_id, at, url_hash, url, title], …]; visit_id is the lease's first visit. One that was erased has none.
INSERT INTO page_view (visit_id, at, url_hash, url, title)
SELECT COALESCE((
           SELECT n.visit_id FROM next_visit n
           WHERE n.first_visit_id = one.value ->> 0 AND n.from_at <= CAST(one.value ->> 1 AS BIGINT)
           ORDER BY n.from_at DESC, n.visit_id DESC
           LIMIT 1
       ), one.value ->> 0),
       CAST(one.value ->> 1 AS BIGINT), one.value ->> 2, one.value ->> 3, one.value ->> 4
FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */ AS one
WHERE EXISTS (SELECT 1 FROM visit v WHERE v.visit_id = one.value ->> 0)
ON CONFLICT (visit_id, at, url_hash) DO NOTHING;

-- name: visit_by_id(visit_id)^
SELECT visit_id, site, visitor_id, started_at, last_seen_at, channel, source, medium, campaign, term, content,
       referrer, landing_page, click_ids, ga_client_id, ga_session_id, metrica_client_id, ip, region, city,
       browser, os, device, language, screen, params, visit_count
FROM visit
WHERE visit_id = :visit_id;

-- name: visitor_by_id(site, visitor_id)^
SELECT site, visitor_id, first_seen_at, last_seen_at, visit_count,
       first_source, first_medium, first_campaign, first_at
FROM visitor
WHERE site = :site AND visitor_id = :visitor_id;

-- name: page_views(visit_id)
SELECT at, url, title
FROM page_view
WHERE visit_id = :visit_id
ORDER BY at, url_hash;
