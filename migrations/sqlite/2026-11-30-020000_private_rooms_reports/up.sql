-- Who is invited into a room. A room is a name or an address. Times are milliseconds since
-- 1970-01-01 UTC.
CREATE TABLE invitations (
    room TEXT NOT NULL,
    user TEXT NOT NULL,
    username TEXT NOT NULL, -- when the user was invited
    by_user TEXT, -- NULL: who runs the server
    by_username TEXT,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (room, user)
) WITHOUT ROWID;
CREATE INDEX invitations_by_user ON invitations (user);

-- The links that invite users into a room.
CREATE TABLE invite_links (
    hash BLOB NOT NULL, -- SHA-256 of the code
    room TEXT NOT NULL,
    uses BIGINT NOT NULL, -- how many are left
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (hash)
) WITHOUT ROWID;
CREATE INDEX invite_links_by_room ON invite_links (room);

-- The direct room of two users.
CREATE TABLE direct_rooms (
    first TEXT NOT NULL, -- the lesser id
    second TEXT NOT NULL,
    room TEXT NOT NULL,
    PRIMARY KEY (first, second)
) WITHOUT ROWID;
CREATE INDEX direct_rooms_by_second ON direct_rooms (second);

-- Whom an account has blocked.
CREATE TABLE blocked_users (
    account TEXT NOT NULL,
    user TEXT NOT NULL,
    username TEXT, -- the name at that time, if it was known
    PRIMARY KEY (account, user)
) WITHOUT ROWID;

-- The open reports. AUTOINCREMENT: the number of a closed one is not used again.
CREATE TABLE reports (
    number INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at BIGINT NOT NULL,
    room TEXT NOT NULL,
    by_user TEXT NOT NULL,
    by_username TEXT NOT NULL,
    target BIGINT NOT NULL, -- the number of the message
    user TEXT NOT NULL, -- who has written it
    username TEXT NOT NULL,
    body TEXT, -- a copy of the text; NULL: it was erased
    reason TEXT
);
CREATE UNIQUE INDEX reports_by_message ON reports (room, by_user, target);
-- Finds what is erased with the messages of a user.
CREATE INDEX reports_by_author ON reports (user);

-- Whether the settings say that the room is public, so that the directory is found by an index.
ALTER TABLE rooms ADD COLUMN is_public BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX rooms_public ON rooms (id) WHERE is_public;
