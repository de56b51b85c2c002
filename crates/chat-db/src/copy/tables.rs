//! The tables that are copied.

use super::Direction;

/// A table. It has the same name and columns in both databases.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// What the rows are read from in the source: the table, or a temporary one.
    pub(super) source: &'static str,
    /// The first ones are the key.
    pub(super) columns: &'static [Column],
    /// How many columns the key has.
    pub(super) key: usize,
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// What a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    /// SQLite has 0 and 1.
    Boolean,
    Bytes,
    /// Text without NUL.
    Text,
    /// Text that may contain NUL, which PostgreSQL stores in another form: see
    /// [`text`](crate::postgres::text).
    FreeText,
}

/// The temporary table of the source with the rows of `message_ids` that are copied.
pub(super) const COPIED_IDS: &str = "copied_message_ids";

/// The tables with a sequence. It continues in the target, because an id is never used twice. Rows
/// of `presence` are left over from a run, and are not copied.
pub(super) const SEQUENCES: [(&str, &str); 3] = [("presence", "id"), ("rooms", "id"), ("reports", "number")];

/// Tables with nothing to copy, which have to be empty in a new target: they are left over from a
/// run.
pub(super) const LEFTOVERS: [&str; 2] = ["presence", "room_names"];

impl Table {
    const fn new(name: &'static str, key: usize, columns: &'static [Column]) -> Self {
        Self { name, source: name, columns, key }
    }

    /// The columns of the key.
    pub(super) fn keys(&self) -> &'static [Column] {
        &self.columns[..self.key]
    }
}

/// The tables in the order in which they are copied.
pub(super) fn tables(direction: Direction) -> impl Iterator<Item = &'static Table> {
    let ids = match direction {
        Direction::ToPostgres => &IDS_BY_KEY,
        Direction::ToSqlite => &IDS_BY_NUMBER,
    };
    TABLES.iter().chain([ids])
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Integer }
}

const fn boolean(name: &'static str) -> Column {
    Column { name, kind: Kind::Boolean }
}

const fn bytes(name: &'static str) -> Column {
    Column { name, kind: Kind::Bytes }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

const fn free(name: &'static str) -> Column {
    Column { name, kind: Kind::FreeText }
}

/// SQLite finds ids by a number that it gives them. PostgreSQL has no such column.
const IDS_BY_KEY: Table = Table {
    name: "message_ids",
    source: COPIED_IDS,
    columns: &[
        int("room_id"),
        text("user"),
        text("message_id"),
        text("username"),
        int("digest"),
        int("seq"),
        int("sent_at"),
    ],
    key: 3,
};

const IDS_BY_NUMBER: Table = Table {
    name: "message_ids",
    source: COPIED_IDS,
    columns: &[
        int("n"),
        int("room_id"),
        text("user"),
        text("message_id"),
        text("username"),
        int("digest"),
        int("seq"),
        int("sent_at"),
    ],
    key: 1,
};

const TABLES: [Table; 24] = [
    Table::new("history_epoch", 1, &[int("id"), text("epoch"), int("checks")]),
    Table::new(
        "rooms",
        1,
        &[
            int("id"),
            text("name"),
            int("next_seq"),
            int("first_seq"),
            int("message_count"),
            text("settings"),
            int("policy_version"),
            boolean("is_public"),
        ],
    ),
    Table::new(
        "messages",
        1,
        &[
            int("place"),
            text("username"),
            text("id"),
            free("body"),
            int("sent_at"),
            text("user"),
            int("changed"),
            text("deleted_by"),
            int("edited_at"),
            int("reply_to"),
            text("reply_user"),
            text("reply_username"),
            text("mentions"),
        ],
    ),
    Table::new("reactions", 3, &[int("place"), text("user"), text("emoji"), text("username")]),
    Table::new(
        "reaction_counts",
        2,
        &[int("place"), text("emoji"), int("first_seq"), int("count"), text("names")],
    ),
    Table::new("mentions", 2, &[int("place"), text("user")]),
    Table::new(
        "room_usage",
        2,
        &[int("day"), text("room"), int("peak_members"), int("messages"), int("bytes")],
    ),
    Table::new(
        "accounts",
        1,
        &[
            text("id"),
            text("username"),
            boolean("is_service"),
            text("role"),
            text("password_hash"),
            free("issuer"),
            free("subject"),
            text("display_name"),
            text("about"),
            text("time_zone"),
            int("created_at"),
            int("disabled_at"),
        ],
    ),
    Table::new("account_names", 2, &[text("skeleton"), text("username"), int("reserved_until")]),
    Table::new("account_guests", 1, &[text("guest"), text("account")]),
    Table::new(
        "account_tokens",
        1,
        &[
            text("id"),
            bytes("hash"),
            text("account"),
            text("kind"),
            text("label"),
            int("created_at"),
            int("last_used_at"),
            int("expires_at"),
        ],
    ),
    Table::new(
        "registration_invites",
        1,
        &[
            text("id"),
            bytes("hash"),
            int("uses_left"),
            text("created_by"),
            int("created_at"),
            int("expires_at"),
        ],
    ),
    Table::new(
        "account_rooms",
        2,
        &[
            text("account"),
            text("room"),
            boolean("favourite"),
            text("notify"),
            free("epoch"),
            int("read_up_to"),
        ],
    ),
    Table::new("account_meta", 1, &[int("id"), text("names_version")]),
    Table::new("blocked_users", 2, &[text("account"), text("user"), text("username")]),
    Table::new("room_roles", 2, &[text("room"), text("user"), text("username"), text("role")]),
    Table::new(
        "restrictions",
        3,
        &[
            text("room"),
            text("user"),
            text("kind"),
            text("username"),
            int("until"),
            int("record"),
            text("network"),
            int("network_until"),
        ],
    ),
    Table::new(
        "audit_log",
        1,
        &[
            int("number"),
            int("at"),
            text("room"),
            text("by_user"),
            text("by_username"),
            text("act"),
            text("role"),
            int("until"),
            int("message"),
            text("user"),
            text("username"),
            text("reason"),
        ],
    ),
    Table::new("warnings", 1, &[int("record"), text("user")]),
    Table::new(
        "invitations",
        2,
        &[
            text("room"),
            text("user"),
            text("username"),
            text("by_user"),
            text("by_username"),
            int("expires_at"),
        ],
    ),
    Table::new("invite_links", 1, &[bytes("hash"), text("room"), int("uses"), int("expires_at")]),
    Table::new("direct_rooms", 2, &[text("first"), text("second"), text("room")]),
    Table::new(
        "reports",
        1,
        &[
            int("number"),
            int("at"),
            text("room"),
            text("by_user"),
            text("by_username"),
            int("target"),
            text("user"),
            text("username"),
            free("body"),
            text("reason"),
        ],
    ),
    Table::new("announcement", 1, &[int("single"), text("id"), text("level"), free("body"), int("made_at")]),
];
