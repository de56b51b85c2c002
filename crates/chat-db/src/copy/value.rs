//! Rows, as they are in both databases.

use std::fmt;

use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::pg::Pg;
use diesel::row::{Field, NamedRow, Row as Columns};
use diesel::sql_types::{BigInt, Binary, Bool, Text};
use diesel::sqlite::{Sqlite, SqliteType};
use sha2::{Digest, Sha256};

/// A value. A boolean is 0 or 1, as in SQLite. Values of one column are in the order of both
/// databases.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The values of a row, in the order of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row(pub(super) Vec<Value>);

impl QueryableByName<Sqlite> for Row {
    fn build<'a>(row: &impl NamedRow<'a, Sqlite>) -> deserialize::Result<Self> {
        let value = |n| {
            let field = Columns::get(row, n).ok_or("a column is missing")?;
            let Some(value) = field.value() else { return Ok(Value::Null) };
            match value.value_type() {
                Some(SqliteType::Text) => <String as FromSql<Text, Sqlite>>::from_sql(value).map(Value::Text),
                Some(SqliteType::Binary) => {
                    <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value).map(Value::Bytes)
                }
                Some(SqliteType::Long) => {
                    <i64 as FromSql<BigInt, Sqlite>>::from_sql(value).map(Value::Integer)
                }
                other => Err(format!("a value has the type {other:?}").into()),
            }
        };
        (0..row.field_count()).map(value).collect::<deserialize::Result<_>>().map(Self)
    }
}

/// The types of PostgreSQL that the columns have, by their OIDs
/// (<https://www.postgresql.org/docs/15/catalog-pg-type.html>).
mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const BYTEA: u32 = 17;
    pub(super) const INT8: u32 = 20;
    pub(super) const TEXT: u32 = 25;
}

impl QueryableByName<Pg> for Row {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        let value = |n| {
            let field = Columns::get(row, n).ok_or("a column is missing")?;
            let Some(value) = field.value() else { return Ok(Value::Null) };
            match value.get_oid().get() {
                oid::TEXT => <String as FromSql<Text, Pg>>::from_sql(value).map(Value::Text),
                oid::BYTEA => <Vec<u8> as FromSql<Binary, Pg>>::from_sql(value).map(Value::Bytes),
                oid::INT8 => <i64 as FromSql<BigInt, Pg>>::from_sql(value).map(Value::Integer),
                oid::BOOL => <bool as FromSql<Bool, Pg>>::from_sql(value).map(|is| Value::Integer(is.into())),
                other => Err(format!("a value has the type with the OID {other}").into()),
            }
        };
        (0..row.field_count()).map(value).collect::<deserialize::Result<_>>().map(Self)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// Counts rows, and computes their checksum: the SHA-256 of all values in order. Before each value
/// are its type and, if it has one, its length, so that no two lists of rows give the same bytes.
#[derive(Debug, Default)]
pub(super) struct Checksum {
    rows: u64,
    hash: Sha256,
}

/// What a [`Checksum`] has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: u64,
    hash: [u8; 32],
}

impl Checksum {
    pub(super) fn add(&mut self, row: &Row) {
        self.rows += 1;
        for value in &row.0 {
            match value {
                Value::Null => self.hash.update([0]),
                Value::Integer(number) => {
                    self.hash.update([1]);
                    self.hash.update(number.to_le_bytes());
                }
                Value::Text(text) => self.sized(2, text.as_bytes()),
                Value::Bytes(bytes) => self.sized(3, bytes),
            }
        }
    }

    fn sized(&mut self, tag: u8, bytes: &[u8]) {
        self.hash.update([tag]);
        self.hash.update((bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }

    pub(super) fn sum(self) -> Sum {
        Sum { rows: self.rows, hash: self.hash.finalize().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[&[Value]]) -> Sum {
        let mut checksum = Checksum::default();
        rows.iter().for_each(|row| checksum.add(&Row(row.to_vec())));
        checksum.sum()
    }

    #[test]
    fn different_rows_have_different_checksums() {
        let text = |text: &str| Value::Text(text.into());
        let sums = [
            sum(&[]),
            sum(&[&[Value::Null]]),
            sum(&[&[Value::Null], &[Value::Null]]),
            sum(&[&[Value::Integer(0)]]),
            sum(&[&[text("")]]),
            sum(&[&[text("a"), text("bc")]]),
            sum(&[&[text("ab"), text("c")]]),
            sum(&[&[Value::Bytes(b"ab".to_vec()), text("c")]]),
            sum(&[&[text("ab\0"), text("c")]]),
        ];
        for (n, one) in sums.iter().enumerate() {
            assert!(sums[n + 1..].iter().all(|other| other != one), "{n}");
        }
        assert_eq!(sum(&[&[text("a"), Value::Null]]), sum(&[&[text("a"), Value::Null]]));
    }
}
