DROP TABLE database_seal;
