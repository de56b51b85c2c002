DROP TABLE search_documents, search_rooms, search_meta;
