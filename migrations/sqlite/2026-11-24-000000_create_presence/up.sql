-- Who is in which room. One row is one stay. AUTOINCREMENT because an id is never used again, also after its row is gone
-- (https://sqlite.org/autoinc.html).
CREATE TABLE presence (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    room TEXT NOT NULL,
    username TEXT NOT NULL,
    channel_name TEXT NOT NULL,
    node TEXT NOT NULL,
    joined_at BIGINT NOT NULL, -- milliseconds since 1970-01-01 UTC
    UNIQUE (room, username)
);
