-- The message that a message replies to: its number in the room, and its author at that time. NULL
-- in a message that is no reply.
ALTER TABLE messages ADD COLUMN reply_to BIGINT;
ALTER TABLE messages ADD COLUMN reply_user TEXT;
ALTER TABLE messages ADD COLUMN reply_username TEXT;
-- Whom the message names: ids of users, and 'room' for everyone, separated by spaces. NULL: nobody.
ALTER TABLE messages ADD COLUMN mentions TEXT;

-- Who has put which emoji on which message. "place" is that of the message.
CREATE TABLE reactions (
    place BIGINT NOT NULL,
    user TEXT NOT NULL,
    emoji TEXT NOT NULL,
    username TEXT NOT NULL, -- the user's name at that time
    PRIMARY KEY (place, user, emoji)
) WITHOUT ROWID;

-- What a list of messages shows of the reactions, so that nobody has to count them.
CREATE TABLE reaction_counts (
    place BIGINT NOT NULL,
    emoji TEXT NOT NULL,
    first_seq BIGINT NOT NULL, -- the event that has put the emoji on the message first: the order
    count BIGINT NOT NULL,
    names TEXT NOT NULL, -- the names of some of the users, separated by spaces
    PRIMARY KEY (place, emoji)
) WITHOUT ROWID;

-- Whom a message addresses: an id, or 'room' for everyone. There are users here whom the message
-- does not name.
CREATE TABLE mentions (
    place BIGINT NOT NULL,
    user TEXT NOT NULL,
    PRIMARY KEY (place, user)
) WITHOUT ROWID;
CREATE INDEX mentions_by_user ON mentions (user, place);
