//! The errors of work on a database: a kind for programs, a text for people.

/// The text of `SQLITE_CORRUPT`.
pub(crate) const MALFORMED: &str = "database disk image is malformed";

/// What to do about a damaged database.
pub(crate) const REMEDY: &str = "restore a backup, or recover what is still readable with sqlite3's .recover";

/// What kind of failure a [`DbError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DbErrorKind {
    /// The statement failed by itself.
    Query,
    /// Another connection holds a lock on the database, or it has too many connections.
    Busy,
    /// The disk or the database is full.
    Full,
    /// The content of the database is not what was written.
    Damaged,
    /// The database did not answer in time.
    TimedOut,
    /// The database was closed.
    Closed,
    /// Any other failure of the database.
    Unavailable,
}

/// Why work on the database has no result. Unless a variant says otherwise, the work had no effect.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// The statement failed for a reason of its own, such as a constraint or a missing row. Other
    /// work was not affected.
    #[error("{0}")]
    Query(String),
    /// The database failed: it is full, locked or read-only. The whole transaction was rolled back.
    /// If the commit failed, the work may have reached the disk nevertheless.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The content of the file is not what SQLite wrote. The whole transaction was rolled back.
    #[error("the database is damaged: {0}; {REMEDY}")]
    Damaged(String),
    /// The database was closed.
    #[error("the database is closed")]
    Closed,
}

impl DbError {
    /// The error of a failure that concerns the whole transaction, from the text of SQLite or
    /// diesel.
    pub(crate) fn failure(error: &dyn std::fmt::Display) -> Self {
        let reason = error.to_string();
        if is_damage(&reason) { Self::Damaged(reason) } else { Self::Unavailable(reason) }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> DbErrorKind {
        match self {
            Self::Query(_) => DbErrorKind::Query,
            Self::Damaged(_) => DbErrorKind::Damaged,
            Self::Closed => DbErrorKind::Closed,
            Self::Unavailable(reason) => kind_of(reason),
        }
    }
}

/// Whether SQLite reports that the content of the file is not what SQLite wrote. diesel passes on
/// the texts of `SQLITE_CORRUPT` and `SQLITE_NOTADB` (<https://sqlite.org/rescode.html>), but not
/// the codes.
pub(crate) fn is_damage(reason: &str) -> bool {
    contains_any(
        reason,
        &[MALFORMED, "file is not a database", "invalid page in block", "invalid primary checkpoint"],
    )
}

/// The kind of a failure that is not damage. diesel passes on the texts of the database, but not
/// its codes.
fn kind_of(reason: &str) -> DbErrorKind {
    // of SQLite, then of PostgreSQL
    const BUSY: [&str; 6] = [
        "is locked",
        "deadlock detected",
        "lock timeout",
        "too many clients",
        "remaining connection slots",
        "too many connections",
    ];
    const FULL: [&str; 2] = ["disk is full", "No space left on device"];
    const TIMED_OUT: [&str; 2] = ["statement timeout", "did not answer in time"];
    let is = |texts: &[&str]| contains_any(reason, texts);
    match () {
        () if is(&BUSY) => DbErrorKind::Busy,
        () if is(&FULL) => DbErrorKind::Full,
        () if is(&TIMED_OUT) => DbErrorKind::TimedOut,
        () => DbErrorKind::Unavailable,
    }
}

fn contains_any(reason: &str, texts: &[&str]) -> bool {
    texts.iter().any(|text| reason.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_failure_is_known_from_its_text() {
        for (text, kind) in [
            ("database is locked", DbErrorKind::Busy),
            ("database table is locked", DbErrorKind::Busy),
            ("database or disk is full", DbErrorKind::Full),
            ("database disk image is malformed", DbErrorKind::Damaged),
            ("attempt to write a readonly database", DbErrorKind::Unavailable),
            ("canceling statement due to statement timeout", DbErrorKind::TimedOut),
            ("sorry, too many clients already", DbErrorKind::Busy),
            ("could not extend file \"base/5/1\": No space left on device", DbErrorKind::Full),
            ("invalid page in block 3 of relation base/5/1", DbErrorKind::Damaged),
        ] {
            assert_eq!(DbError::failure(&text).kind(), kind, "{text}");
        }
    }
}
