-- What was said in which room.

-- next_seq is a column, never max(seq): a number must not come twice, also when the newest message is gone. first_seq is the
-- oldest number that may still be there; pruning moves it, so that nobody has to search where a room begins. A row is never
-- deleted: the number would start anew.
CREATE TABLE rooms (
    id INTEGER PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    next_seq BIGINT NOT NULL,
    first_seq BIGINT NOT NULL
);

-- One b-tree, in which a room's messages lie one behind the other: the row's place is room * 2^40 + seq. There is no other
-- index, so a message costs the same however many there are, and a page of a room is one stretch of the tree.
CREATE TABLE messages (
    place INTEGER PRIMARY KEY NOT NULL,
    username TEXT NOT NULL,
    id TEXT NOT NULL, -- the sender's own, or one that the server made
    body TEXT, -- NULL: it was erased; its place and time stay
    sent_at BIGINT NOT NULL -- milliseconds since 1970-01-01 UTC
);

-- The ids that senders gave, for as long as a message that comes again is recognised. They have a table of their own, kept
-- short: a unique index over all messages would make each insert dearer than the one before. It has no index either but n, the
-- order of insertion, because an entry of a random id goes to a random page; the program, the only one that writes, has in
-- memory which row an id is in. What goes goes from the smallest n.
CREATE TABLE message_ids (
    n INTEGER PRIMARY KEY NOT NULL,
    room_id BIGINT NOT NULL,
    username TEXT NOT NULL,
    message_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    sent_at BIGINT NOT NULL -- milliseconds since 1970-01-01 UTC
);

-- The life of this history, one row. The program writes a random text when there is none: deleting the row is how an operator
-- says that numbers known to clients no longer hold, as after a backup was put back.
CREATE TABLE history_epoch (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    epoch TEXT NOT NULL,
    checks BIGINT NOT NULL DEFAULT 0 -- counts up to show that the disk takes a change; SQLite leaves one out that changes nothing
);
