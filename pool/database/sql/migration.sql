-- name: create_migration_table()!
CREATE TABLE IF NOT EXISTS migration (
    room       TEXT NOT NULL,
    number     BIGINT NOT NULL,
    name       TEXT NOT NULL,
    applied_at BIGINT NOT NULL,
    PRIMARY KEY (room, number)
);

-- name: applied_migrations(room)
SELECT number, name FROM migration WHERE room = :room ORDER BY number;

-- name: record_migration(room, number, name, applied_at)
INSERT INTO migration (room, number, name, applied_at) VALUES (:room, :number, :name, :applied_at)
ON CONFLICT (room, number) DO NOTHING
RETURNING number;
