DROP TABLE mentions;
DROP TABLE reaction_counts;
DROP TABLE reactions;
-- This rewrites all messages, so it takes minutes for a file of several gigabytes.
ALTER TABLE messages DROP COLUMN mentions;
ALTER TABLE messages DROP COLUMN reply_username;
ALTER TABLE messages DROP COLUMN reply_user;
ALTER TABLE messages DROP COLUMN reply_to;
