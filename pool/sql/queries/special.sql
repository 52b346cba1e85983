-- Numbers that are not leased exclusively, and extension codes.

-- name: special_numbers(sites)
-- sites: [site, …]: static and reserve numbers and extension hosts of these sites, and those of any site ('').
SELECT number.kind, number.site, number.channel, number.number,
       extension_host.digits, extension_host.secret, extension_host.next_code
FROM number LEFT JOIN extension_host ON extension_host.number = number.number
WHERE number.kind IN ('static', 'reserve', 'extension') AND number.kind <> 'dynamic'
  AND number.retired_at IS NULL
  AND number.site IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:sites) *//*postgresql json_array_elements(:sites::json) */)
ORDER BY number.number;

-- name: free_codes(host, at, most)
SELECT number, code, free_at, lease_id FROM extension
WHERE number = :host AND free_at <= :at
ORDER BY free_at, code
LIMIT :most
/*postgresql FOR UPDATE SKIP LOCKED */;

-- name: take_codes(host, count)$
-- Moves the host's counter on and gives where it stands then.
UPDATE extension_host SET next_code = next_code + :count WHERE number = :host RETURNING next_code;

-- name: place_codes(rows)!
-- rows: [[number, code, free_at, lease_id], …]
INSERT INTO extension (number, code, free_at, lease_id)
SELECT given.value ->> 0, given.value ->> 1, CAST(given.value ->> 2 AS BIGINT), given.value ->> 3
FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */ AS given
WHERE TRUE
ON CONFLICT (number, code) DO UPDATE SET free_at = excluded.free_at, lease_id = excluded.lease_id;
