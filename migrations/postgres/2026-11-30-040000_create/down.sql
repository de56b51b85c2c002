-- Removes everything.
DROP TABLE announcement, reports, direct_rooms, invite_links, invitations, warnings,
    audit_log, restrictions, room_roles, blocked_users, account_meta, account_rooms, registration_invites,
    account_tokens, account_guests, account_names, accounts, room_usage, mentions, reaction_counts,
    reactions, message_ids, messages, rooms, history_epoch, room_names, presence, database_state;
DROP FUNCTION chatd_append, chatd_begin_write, chatd_fence, chatd_octet_length, chatd_keep_audit_log;
