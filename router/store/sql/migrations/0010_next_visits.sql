-- Visits that began on a lease after its first one: another advertisement brought the visitor back while the
-- number was still theirs. The lease names its first visit; from from_at on the number was this visit's.

CREATE TABLE next_visit (
    first_visit_id  TEXT NOT NULL,
    from_at         BIGINT NOT NULL,
    visit_id        TEXT NOT NULL,
    PRIMARY KEY (first_visit_id, from_at, visit_id)
);
