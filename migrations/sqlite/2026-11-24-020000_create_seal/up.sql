-- Whether this file is the one that was open here last, as it was left: the text here and the one in the file beside the
-- database are the same then, and new after each start and each orderly end. A backup that was put back has an older one.
CREATE TABLE database_seal (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    seal TEXT NOT NULL
);
