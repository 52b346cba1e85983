-- Credits of calls, written in the transaction of the call.

-- name: add_credit*!
INSERT INTO call_credit (day, call_id, part, switch, site, hour, models, known, channel, source, medium, campaign,
                         term, landing_page, page_called_from, region, device, number, agent, result, match,
                         before_day, sampled, calls, answered, blocked, qualified, first_time, ring_answered,
                         ring_missed, talk, expected, variance)
VALUES (:day, :call_id, :part, :switch, :site, :hour, :models, :known, :channel, :source, :medium, :campaign,
        :term, :landing_page, :page_called_from, :region, :device, :number, :agent, :result, :match,
        :before_day, :sampled, :calls, :answered, :blocked, :qualified, :first_time, :ring_answered,
        :ring_missed, :talk, :expected, :variance);

-- name: open_call_day*!
-- A call of this day has come: what the sums say of it, if anything, is no longer all.
INSERT INTO open_call_day (switch, day) VALUES (:switch, :day) ON CONFLICT (switch, day) DO NOTHING;
