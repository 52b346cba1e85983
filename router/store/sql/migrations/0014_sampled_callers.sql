-- SQLite reads an index without the table only when the index has the column of its own condition.

DROP INDEX call_credit_sampled;

CREATE INDEX call_credit_sampled ON call_credit (
    sampled, day, site, models, before_day, calls, known, channel, source, medium, campaign, term, landing_page,
    page_called_from, region, device, hour, number, agent
) WHERE sampled = 1;
