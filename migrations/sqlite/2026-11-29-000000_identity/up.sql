-- Users have ids. The name in a message is the user's name at that time: names repeat over time,
-- ids do not.

-- The author. Messages from before this migration have 'g_0', which is not the id of any user. The
-- default also makes the change independent of the size of the table: SQLite does not rewrite the
-- rows (https://sqlite.org/lang_altertable.html).
ALTER TABLE messages ADD COLUMN user TEXT NOT NULL DEFAULT 'g_0';

-- The author, and the first 64 bits of a hash of the command that came with the id. Rows from
-- before this migration have neither; they are recognised by name, and expire after a day. The name
-- stays in the table for the previous version, after this migration was reverted.
ALTER TABLE message_ids ADD COLUMN user TEXT;
ALTER TABLE message_ids ADD COLUMN digest BIGINT;

-- Presence rows are leftovers of the previous run while a migration runs, because only one process
-- may use the file. They are not copied, but their ids are not used again: the sequence continues.
CREATE TABLE new_presence (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    room TEXT NOT NULL,
    username TEXT NOT NULL,
    user TEXT NOT NULL,
    channel_name TEXT NOT NULL,
    node TEXT NOT NULL,
    joined_at BIGINT NOT NULL -- milliseconds since 1970-01-01 UTC
);
INSERT INTO sqlite_sequence (name, seq) SELECT 'new_presence', seq FROM sqlite_sequence WHERE name = 'presence';
DROP TABLE presence;
ALTER TABLE new_presence RENAME TO presence;
CREATE INDEX presence_by_name ON presence (room, username);

-- Which user holds a name in a room. The primary key decides between two users who join at the same
-- time. A row exists as long as the name has a presence row, and all presence rows of the name
-- belong to this user.
CREATE TABLE room_names (
    room TEXT NOT NULL,
    username TEXT NOT NULL,
    user TEXT NOT NULL,
    PRIMARY KEY (room, username)
) WITHOUT ROWID;
