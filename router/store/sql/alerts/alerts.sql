-- Warnings, and what numbers were shown.

-- name: tell(cause, subject, text, at, quiet_before, ahead_from)
-- Gives the row when it is to be told now; told by several at once, one of them is.
INSERT INTO alert (cause, subject, told_at, suppressed, text)
VALUES (:cause, :subject, :at, 0, :text)
ON CONFLICT (cause, subject) DO UPDATE
SET told_at = excluded.told_at, suppressed = 0, text = excluded.text
-- A clock that was set back silences nobody; who is just a moment behind another process is silent.
WHERE alert.told_at <= :quiet_before OR alert.told_at > :ahead_from
RETURNING told_at;

-- name: suppressed_before(cause, subject)$
SELECT suppressed FROM alert WHERE cause = :cause AND subject = :subject /*postgresql FOR UPDATE */;

-- name: suppress(cause, subject, text)!
UPDATE alert SET suppressed = suppressed + 1, text = :text WHERE cause = :cause AND subject = :subject;

-- name: digests(quiet_before)
SELECT cause, subject, suppressed, text FROM alert WHERE suppressed > 0 AND told_at <= :quiet_before;

-- name: add_shown*!
INSERT INTO shown_hour (site, hour_at, times, last_at)
VALUES (:site, :hour_at, :times, :last_at)
ON CONFLICT (site, hour_at) DO UPDATE
SET times = shown_hour.times + excluded.times,
    last_at = CASE WHEN excluded.last_at > shown_hour.last_at THEN excluded.last_at ELSE shown_hour.last_at END;

-- name: shown_hours(since)
SELECT site, hour_at, times, last_at FROM shown_hour WHERE hour_at >= :since ORDER BY site, hour_at;

-- name: forget_shown(before)!
DELETE FROM shown_hour WHERE hour_at < :before;
