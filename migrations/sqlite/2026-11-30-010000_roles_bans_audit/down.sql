DROP TABLE warnings;
DROP TABLE audit_log;
DROP TABLE restrictions;
DROP TABLE room_roles;
