-- Forgetting leases that were over long ago. Nothing here waits for a row that others hold.

-- name: old_leases(after, until, most)
-- Ids of leases from the one after `after`, in their order, which is that of their beginnings.
SELECT DISTINCT lease_id FROM lease WHERE lease_id > :after AND lease_id < :until ORDER BY lease_id LIMIT :most;

-- name: lease_rows_named(ids)
-- ids: [lease_id, …]: lease and slot of those that a number or a code still names as its last holder.
SELECT lease.lease_id, lease.slot FROM lease
WHERE lease.lease_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:ids) *//*postgresql json_array_elements(:ids::json) */)
  AND (EXISTS (SELECT 1 FROM number
               WHERE number.number = lease.number AND number.lease_id = lease.lease_id)
       OR EXISTS (SELECT 1 FROM extension
                  WHERE extension.number = lease.number AND extension.code = lease.extension
                    AND extension.lease_id = lease.lease_id));

-- name: forget_last_leases(ids)!
-- ids: [lease_id, …]: visitors whose last lease it was have none.
DELETE FROM visitor_lease
WHERE (site, visitor_id) IN (
    SELECT known.site, known.visitor_id
    FROM lease JOIN visitor_lease AS known ON known.site = lease.site AND known.visitor_id = lease.visitor_id
    WHERE lease.lease_id IN (SELECT value /*postgresql #>> '{}' */ FROM /*sqlite json_each(:ids) *//*postgresql json_array_elements(:ids::json) */)
      AND known.lease_id = lease.lease_id
    /*postgresql FOR UPDATE OF known SKIP LOCKED */
);

-- name: blank_leases(rows)!
-- rows: [[lease_id, slot, visitor_id, visit_id], …]: the hold stays, whose it was does not.
UPDATE lease SET visitor_id = given.value ->> 2, visit_id = given.value ->> 3
FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */ AS given
WHERE lease.lease_id = given.value ->> 0 AND lease.slot = given.value ->> 1;

-- name: delete_leases(rows)!
-- rows: [[lease_id, slot], …]
DELETE FROM lease
WHERE (lease_id, slot) IN (SELECT value ->> 0, value ->> 1 FROM /*sqlite json_each(:rows) *//*postgresql json_array_elements(:rows::json) */);

-- name: leases_of_visitor(site, visitor_id)
-- Reads all leases: for people, not for every request.
SELECT lease_id, slot FROM lease WHERE visitor_id = :visitor_id AND site = :site;

-- name: forget_visitor(site, visitor_id)!
DELETE FROM visitor_lease WHERE site = :site AND visitor_id = :visitor_id;
