DROP INDEX rooms_public;
ALTER TABLE rooms DROP COLUMN is_public;
DROP TABLE reports;
DROP TABLE blocked_users;
DROP TABLE direct_rooms;
DROP TABLE invite_links;
DROP TABLE invitations;
