//! How far a commit has to reach.

/// What committed work survives: what SQLite calls `synchronous`
/// (<https://sqlite.org/pragma.html#pragma_synchronous>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncMode {
    /// It survives the end of the process, however it ends, but may be lost in a power cut
    /// (`synchronous=NORMAL` with WAL).
    Normal,
    /// It survives a power cut as well: each commit waits for the disk (`synchronous=FULL`).
    Full,
}

#[cfg(feature = "sqlite")]
impl SyncMode {
    /// The mode of a new connection that writes.
    pub(crate) const INITIAL: Self = Self::Normal;

    /// The statement that sets the mode.
    pub(crate) fn statement(self) -> &'static str {
        match self {
            Self::Normal => "PRAGMA synchronous = NORMAL",
            Self::Full => "PRAGMA synchronous = FULL",
        }
    }
}
