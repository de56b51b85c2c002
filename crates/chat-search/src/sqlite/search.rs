//! Searches of the index.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chat_history::MessageKey;
use chat_protocol::RoomName;
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use parking_lot::RwLock;

use super::Hours;
use super::schema::{MAX_VALUES, rooms};
use crate::key::{HOUR_KEYS, Key, unsigned};
use crate::tokens::{Expression, expression};
use crate::{Cursor, Found, Query};

/// How many messages a search covers at first.
const FIRST_STEP: i64 = 50_000;

/// A step that was faster than this is followed by one that covers twice as much; one that was
/// slower than four times this by one that covers half of it.
const STEP_DURATION: Duration = Duration::from_millis(5);

/// After how many messages that FTS5 has found the time is checked.
const CHECK_INTERVAL: usize = 64;

/// If the rooms have fewer than this part of all messages, FTS5 looks for messages of these rooms;
/// otherwise the others are left out of what it finds.
const FEW: i64 = 20;

/// A room that is searched.
struct Room {
    name: RoomName,
    /// Messages with a smaller number are not found.
    oldest: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    key: i64,
    #[diesel(sql_type = BigInt)]
    room: i64,
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Text)]
    terms: String,
}

/// Searches until the query's limit is reached, or the time is over.
pub(super) fn search(
    connection: &mut SqliteConnection,
    query: &Query,
    hours: &RwLock<Hours>,
    max_duration: Duration,
) -> QueryResult<Found> {
    let begun = Instant::now();
    let (searched, documents) = searched(connection, query)?;
    if documents == 0 {
        return Ok(Found::default());
    }
    let total: i64 = hours.read().values().sum();
    let ids: Vec<i64> = if searched.len() == 1 || documents < total / FEW {
        searched.keys().copied().collect()
    } else {
        Vec::new()
    };
    let Expression { all, is_exact } = expression(query, &ids);
    let text = fts_text(&all);
    let sql = if is_exact {
        "SELECT d.key, d.room, d.seq, '' AS terms FROM fts CROSS JOIN documents d ON d.key = fts.rowid
         WHERE fts MATCH ? AND fts.rowid >= ? AND fts.rowid < ? ORDER BY fts.rowid DESC"
    } else {
        "SELECT d.key, d.room, d.seq, t.terms FROM fts CROSS JOIN documents d ON d.key = fts.rowid
         CROSS JOIN texts t ON t.key = d.key
         WHERE fts MATCH ? AND fts.rowid >= ? AND fts.rowid < ? ORDER BY fts.rowid DESC"
    };
    let mut keys: Vec<MessageKey> = Vec::new();
    let mut end = query.before.map_or(Key::MAX, Cursor::position);
    let mut step = FIRST_STEP;
    let mut seen = 0;
    loop {
        // the lock is not held while the step is searched
        let start = step_start(&hours.read(), end, step);
        let Some(start) = start else { return Ok(Found::new(keys, None)) };
        let step_begun = Instant::now();
        let rows = diesel::sql_query(sql)
            .bind::<Text, _>(&text)
            .bind::<BigInt, _>(start)
            .bind::<BigInt, _>(end)
            .load_iter::<Row, DefaultLoadingMode>(connection)?;
        for row in rows {
            let Row { key, room, seq, terms } = row?;
            let room = searched.get(&room).filter(|room| seq >= room.oldest);
            if let Some(room) = room.filter(|_| is_exact || query.matches_terms(&terms)) {
                if keys.len() == query.limit {
                    return Ok(Found::new(keys, Cursor::new(end).ok()));
                }
                keys.push(MessageKey::new(room.name.clone(), unsigned(seq)));
            }
            end = key;
            seen += 1;
            if seen % CHECK_INTERVAL == 0 && begun.elapsed() >= max_duration {
                return Ok(Found::new(keys, Cursor::new(end).ok()));
            }
        }
        end = start;
        if begun.elapsed() >= max_duration {
            return Ok(Found::new(keys, Cursor::new(end).ok()));
        }
        step = match step_begun.elapsed() {
            elapsed if elapsed < STEP_DURATION => step.saturating_mul(2),
            elapsed if elapsed > STEP_DURATION * 4 => (step / 2).max(1),
            _ => step,
        };
    }
}

/// An expression of FTS5 that finds the messages which have one token of each of these lists. The
/// tokens are strings, in which nothing has a special meaning.
fn fts_text(all: &[Vec<String>]) -> String {
    let quoted = |token: &String| format!("\"{}\"", token.replace('"', "\"\""));
    let any = |any: &Vec<String>| format!("({})", any.iter().map(quoted).collect::<Vec<_>>().join(" OR "));
    all.iter().map(any).collect::<Vec<_>>().join(" AND ")
}

/// The rooms of the query by their ids, and how many messages they have.
fn searched(connection: &mut SqliteConnection, query: &Query) -> QueryResult<(HashMap<i64, Room>, i64)> {
    let mut names: HashMap<&str, &RoomName> = query.rooms.iter().map(|name| (name.as_str(), name)).collect();
    let wanted: Vec<_> = names.keys().copied().collect();
    let (mut searched, mut documents) = (HashMap::new(), 0);
    for wanted in wanted.chunks(MAX_VALUES) {
        let found: Vec<(i64, Option<String>, i64, i64)> = rooms::table
            .filter(rooms::name.eq_any(wanted))
            .select((rooms::id, rooms::name, rooms::oldest, rooms::documents))
            .load(connection)?;
        for (id, name, oldest, count) in found {
            let Some(name) = name.and_then(|name| names.remove(name.as_str())) else { continue };
            documents += count;
            searched.insert(id, Room { name: name.clone(), oldest });
        }
    }
    Ok((searched, documents))
}

/// The key with which a step begins that ends before `end` and covers about this number of
/// messages; `None` if there are no messages before `end`.
fn step_start(hours: &Hours, end: Key, messages: i64) -> Option<Key> {
    let (mut start, mut covered) = (None, 0);
    // the last hour is covered in part; keys begin at 0
    for (hour, count) in hours.range(..=(end - 1).div_euclid(HOUR_KEYS)).rev() {
        if covered > 0 && covered + count > messages {
            break;
        }
        let first = hour * HOUR_KEYS;
        covered += count;
        // an hour with more messages than a step is covered in parts
        let parts = (count / messages.max(1)).clamp(1, HOUR_KEYS / 64);
        let part = HOUR_KEYS / parts;
        start = Some(if parts > 1 { first.max(end.min(first + HOUR_KEYS) - part) } else { first });
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_quoted() {
        let all = [vec!["hel".to_owned(), "h\"".to_owned()], vec!["\u{e000}7".to_owned()]];
        assert_eq!(fts_text(&all), "(\"hel\" OR \"h\"\"\") AND (\"\u{e000}7\")");
    }

    #[test]
    fn a_step_covers_whole_hours_or_parts_of_one() {
        let hours: Hours = [(1, 10), (3, 10), (4, 100), (9, 1)].into();
        let at = |hour: i64| hour * HOUR_KEYS;
        assert_eq!(step_start(&hours, Key::MAX, 5), Some(at(9)));
        assert_eq!(step_start(&hours, at(9), 200), Some(at(1)));
        assert_eq!(step_start(&hours, at(9), 110), Some(at(3)));
        assert_eq!(step_start(&hours, at(9), 50), Some(at(5) - HOUR_KEYS / 2));
        assert_eq!(step_start(&hours, at(5) - HOUR_KEYS / 2, 50), Some(at(4)));
        assert_eq!(step_start(&hours, at(4) + 1, 10), Some(at(4)));
        assert_eq!(step_start(&hours, at(4), 10), Some(at(3)));
        assert_eq!(step_start(&hours, at(1), 10), None);
        assert_eq!(step_start(&Hours::new(), Key::MAX, 10), None);
    }

    #[test]
    fn steps_end() {
        let hours: Hours = (0..50).map(|hour| (hour, hour * 1_000)).collect();
        let (mut end, mut steps) = (Key::MAX, 0);
        while let Some(start) = step_start(&hours, end, 100) {
            assert!(start < end);
            (end, steps) = (start, steps + 1);
        }
        assert!((50..=50_000).contains(&steps), "{steps}");
    }
}
