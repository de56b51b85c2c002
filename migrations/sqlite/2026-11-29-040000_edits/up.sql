-- When the author last edited the message, in milliseconds since 1970. NULL: never.
ALTER TABLE messages ADD COLUMN edited_at BIGINT;
