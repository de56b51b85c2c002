-- Presence rows are leftovers here, too; the sequence of their ids continues.
DROP TABLE room_names;
CREATE TABLE old_presence (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    room TEXT NOT NULL,
    username TEXT NOT NULL,
    channel_name TEXT NOT NULL,
    node TEXT NOT NULL,
    joined_at BIGINT NOT NULL, -- milliseconds since 1970-01-01 UTC
    UNIQUE (room, username)
);
INSERT INTO sqlite_sequence (name, seq) SELECT 'old_presence', seq FROM sqlite_sequence WHERE name = 'presence';
DROP TABLE presence;
ALTER TABLE old_presence RENAME TO presence;

-- Ids are recognised by name again.
ALTER TABLE message_ids DROP COLUMN digest;
ALTER TABLE message_ids DROP COLUMN user;

-- This rewrites all messages, so it takes minutes for a file of several gigabytes.
ALTER TABLE messages DROP COLUMN user;
