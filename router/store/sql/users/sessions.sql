-- Who is logged in to the dashboard.

-- name: account_to_log_in(name)^
SELECT name, role, password FROM account WHERE name = :name;

-- name: begin_session(digest, account, password, at, address, browser)
-- Only if the password is still the one that was checked.
INSERT INTO session (digest, account, created_at, seen_at, address, browser)
SELECT :digest, name, :at, :at, :address, :browser
FROM account
WHERE name = :account AND password = :password
RETURNING digest;

-- name: session(digest)^
SELECT session.digest, session.account, account.role, session.created_at, session.seen_at,
       account.language, account.time_zone
FROM session
JOIN account ON account.name = session.account
WHERE session.digest = :digest;

-- name: session_seen(digest, at)!
UPDATE session SET seen_at = :at WHERE digest = :digest AND seen_at < :at;

-- name: end_session(digest)
DELETE FROM session WHERE digest = :digest RETURNING account;

-- name: end_sessions_of(account)!
DELETE FROM session WHERE account = :account;

-- name: end_old_sessions(created_before, seen_before)!
DELETE FROM session WHERE created_at < :created_before OR seen_at < :seen_before;

-- name: sessions(created_after, seen_after)
SELECT digest, account, created_at, seen_at, address, browser
FROM session
WHERE created_at >= :created_after AND seen_at >= :seen_after
ORDER BY account, seen_at DESC, digest;

-- name: change_preferences(name, language, time_zone)
UPDATE account SET language = :language, time_zone = :time_zone WHERE name = :name RETURNING name;

-- name: change_role(name, role)
UPDATE account SET role = :role WHERE name = :name RETURNING name;
