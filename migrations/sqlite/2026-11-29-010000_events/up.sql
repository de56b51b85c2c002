-- The numbers of a room belong to events. A message has the number of the event that has posted it;
-- what later events did to it is kept as its state.

-- The last event that changed the message: room * 2^40 + its number, as in "place". NULL if it was
-- never changed. A message that was erased before this migration has no event, and stays NULL.
ALTER TABLE messages ADD COLUMN changed BIGINT;
-- 'author', 'moderator' or 'operator' if the message is deleted, which is when its body is NULL.
-- NULL in a message that was erased before this migration: that was the operator.
ALTER TABLE messages ADD COLUMN deleted_by TEXT;
-- Few messages are changed, so a message that nobody changes costs nothing here
-- (https://sqlite.org/partialindex.html).
CREATE INDEX messages_by_change ON messages (changed) WHERE changed IS NOT NULL;

-- How many messages of the room are stored. Until now, each number was a message.
ALTER TABLE rooms ADD COLUMN message_count BIGINT NOT NULL DEFAULT 0;
UPDATE rooms SET message_count = next_seq - first_seq;
