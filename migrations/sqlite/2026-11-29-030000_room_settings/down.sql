ALTER TABLE rooms DROP COLUMN policy_version;
ALTER TABLE rooms DROP COLUMN settings;
