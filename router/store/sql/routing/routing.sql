-- What redirect plans may depend on: asked while a call waits, so each is one index look-up.

-- name: last_holder(number, extension, at)^
-- Who was shown the number (and the code to key with it) last, as seen from an instant.
SELECT l.slot, COALESCE(v.channel, l.channel) AS channel, COALESCE(v.region, '') AS region, l.anchor_at
FROM lease l
LEFT JOIN visit v ON v.visit_id = COALESCE((
    SELECT n.visit_id FROM next_visit n
    WHERE n.first_visit_id = l.visit_id AND n.from_at <= :at
    ORDER BY n.from_at DESC, n.visit_id DESC
    LIMIT 1
), l.visit_id)
WHERE l.number = :number AND l.extension = :extension AND l.from_at <= :at
ORDER BY l.from_at DESC
LIMIT 1;

-- name: latest_agents(site, caller, before, most)
-- Who answered a caller's calls to a site before an instant, the latest first; NULL where nobody did.
SELECT answered_by
FROM call
WHERE caller = :caller AND site = :site AND started_at < :before
ORDER BY started_at DESC
LIMIT :most;
