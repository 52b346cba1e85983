-- Days of which calls are in call_credit that the sums by day do not hold, or hold in part: reports read these days
-- from the credits. All others are in the sums.

CREATE TABLE open_call_day (
    switch  TEXT NOT NULL,
    day     BIGINT NOT NULL,
    PRIMARY KEY (switch, day)
) /*sqlite WITHOUT ROWID */;
