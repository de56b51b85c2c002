-- The previous version expects a message for each number of a room, so the numbers of other events
-- become erased messages with the time of the message before them.
WITH RECURSIVE
    -- the numbers in use, and those before and after the kept numbers of each room
    numbers (place, sent_at) AS (
        SELECT place, sent_at FROM messages
        UNION ALL
        SELECT (id << 40) + first_seq - 1, 0 FROM rooms WHERE first_seq < next_seq
        UNION ALL
        SELECT (id << 40) + next_seq, 0 FROM rooms WHERE first_seq < next_seq
    ),
    neighbours (place, next_place, sent_at) AS (
        SELECT place, lead(place) OVER (ORDER BY place), sent_at FROM numbers
    ),
    gaps (place, next_place, sent_at) AS (
        SELECT place + 1, next_place, sent_at
        FROM neighbours
        WHERE place + 1 < next_place AND place >> 40 = next_place >> 40
        UNION ALL
        SELECT place + 1, next_place, sent_at FROM gaps WHERE place + 1 < next_place
    )
INSERT INTO messages (place, username, id, body, sent_at, user)
SELECT place, '', '', NULL, sent_at, '' FROM gaps;

ALTER TABLE rooms DROP COLUMN message_count;
DROP INDEX messages_by_change;
-- This rewrites all messages, so it takes minutes for a file of several gigabytes.
ALTER TABLE messages DROP COLUMN deleted_by;
ALTER TABLE messages DROP COLUMN changed;
