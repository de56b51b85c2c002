-- All accounts are lost. Messages keep the ids and names of their authors.
DROP TABLE account_meta;
DROP TABLE account_rooms;
DROP TABLE registration_invites;
DROP TABLE account_tokens;
DROP TABLE account_guests;
DROP TABLE account_names;
DROP TABLE accounts;
