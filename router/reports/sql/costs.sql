-- What advertising cost.

-- name: forget_costs*!
DELETE FROM advertising_cost WHERE site = :site AND day = :day;

-- name: add_cost*!
INSERT INTO advertising_cost (day, site, channel, source, medium, campaign, currency, amount)
VALUES (:day, :site, :channel, :source, :medium, :campaign, :currency, :amount);
