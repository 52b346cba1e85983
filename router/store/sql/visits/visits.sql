-- Visitors, visits and page views. All are written in the transaction of the lease that they belong to.

-- name: upsert_visitor(visitor_id, site, at, source, medium, campaign)*!
-- One more visit of a visitor, known or not.
INSERT INTO visitor (visitor_id, site, first_seen_at, last_seen_at, visit_count,
                     first_source, first_medium, first_campaign, first_at)
VALUES (:visitor_id, :site, :at, :at, 1, :source, :medium, :campaign, :at)
ON CONFLICT (visitor_id) DO UPDATE
SET last_seen_at = excluded.last_seen_at, visit_count = visitor.visit_count + 1;

-- name: add_visit(visit_id, site, visitor_id, at, channel, source, medium, campaign, term, content, referrer, landing_page, click_ids, ga_client_id, ga_session_id, metrica_client_id, ip, region, city, browser, os, device, language, screen, params)*!
-- A visit that has just begun. Its visitor is written already.
INSERT INTO visit (visit_id, site, visitor_id, started_at, last_seen_at, channel, source, medium, campaign,
                   term, content, referrer, landing_page, click_ids, ga_client_id, ga_session_id,
                   metrica_client_id, ip, region, city, browser, os, device, language, screen, params,
                   visit_count)
VALUES (:visit_id, :site, :visitor_id, :at, :at, :channel, :source, :medium, :campaign,
        :term, :content, :referrer, :landing_page, :click_ids, :ga_client_id, :ga_session_id,
        :metrica_client_id, :ip, :region, :city, :browser, :os, :device, :language, :screen, :params,
        (SELECT visit_count FROM visitor WHERE visitor_id = :visitor_id));

-- name: touch_visit(at, visit_id)*!
-- The visit goes on.
UPDATE visit SET last_seen_at = :at WHERE visit_id = :visit_id AND last_seen_at < :at;

-- name: touch_visitor(at, visitor_id)*!
UPDATE visitor SET last_seen_at = :at WHERE visitor_id = :visitor_id AND last_seen_at < :at;

-- name: add_page_view(visit_id, at, url_hash, url, title)*!
INSERT INTO page_view (visit_id, at, url_hash, url, title)
VALUES (:visit_id, :at, :url_hash, :url, :title)
ON CONFLICT (visit_id, at, url_hash) DO NOTHING;

-- name: visit_by_id(visit_id)^
SELECT visit_id, site, visitor_id, started_at, last_seen_at, channel, source, medium, campaign, term, content,
       referrer, landing_page, click_ids, ga_client_id, ga_session_id, metrica_client_id, ip, region, city,
       browser, os, device, language, screen, params, visit_count
FROM visit
WHERE visit_id = :visit_id;

-- name: visitor_by_id(visitor_id)^
SELECT visitor_id, site, first_seen_at, last_seen_at, visit_count,
       first_source, first_medium, first_campaign, first_at
FROM visitor
WHERE visitor_id = :visitor_id;

-- name: page_views(visit_id)
SELECT at, url, title
FROM page_view
WHERE visit_id = :visit_id
ORDER BY at, url_hash;
