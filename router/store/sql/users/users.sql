-- Users of the admin listener and their API keys.

-- name: add_account(name, role, password, created_at)
INSERT INTO account (name, role, password, created_at)
VALUES (:name, :role, :password, :created_at)
ON CONFLICT (name) DO NOTHING
RETURNING name;

-- name: change_password(name, password)
UPDATE account SET password = :password WHERE name = :name RETURNING name;

-- name: remove_account(name)
DELETE FROM account WHERE name = :name RETURNING name;

-- name: remove_keys_of(account)!
DELETE FROM api_key WHERE account = :account;

-- name: account(name)^
SELECT name FROM account WHERE name = :name;

-- name: accounts()
SELECT name, role, created_at FROM account ORDER BY name;

-- name: add_key(key_id, account, digest, label, created_at)!
INSERT INTO api_key (key_id, account, digest, label, created_at)
VALUES (:key_id, :account, :digest, :label, :created_at);

-- name: remove_key(key_id)
DELETE FROM api_key WHERE key_id = :key_id RETURNING key_id;

-- name: key_by_id(key_id)^
SELECT api_key.digest, api_key.account, account.role, api_key.last_used_at
FROM api_key
JOIN account ON account.name = api_key.account
WHERE api_key.key_id = :key_id;

-- name: keys()
SELECT account, key_id, label, created_at, last_used_at FROM api_key ORDER BY account, created_at, key_id;

-- name: key_used(key_id, at)!
UPDATE api_key SET last_used_at = :at WHERE key_id = :key_id;
