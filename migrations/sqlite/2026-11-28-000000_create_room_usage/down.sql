DROP TABLE room_usage;
