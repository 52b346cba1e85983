-- Sums that reports are made of. `by`: the dimension, '' for one row of all. Filters that are NULL let all pass;
-- what is filtered by an origin must have a known one. `model`: the bit of the attribution model.
-- `told` 0: nobody knows what caused these calls. Days that are open are read from the credits.

-- name: calls_by_source(by, model, first, last, site, channel, source, medium, campaign, most)
SELECT CASE CAST(:by AS TEXT)
            WHEN 'channel' THEN channel WHEN 'source' THEN source WHEN 'medium' THEN medium
            WHEN 'campaign' THEN campaign WHEN 'site' THEN site WHEN 'day' THEN CAST(day AS TEXT)
            WHEN 'weekday' THEN CAST((day + 3) % 7 AS TEXT)
            ELSE '' END AS key,
       CASE WHEN CAST(:by AS TEXT) IN ('hour', 'number', 'agent', 'site', 'day', 'weekday', '') THEN 1 ELSE known END AS told,
       CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(answered) AS BIGINT) AS answered,
       CAST(SUM(blocked) AS BIGINT) AS blocked, CAST(SUM(qualified) AS BIGINT) AS qualified,
       CAST(SUM(first_time) AS BIGINT) AS first_time, CAST(SUM(ring_answered) AS BIGINT) AS ring_answered,
       CAST(SUM(ring_missed) AS BIGINT) AS ring_missed, CAST(SUM(talk) AS BIGINT) AS talk,
       CAST(SUM(expected) AS BIGINT) AS expected, CAST(SUM(variance) AS BIGINT) AS variance
FROM (
    SELECT day, site, models, known, channel, source, medium, campaign,
           calls, answered, blocked, qualified, first_time, ring_answered, ring_missed, talk,
           expected, variance
    FROM call_by_source AS s
    WHERE day BETWEEN :first AND :last
      AND NOT EXISTS (SELECT 1 FROM open_call_day AS o WHERE o.switch = s.switch AND o.day = s.day)
    UNION ALL
    SELECT c.day, site, models, known, channel, source, medium, campaign,
           calls, answered, blocked, qualified, first_time, ring_answered, ring_missed, talk,
           expected, variance
    FROM open_call_day AS o CROSS JOIN call_credit AS c
    WHERE c.day = o.day AND c.switch = o.switch AND o.day BETWEEN :first AND :last
) AS sums
WHERE day BETWEEN :first AND :last AND (models & :model) <> 0
  AND (CAST(:site AS TEXT) IS NULL OR site = :site)
  AND (CAST(:channel AS TEXT) IS NULL OR (channel = :channel AND known = 1))
  AND (CAST(:source AS TEXT) IS NULL OR (source = :source AND known = 1))
  AND (CAST(:medium AS TEXT) IS NULL OR (medium = :medium AND known = 1))
  AND (CAST(:campaign AS TEXT) IS NULL OR (campaign = :campaign AND known = 1))
GROUP BY 1, 2
ORDER BY calls DESC, key
LIMIT :most;

-- name: calls_by_value(by, dimension, model, first, last, site, value, most)
-- Of the rows of one dimension; `by` is that dimension, or one that every table has.
SELECT CASE CAST(:by AS TEXT) WHEN 'site' THEN site WHEN 'day' THEN CAST(day AS TEXT)
            WHEN 'weekday' THEN CAST((day + 3) % 7 AS TEXT) WHEN '' THEN '' ELSE value END AS key,
       CASE WHEN CAST(:by AS TEXT) IN ('hour', 'number', 'agent', 'site', 'day', 'weekday', '') THEN 1 ELSE known END AS told,
       CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(answered) AS BIGINT) AS answered,
       CAST(SUM(blocked) AS BIGINT) AS blocked, CAST(SUM(qualified) AS BIGINT) AS qualified,
       CAST(SUM(first_time) AS BIGINT) AS first_time, CAST(SUM(ring_answered) AS BIGINT) AS ring_answered,
       CAST(SUM(ring_missed) AS BIGINT) AS ring_missed, CAST(SUM(talk) AS BIGINT) AS talk,
       CAST(SUM(expected) AS BIGINT) AS expected, CAST(SUM(variance) AS BIGINT) AS variance
FROM (
    SELECT day, site, models, known, value,
           calls, answered, blocked, qualified, first_time, ring_answered, ring_missed, talk,
           expected, variance
    FROM call_by_value AS s
    WHERE dimension = :dimension AND day BETWEEN :first AND :last
      AND NOT EXISTS (SELECT 1 FROM open_call_day AS o WHERE o.switch = s.switch AND o.day = s.day)
    UNION ALL
    -- What the models do not decide is told by the credit of the last visit (bit 2), which is the whole call.
    SELECT c.day, site,
           CASE WHEN CAST(:dimension AS TEXT) IN ('channel', 'term', 'landing_page') THEN models
                WHEN (models & 2) <> 0 THEN 15 ELSE 0 END AS models,
           CASE WHEN CAST(:dimension AS TEXT) IN ('hour', 'number', 'agent') THEN 1 ELSE known END AS known,
           CASE CAST(:dimension AS TEXT)
                WHEN 'channel' THEN channel WHEN 'term' THEN term WHEN 'landing_page' THEN landing_page
                WHEN 'page_called_from' THEN page_called_from WHEN 'region' THEN region WHEN 'device' THEN device
                WHEN 'hour' THEN CAST(hour AS TEXT) WHEN 'number' THEN number ELSE agent END AS value,
           calls, answered, blocked, qualified, first_time, ring_answered, ring_missed, talk,
           expected, variance
    FROM open_call_day AS o CROSS JOIN call_credit AS c
    WHERE c.day = o.day AND c.switch = o.switch AND o.day BETWEEN :first AND :last
) AS sums
WHERE day BETWEEN :first AND :last AND (models & :model) <> 0
  AND (CAST(:site AS TEXT) IS NULL OR site = :site)
  AND (CAST(:value AS TEXT) IS NULL OR (value = :value AND known = 1))
GROUP BY 1, 2
ORDER BY calls DESC, key
LIMIT :most;

-- name: calls_by_credit(by, model, first, last, site, channel, source, medium, campaign, term, landing_page, page_called_from, region, device, number, agent, result, match, most)
-- Call by call: for what the sums have not together.
SELECT CASE CAST(:by AS TEXT)
            WHEN 'channel' THEN channel WHEN 'source' THEN source WHEN 'medium' THEN medium
            WHEN 'campaign' THEN campaign WHEN 'term' THEN term WHEN 'landing_page' THEN landing_page
            WHEN 'page_called_from' THEN page_called_from WHEN 'region' THEN region WHEN 'device' THEN device
            WHEN 'hour' THEN CAST(hour AS TEXT) WHEN 'number' THEN number WHEN 'agent' THEN agent
            WHEN 'site' THEN site WHEN 'day' THEN CAST(day AS TEXT) WHEN 'weekday' THEN CAST((day + 3) % 7 AS TEXT)
            ELSE '' END AS key,
       CASE WHEN CAST(:by AS TEXT) IN ('hour', 'number', 'agent', 'site', 'day', 'weekday', '') THEN 1 ELSE known END AS told,
       CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(answered) AS BIGINT) AS answered,
       CAST(SUM(blocked) AS BIGINT) AS blocked, CAST(SUM(qualified) AS BIGINT) AS qualified,
       CAST(SUM(first_time) AS BIGINT) AS first_time, CAST(SUM(ring_answered) AS BIGINT) AS ring_answered,
       CAST(SUM(ring_missed) AS BIGINT) AS ring_missed, CAST(SUM(talk) AS BIGINT) AS talk,
       CAST(SUM(expected) AS BIGINT) AS expected, CAST(SUM(variance) AS BIGINT) AS variance,
       CAST(SUM(CASE WHEN before_day < :first THEN calls ELSE 0 END) AS BIGINT) AS callers
FROM call_credit
WHERE day BETWEEN :first AND :last AND (models & :model) <> 0
  AND (CAST(:site AS TEXT) IS NULL OR site = :site)
  AND (CAST(:channel AS TEXT) IS NULL OR (channel = :channel AND known = 1))
  AND (CAST(:source AS TEXT) IS NULL OR (source = :source AND known = 1))
  AND (CAST(:medium AS TEXT) IS NULL OR (medium = :medium AND known = 1))
  AND (CAST(:campaign AS TEXT) IS NULL OR (campaign = :campaign AND known = 1))
  AND (CAST(:term AS TEXT) IS NULL OR (term = :term AND known = 1))
  AND (CAST(:landing_page AS TEXT) IS NULL OR (landing_page = :landing_page AND known = 1))
  AND (CAST(:page_called_from AS TEXT) IS NULL OR (page_called_from = :page_called_from AND known = 1))
  AND (CAST(:region AS TEXT) IS NULL OR (region = :region AND known = 1))
  AND (CAST(:device AS TEXT) IS NULL OR (device = :device AND known = 1))
  AND (CAST(:number AS TEXT) IS NULL OR number = :number)
  AND (CAST(:agent AS TEXT) IS NULL OR agent = :agent)
  AND (CAST(:result AS TEXT) IS NULL OR result = :result)
  AND (CAST(:match AS TEXT) IS NULL OR match = :match)
GROUP BY 1, 2
ORDER BY calls DESC, key
LIMIT :most;

-- name: callers_by_credit(by, model, first, last, site, channel, source, medium, campaign, term, landing_page, page_called_from, region, device, number, agent)
-- Each caller once, where the first of their calls in the period came from.
SELECT CASE CAST(:by AS TEXT)
            WHEN 'channel' THEN channel WHEN 'source' THEN source WHEN 'medium' THEN medium
            WHEN 'campaign' THEN campaign WHEN 'term' THEN term WHEN 'landing_page' THEN landing_page
            WHEN 'page_called_from' THEN page_called_from WHEN 'region' THEN region WHEN 'device' THEN device
            WHEN 'hour' THEN CAST(hour AS TEXT) WHEN 'number' THEN number WHEN 'agent' THEN agent
            WHEN 'site' THEN site WHEN 'day' THEN CAST(day AS TEXT) WHEN 'weekday' THEN CAST((day + 3) % 7 AS TEXT)
            ELSE '' END AS key,
       CASE WHEN CAST(:by AS TEXT) IN ('hour', 'number', 'agent', 'site', 'day', 'weekday', '') THEN 1 ELSE known END AS told,
       CAST(SUM(calls) AS BIGINT) AS callers
FROM call_credit
WHERE day BETWEEN :first AND :last AND (models & :model) <> 0 AND before_day < :first
  AND (CAST(:site AS TEXT) IS NULL OR site = :site)
  AND (CAST(:channel AS TEXT) IS NULL OR (channel = :channel AND known = 1))
  AND (CAST(:source AS TEXT) IS NULL OR (source = :source AND known = 1))
  AND (CAST(:medium AS TEXT) IS NULL OR (medium = :medium AND known = 1))
  AND (CAST(:campaign AS TEXT) IS NULL OR (campaign = :campaign AND known = 1))
  AND (CAST(:term AS TEXT) IS NULL OR (term = :term AND known = 1))
  AND (CAST(:landing_page AS TEXT) IS NULL OR (landing_page = :landing_page AND known = 1))
  AND (CAST(:page_called_from AS TEXT) IS NULL OR (page_called_from = :page_called_from AND known = 1))
  AND (CAST(:region AS TEXT) IS NULL OR (region = :region AND known = 1))
  AND (CAST(:device AS TEXT) IS NULL OR (device = :device AND known = 1))
  AND (CAST(:number AS TEXT) IS NULL OR number = :number)
  AND (CAST(:agent AS TEXT) IS NULL OR agent = :agent)
GROUP BY 1, 2;

-- name: callers_by_sample(by, model, first, last, site, channel, source, medium, campaign, term, landing_page, page_called_from, region, device, number, agent)
-- The same of the sampled callers alone.
SELECT CASE CAST(:by AS TEXT)
            WHEN 'channel' THEN channel WHEN 'source' THEN source WHEN 'medium' THEN medium
            WHEN 'campaign' THEN campaign WHEN 'term' THEN term WHEN 'landing_page' THEN landing_page
            WHEN 'page_called_from' THEN page_called_from WHEN 'region' THEN region WHEN 'device' THEN device
            WHEN 'hour' THEN CAST(hour AS TEXT) WHEN 'number' THEN number WHEN 'agent' THEN agent
            WHEN 'site' THEN site WHEN 'day' THEN CAST(day AS TEXT) WHEN 'weekday' THEN CAST((day + 3) % 7 AS TEXT)
            ELSE '' END AS key,
       CASE WHEN CAST(:by AS TEXT) IN ('hour', 'number', 'agent', 'site', 'day', 'weekday', '') THEN 1 ELSE known END AS told,
       CAST(SUM(calls) AS BIGINT) AS callers
FROM call_credit
WHERE sampled = 1 AND day BETWEEN :first AND :last AND (models & :model) <> 0 AND before_day < :first
  AND (CAST(:site AS TEXT) IS NULL OR site = :site)
  AND (CAST(:channel AS TEXT) IS NULL OR (channel = :channel AND known = 1))
  AND (CAST(:source AS TEXT) IS NULL OR (source = :source AND known = 1))
  AND (CAST(:medium AS TEXT) IS NULL OR (medium = :medium AND known = 1))
  AND (CAST(:campaign AS TEXT) IS NULL OR (campaign = :campaign AND known = 1))
  AND (CAST(:term AS TEXT) IS NULL OR (term = :term AND known = 1))
  AND (CAST(:landing_page AS TEXT) IS NULL OR (landing_page = :landing_page AND known = 1))
  AND (CAST(:page_called_from AS TEXT) IS NULL OR (page_called_from = :page_called_from AND known = 1))
  AND (CAST(:region AS TEXT) IS NULL OR (region = :region AND known = 1))
  AND (CAST(:device AS TEXT) IS NULL OR (device = :device AND known = 1))
  AND (CAST(:number AS TEXT) IS NULL OR number = :number)
  AND (CAST(:agent AS TEXT) IS NULL OR agent = :agent)
GROUP BY 1, 2;

-- name: costs_by(by, first, last, site, channel, source, medium, campaign)
SELECT CASE CAST(:by AS TEXT)
            WHEN 'channel' THEN channel WHEN 'source' THEN source WHEN 'medium' THEN medium
            WHEN 'campaign' THEN campaign WHEN 'site' THEN site WHEN 'day' THEN CAST(day AS TEXT)
            WHEN 'weekday' THEN CAST((day + 3) % 7 AS TEXT)
            ELSE '' END AS key,
       currency, CAST(SUM(amount) AS BIGINT) AS amount
FROM advertising_cost
WHERE day BETWEEN :first AND :last
  AND (CAST(:site AS TEXT) IS NULL OR site = :site)
  AND (CAST(:channel AS TEXT) IS NULL OR channel = :channel)
  AND (CAST(:source AS TEXT) IS NULL OR source = :source)
  AND (CAST(:medium AS TEXT) IS NULL OR medium = :medium)
  AND (CAST(:campaign AS TEXT) IS NULL OR campaign = :campaign)
GROUP BY 1, 2;
