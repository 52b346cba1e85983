-- Credits of calls and their sums, written in the transaction of the call.

-- name: add_credit*!
INSERT INTO call_credit (day, call_id, part, switch, site, hour, models, known, channel, source, medium, campaign,
                         term, landing_page, page_called_from, region, device, number, agent, result, match,
                         before_day, sampled, calls, answered, blocked, qualified, first_time, ring_answered,
                         ring_missed, talk, expected, variance)
VALUES (:day, :call_id, :part, :switch, :site, :hour, :models, :known, :channel, :source, :medium, :campaign,
        :term, :landing_page, :page_called_from, :region, :device, :number, :agent, :result, :match,
        :before_day, :sampled, :calls, :answered, :blocked, :qualified, :first_time, :ring_answered,
        :ring_missed, :talk, :expected, :variance);

-- name: add_to_source*!
INSERT INTO call_by_source (day, site, switch, models, known, channel, source, medium, campaign, calls, answered,
                            blocked, qualified, first_time, ring_answered, ring_missed, talk, expected, variance)
VALUES (:day, :site, :switch, :models, :known, :channel, :source, :medium, :campaign, :calls, :answered,
        :blocked, :qualified, :first_time, :ring_answered, :ring_missed, :talk, :expected, :variance)
ON CONFLICT (day, site, switch, models, known, channel, source, medium, campaign) DO UPDATE
SET calls = call_by_source.calls + excluded.calls,
    answered = call_by_source.answered + excluded.answered,
    blocked = call_by_source.blocked + excluded.blocked,
    qualified = call_by_source.qualified + excluded.qualified,
    first_time = call_by_source.first_time + excluded.first_time,
    ring_answered = call_by_source.ring_answered + excluded.ring_answered,
    ring_missed = call_by_source.ring_missed + excluded.ring_missed,
    talk = call_by_source.talk + excluded.talk,
    expected = call_by_source.expected + excluded.expected,
    variance = call_by_source.variance + excluded.variance;

-- name: add_to_value*!
INSERT INTO call_by_value (dimension, day, site, switch, models, known, value, calls, answered, blocked,
                           qualified, first_time, ring_answered, ring_missed, talk, expected, variance)
VALUES (:dimension, :day, :site, :switch, :models, :known, :value, :calls, :answered, :blocked,
        :qualified, :first_time, :ring_answered, :ring_missed, :talk, :expected, :variance)
ON CONFLICT (dimension, day, site, switch, models, known, value) DO UPDATE
SET calls = call_by_value.calls + excluded.calls,
    answered = call_by_value.answered + excluded.answered,
    blocked = call_by_value.blocked + excluded.blocked,
    qualified = call_by_value.qualified + excluded.qualified,
    first_time = call_by_value.first_time + excluded.first_time,
    ring_answered = call_by_value.ring_answered + excluded.ring_answered,
    ring_missed = call_by_value.ring_missed + excluded.ring_missed,
    talk = call_by_value.talk + excluded.talk,
    expected = call_by_value.expected + excluded.expected,
    variance = call_by_value.variance + excluded.variance;
