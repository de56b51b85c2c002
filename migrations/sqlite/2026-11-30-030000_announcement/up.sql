-- The announcement of the operator, until it is withdrawn. There is one at most.
CREATE TABLE announcement (
    single INTEGER PRIMARY KEY NOT NULL CHECK (single = 1),
    id TEXT NOT NULL,
    level TEXT NOT NULL, -- 'info' or 'warning'
    body TEXT NOT NULL,
    made_at BIGINT NOT NULL -- milliseconds since 1970-01-01 UTC
);
