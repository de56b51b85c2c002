//! Copies a database from SQLite to PostgreSQL, or back.
//!
//! Rows are copied in batches, in the order of their keys. Each batch is one transaction of the
//! target, so a copy that was interrupted continues after the greatest key there. Until the copy is
//! finished the target has a mark, and no server opens it. At the end all rows of both databases
//! are read, and their numbers and checksums are compared.
//!
//! The copy holds the locks of both databases. Nothing else uses them meanwhile.

mod error;
mod postgres;
mod side;
mod sqlite;
mod tables;
mod value;

use std::path::PathBuf;
use std::sync::mpsc;

pub use error::CopyError;

use self::side::{BATCH, Side, Source, Target, describe};
use self::tables::{LEFTOVERS, SEQUENCES, Table, tables};
use self::value::{Checksum, Row, Sum, Value};
use crate::postgres::Url;

/// Where a database is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Place {
    /// In a file.
    File(PathBuf),
    /// On a PostgreSQL server.
    Postgres(Box<Url>),
}

/// How far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// The table.
    pub table: &'static str,
    /// How many rows of all tables are done in this step.
    pub rows: u64,
    /// How many rows of all tables there are.
    pub total: u64,
}

/// A step of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Rows are copied.
    Copy,
    /// The rows of both databases are compared.
    Verify,
}

/// A finished copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// How many tables have rows.
    pub tables: usize,
    /// How many rows all tables have.
    pub rows: u64,
    /// How many of the rows are messages.
    pub messages: u64,
    /// How many rows an earlier, interrupted copy has copied.
    pub resumed: u64,
    /// Whether the next start continues the epoch. Otherwise the source was not in the state in
    /// which its last server left it, and a new epoch begins.
    pub keeps_epoch: bool,
}

/// In which direction a database is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToPostgres,
    ToSqlite,
}

/// Copies the database `from` to an empty database `to`, or continues a copy that was interrupted.
/// Applies pending migrations to both. `progress` is called after each batch.
///
/// The next start with the copy continues the epoch of the source, so that clients keep their
/// place. A later start with the source begins a new one. Not copied are: presence, the index for
/// searches, which the next start builds, and ids of messages that can't be recognised any more.
///
/// Blocks. Ends of the process and failures of a database leave an unfinished copy, which the next
/// call continues.
///
/// # Errors
/// [`CopyError`].
pub fn copy(from: &Place, to: &Place, progress: impl FnMut(Progress)) -> Result<Copied, CopyError> {
    match (from, to) {
        (Place::File(from), Place::Postgres(to)) => {
            let source = sqlite::File::source(from)?;
            run(Direction::ToPostgres, source, postgres::Server::target(to)?, progress)
        }
        (Place::Postgres(from), Place::File(to)) => {
            let source = postgres::Server::source(from)?;
            run(Direction::ToSqlite, source, sqlite::File::target(to)?, progress)
        }
        (Place::File(_), Place::File(_)) => {
            Err(CopyError::SameKind("both databases are files: use chatd backup"))
        }
        (Place::Postgres(_), Place::Postgres(_)) => {
            Err(CopyError::SameKind("both databases are on PostgreSQL servers: use pg_dump"))
        }
    }
}

fn run(
    direction: Direction,
    mut source: impl Source,
    mut target: impl Target,
    mut progress: impl FnMut(Progress),
) -> Result<Copied, CopyError> {
    let is_unchanged = begin(direction, &source.mark(), &mut target)?;
    source.collect_ids()?;
    let (mut total, mut resumed) = (0, 0);
    for table in tables(direction) {
        total += source.count(table.source)?;
        resumed += target.count(table.name)?;
    }
    let mut rows = resumed;
    for table in tables(direction) {
        copy_table(table, &mut source, &mut target, |count| {
            rows += count;
            progress(Progress { step: Step::Copy, table: table.name, rows, total });
        })?;
    }
    for (table, column) in SEQUENCES {
        let last = source.sequence(table, column)?;
        target.set_sequence(table, column, last)?;
    }
    let sums = verify(direction, &mut source, &mut target, |table, rows| {
        progress(Progress { step: Step::Verify, table, rows, total });
    })?;
    if is_unchanged {
        // first, so that the epoch never goes on in both databases
        source.retire()?;
    }
    target.finish(is_unchanged)?;
    let messages = sums.iter().find(|(table, _)| table.name == "messages");
    Ok(Copied {
        tables: sums.iter().filter(|(_, sum)| sum.rows > 0).count(),
        rows: sums.iter().map(|(_, sum)| sum.rows).sum(),
        messages: messages.map_or(0, |(_, sum)| sum.rows),
        resumed,
        keeps_epoch: is_unchanged,
    })
}

/// Marks an empty target, or finds the mark of this source in it. Returns whether the source was in
/// the state that clients know when the copy was begun.
fn begin(
    direction: Direction,
    mark: &crate::unfinished::Unfinished,
    target: &mut impl Target,
) -> Result<bool, CopyError> {
    if let Some(found) = target.unfinished()? {
        if found.state == mark.state {
            return Ok(found.is_unchanged);
        }
        return Err(CopyError::OtherSource { target: target.name(), source_name: found.source });
    }
    for table in tables(direction).map(|table| table.name).chain(LEFTOVERS) {
        if target.count(table)? > 0 {
            return Err(CopyError::NotEmpty { target: target.name(), table });
        }
    }
    target.begin(mark)?;
    Ok(mark.is_unchanged)
}

/// Copies the rows of a table that the target does not have. A thread reads the next rows while the
/// last ones are written.
fn copy_table(
    table: &'static Table,
    source: &mut impl Source,
    target: &mut impl Target,
    mut copied: impl FnMut(u64),
) -> Result<(), CopyError> {
    let mut after = target.last_key(table)?;
    std::thread::scope(|scope| {
        let (sender, pages) = mpsc::sync_channel(1);
        scope.spawn(move || {
            loop {
                let page = source.page(table.source, table, after.as_deref());
                let is_last = page.as_ref().map_or(true, |page| page.len() < BATCH);
                if let Ok(page) = &page {
                    after = page.last().map(|row| row.0[..table.key].to_vec());
                }
                // without a receiver, writing has failed
                if sender.send(page).is_err() || is_last {
                    break;
                }
            }
        });
        for page in pages {
            let page = page?;
            let count = page.len() as u64;
            if count > 0 {
                target.insert(table, page)?;
                copied(count);
            }
        }
        Ok(())
    })
}

/// Reads all rows of both databases, each in a thread, and compares their numbers and checksums.
fn verify(
    direction: Direction,
    source: &mut impl Source,
    target: &mut impl Target,
    mut progress: impl FnMut(&'static str, u64),
) -> Result<Vec<(&'static Table, Sum)>, CopyError> {
    let (in_source, in_target) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| sums(source, direction, |table| table.source, |_, _| {}));
        let in_target = sums(target, direction, |table| table.name, &mut progress);
        (reading.join(), in_target)
    });
    let in_source = match in_source {
        Ok(sums) => sums?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    let in_target = in_target?;
    for ((table, one), (_, other)) in in_source.iter().zip(&in_target) {
        if one != other {
            return Err(CopyError::Differs {
                table: table.name,
                source_rows: one.rows,
                target_rows: other.rows,
                row: first_difference(table, source, target)?,
            });
        }
    }
    Ok(in_target)
}

/// The number and the checksum of the rows of each table.
fn sums(
    side: &mut impl Side,
    direction: Direction,
    relation: impl Fn(&Table) -> &'static str,
    mut progress: impl FnMut(&'static str, u64),
) -> Result<Vec<(&'static Table, Sum)>, CopyError> {
    let mut rows = 0;
    tables(direction)
        .map(|table| {
            let (mut checksum, mut after) = (Checksum::default(), None);
            loop {
                let page = side.page(relation(table), table, after.as_deref())?;
                page.iter().for_each(|row| checksum.add(row));
                if !page.is_empty() {
                    rows += page.len() as u64;
                    progress(table.name, rows);
                }
                match page.last() {
                    Some(row) if page.len() == BATCH => after = Some(row.0[..table.key].to_vec()),
                    _ => return Ok((table, checksum.sum())),
                }
            }
        })
        .collect()
}

/// The key of the first row that is not the same in both databases.
fn first_difference(
    table: &Table,
    source: &mut impl Source,
    target: &mut impl Target,
) -> Result<String, CopyError> {
    let mut after: Option<Vec<Value>> = None;
    loop {
        let one = source.page(table.source, table, after.as_deref())?;
        let other = target.page(table.name, table, after.as_deref())?;
        let key = |row: &Row| row.0[..table.key].to_vec();
        let same = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
        match (one.get(same), other.get(same)) {
            (Some(one), Some(other)) => {
                // if the keys differ, the other database does not have the lesser one
                return Ok(describe(&key(one).min(key(other))));
            }
            (Some(row), None) | (None, Some(row)) => return Ok(describe(&key(row))),
            // it was changed again meanwhile
            (None, None) if one.is_empty() => return Ok("()".to_owned()),
            (None, None) => after = one.last().map(key),
        }
    }
}

#[cfg(test)]
mod tests;
