-- name: insert_number*!
INSERT INTO number (number, kind, pool, site, channel, label, added_at, free_at)
VALUES (:number, 'dynamic', 'default', '', '', '', 0, 0);
