-- Who has a role in a room, who is banned or muted, and what moderators have done. Times are
-- milliseconds since 1970-01-01 UTC. A room is a name; '' is the whole server.

CREATE TABLE room_roles (
    room TEXT NOT NULL,
    user TEXT NOT NULL,
    username TEXT NOT NULL, -- when the user got the role
    role TEXT NOT NULL, -- 'member', 'moderator' or 'owner'
    PRIMARY KEY (room, user)
) WITHOUT ROWID;
CREATE INDEX room_roles_by_user ON room_roles (user);

CREATE TABLE restrictions (
    room TEXT NOT NULL,
    user TEXT NOT NULL,
    kind TEXT NOT NULL, -- 'ban' or 'mute'
    username TEXT NOT NULL, -- when the user was banned or muted
    until BIGINT, -- NULL: until it is lifted
    record BIGINT NOT NULL, -- the number in the audit log
    network TEXT, -- of a guest: an IPv4 address, or an IPv6 network
    network_until BIGINT, -- until when it concerns all guests from there
    PRIMARY KEY (room, user, kind)
) WITHOUT ROWID;
-- Finds what has ended.
CREATE INDEX restrictions_by_end ON restrictions (until) WHERE until IS NOT NULL;

-- The numbers have no gaps: a record is written in the transaction of its act, by the only writer.
CREATE TABLE audit_log (
    number INTEGER PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    room TEXT NOT NULL,
    by_user TEXT, -- NULL: who runs the server
    by_username TEXT,
    act TEXT NOT NULL,
    role TEXT,
    until BIGINT,
    message BIGINT, -- the number of a message, or of a report
    user TEXT, -- NULL: the act concerns the room
    username TEXT,
    reason TEXT
);
CREATE INDEX audit_log_by_room ON audit_log (room, number);
CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_log_is_not_removed BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Warnings that their users have not received.
CREATE TABLE warnings (
    record INTEGER PRIMARY KEY NOT NULL, -- the number in the audit log
    user TEXT NOT NULL
);
CREATE INDEX warnings_by_user ON warnings (user);
