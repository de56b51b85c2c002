DROP TABLE history_epoch;
DROP TABLE message_ids;
DROP TABLE messages;
DROP TABLE rooms;
