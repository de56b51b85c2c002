//! What both databases do for a copy.

use super::CopyError;
use super::tables::{Column, Table};
use super::value::{Row, Value};
use crate::unfinished::Unfinished;

/// How many rows are read, and written in one transaction, at once.
pub(super) const BATCH: usize = 1_000;

/// One of the two databases, which nothing else uses.
pub(super) trait Side: Send {
    /// The name for people, without a password.
    fn name(&self) -> String;

    /// Up to [`BATCH`] rows of the relation, which has the columns of the table, in the order of
    /// their keys: those after `after`.
    fn page(&mut self, relation: &str, table: &Table, after: Option<&[Value]>)
    -> Result<Vec<Row>, CopyError>;

    /// The greatest key.
    fn last_key(&mut self, table: &Table) -> Result<Option<Vec<Value>>, CopyError>;

    /// How many rows the relation has.
    fn count(&mut self, relation: &str) -> Result<u64, CopyError>;

    /// The last id of a sequence; 0 if there is none.
    fn sequence(&mut self, table: &str, column: &str) -> Result<i64, CopyError>;
}

/// The database that is read.
pub(super) trait Source: Side {
    /// Makes the temporary table [`COPIED_IDS`](super::tables::COPIED_IDS).
    fn collect_ids(&mut self) -> Result<(), CopyError>;

    /// What the unfinished copy is marked with.
    fn mark(&self) -> Unfinished;

    /// Makes the next server that uses the source begin a new epoch: clients may get other messages
    /// from the copy under the numbers that the source gives next.
    fn retire(&mut self) -> Result<(), CopyError>;
}

/// The database that is written.
pub(super) trait Target: Side {
    /// The mark of an unfinished copy.
    fn unfinished(&mut self) -> Result<Option<Unfinished>, CopyError>;

    /// Marks the empty target as unfinished.
    fn begin(&mut self, mark: &Unfinished) -> Result<(), CopyError>;

    /// Inserts rows in one transaction.
    fn insert(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), CopyError>;

    /// Continues a sequence after this id.
    fn set_sequence(&mut self, table: &str, column: &str, last: i64) -> Result<(), CopyError>;

    /// Removes the mark, when everything else is on the disk. With `is_unchanged` the next server
    /// continues the epoch.
    fn finish(&mut self, is_unchanged: bool) -> Result<(), CopyError>;
}

/// A list of columns, for SQL.
pub(super) fn names(columns: &[Column]) -> String {
    let names: Vec<_> = columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    names.join(", ")
}

/// The query of a [page](Side::page).
pub(super) fn page_query(relation: &str, table: &Table, has_start: bool) -> String {
    let (columns, keys) = (names(table.columns), names(table.keys()));
    let condition = if has_start {
        let values: Vec<_> = (1..=table.key).map(|n| format!("${n}")).collect();
        format!("WHERE ({keys}) > ({})", values.join(", "))
    } else {
        String::new()
    };
    format!("SELECT {columns} FROM {relation} {condition} ORDER BY {keys} LIMIT {BATCH}")
}

/// The query of the [last key](Side::last_key).
pub(super) fn last_key_query(table: &Table) -> String {
    let descending: Vec<_> = table.keys().iter().map(|key| format!("\"{}\" DESC", key.name)).collect();
    format!("SELECT {} FROM {} ORDER BY {} LIMIT 1", names(table.keys()), table.name, descending.join(", "))
}

/// A key, for people.
pub(super) fn describe(key: &[Value]) -> String {
    let values: Vec<_> = key.iter().map(ToString::to_string).collect();
    format!("({})", values.join(", "))
}
