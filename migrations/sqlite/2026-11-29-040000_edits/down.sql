-- This rewrites all messages, so it takes minutes for a file of several gigabytes.
ALTER TABLE messages DROP COLUMN edited_at;
