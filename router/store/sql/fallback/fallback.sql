-- The fallback table of each switch's AstDB, and the numbers it is made from.

-- name: numbers_with_targets(switch, after, most)
-- The inventory in order of number, each with what the switch's AstDB holds for it. Retired numbers still ring.
SELECT n.number, n.site, n.pool, n.channel, m.target
FROM number n
LEFT JOIN astdb_mirror m ON m.switch = :switch AND m.number = n.number
WHERE n.number > :after
ORDER BY n.number
LIMIT :most;

-- name: numbers_leased_since(switch, after, most)
-- Numbers that a site took from the base: lease ids grow with time.
SELECT l.lease_id, n.number, n.site, n.pool, n.channel, m.target
FROM lease l
JOIN number n ON n.number = l.number
LEFT JOIN astdb_mirror m ON m.switch = :switch AND m.number = n.number
WHERE l.lease_id > :after AND l.rung = 'base'
ORDER BY l.lease_id
LIMIT :most;

-- name: mirrored_without_number(switch)
SELECT m.number FROM astdb_mirror m
WHERE m.switch = :switch AND NOT EXISTS (SELECT 1 FROM number n WHERE n.number = m.number);

-- name: save_mirror*!
INSERT INTO astdb_mirror (switch, number, target) VALUES (:switch, :number, :target)
ON CONFLICT (switch, number) DO UPDATE SET target = excluded.target;

-- name: forget_mirror*!
DELETE FROM astdb_mirror WHERE switch = :switch AND number = :number;

-- name: empty_mirror(switch)!
DELETE FROM astdb_mirror WHERE switch = :switch;

-- name: astdb_generation(switch)$
SELECT token FROM astdb_generation WHERE switch = :switch;

-- name: save_astdb_generation(switch, token)!
INSERT INTO astdb_generation (switch, token) VALUES (:switch, :token)
ON CONFLICT (switch) DO UPDATE SET token = excluded.token;
