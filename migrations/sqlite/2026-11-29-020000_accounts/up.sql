-- Users who have registered: their names, tokens and lists of rooms. All times are milliseconds
-- since 1970-01-01 UTC.

CREATE TABLE accounts (
    id TEXT PRIMARY KEY NOT NULL, -- 'u_' and 22 characters; never used again, because it is random
    username TEXT NOT NULL UNIQUE,
    is_service BOOLEAN NOT NULL, -- the account of a program
    role TEXT NOT NULL, -- 'user', 'moderator' or 'admin'
    password_hash TEXT, -- a PHC string; NULL: no password is right
    issuer TEXT, -- with subject: who the user is for an issuer of JWTs; both or none are NULL
    subject TEXT,
    display_name TEXT,
    about TEXT,
    time_zone TEXT,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT -- NULL: the account is not disabled
);
-- An account of a JWT is found by issuer and subject, never by its name. Most accounts have none.
CREATE UNIQUE INDEX accounts_by_subject ON accounts (issuer, subject) WHERE subject IS NOT NULL;

-- Which names look alike: those that have a skeleton in common. A name has one to three. The rows
-- of an account's name have no time; those of a deleted account keep the name until this time, and
-- have no effect after it. The skeleton is not unique: a newer version of Unicode may find that the
-- names of two accounts look alike, and both accounts stay. The program decides whether a name is
-- free, in the transaction that takes it.
CREATE TABLE account_names (
    skeleton TEXT NOT NULL,
    username TEXT NOT NULL,
    reserved_until BIGINT,
    PRIMARY KEY (skeleton, username)
) WITHOUT ROWID;
CREATE INDEX account_names_by_username ON account_names (username);
-- Finds what has expired.
CREATE INDEX account_names_by_end ON account_names (reserved_until) WHERE reserved_until IS NOT NULL;

-- The ids that users had as guests before they registered. A stored message has the id that its
-- author had at that time.
CREATE TABLE account_guests (
    guest TEXT PRIMARY KEY NOT NULL,
    account TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX account_guests_by_account ON account_guests (account);

-- Sessions and API tokens. Only a hash of the secret is stored, so that a stolen database gives no
-- access. The id is not a secret.
CREATE TABLE account_tokens (
    id TEXT PRIMARY KEY NOT NULL,
    hash BLOB NOT NULL UNIQUE, -- SHA-256
    account TEXT NOT NULL,
    kind TEXT NOT NULL, -- 'session' or 'api'
    label TEXT, -- what the user calls the device or the program
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL, -- up to an hour late
    expires_at BIGINT -- NULL: the token does not expire
) WITHOUT ROWID;
CREATE INDEX account_tokens_by_account ON account_tokens (account, kind);
CREATE INDEX account_tokens_by_end ON account_tokens (expires_at) WHERE expires_at IS NOT NULL;

-- Invites to register. A row is removed with its last use.
CREATE TABLE registration_invites (
    id TEXT PRIMARY KEY NOT NULL,
    hash BLOB NOT NULL UNIQUE, -- SHA-256 of the code
    uses_left BIGINT NOT NULL,
    created_by TEXT, -- an account; NULL: made on the command line
    created_at BIGINT NOT NULL,
    expires_at BIGINT -- NULL: the invite does not expire
) WITHOUT ROWID;

-- The rooms that users keep in their lists. A user's rows are read together: the table is its own
-- index.
CREATE TABLE account_rooms (
    account TEXT NOT NULL,
    room TEXT NOT NULL,
    favourite BOOLEAN NOT NULL,
    notify TEXT NOT NULL, -- 'all', 'mentions' or 'none'
    epoch TEXT NOT NULL, -- the epoch of read_up_to; in another one the number means nothing
    read_up_to BIGINT NOT NULL,
    PRIMARY KEY (account, room)
) WITHOUT ROWID;

-- The version of the data from which the skeletons in account_names were computed, one row. A
-- program with another version computes them again when it starts.
CREATE TABLE account_meta (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    names_version TEXT NOT NULL
);
