-- What each switch's AstDB holds for its own fallback: only differences are put there.
CREATE TABLE astdb_mirror (
    switch TEXT NOT NULL,
    number TEXT NOT NULL,                   -- E.164 with +
    target TEXT NOT NULL,                   -- the dial string last put there
    PRIMARY KEY (switch, number)
) /*sqlite WITHOUT ROWID */;

-- A token that is in AstDB too. When they differ, AstDB was replaced or restored and everything is put again.
CREATE TABLE astdb_generation (
    switch TEXT PRIMARY KEY,
    token  TEXT NOT NULL
) /*sqlite WITHOUT ROWID */;
