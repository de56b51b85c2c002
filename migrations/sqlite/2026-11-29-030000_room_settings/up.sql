-- The settings of a room, as JSON. NULL: nobody has configured the room, so it has the default ones.
ALTER TABLE rooms ADD COLUMN settings TEXT;
-- Raised by each change of what the room allows. A message is stored only if it was checked against
-- this version.
ALTER TABLE rooms ADD COLUMN policy_version BIGINT NOT NULL DEFAULT 0;
