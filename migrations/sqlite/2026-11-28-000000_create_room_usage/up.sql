-- How much each room was used on each day. A day has few rows beside the messages of that day, and they are read by day: the table is
-- its own index.
CREATE TABLE room_usage (
    day BIGINT NOT NULL, -- days since 1970-01-01, UTC
    room TEXT NOT NULL,
    peak_members BIGINT NOT NULL,
    messages BIGINT NOT NULL,
    bytes BIGINT NOT NULL, -- of the messages' text
    PRIMARY KEY (day, room)
) WITHOUT ROWID;
