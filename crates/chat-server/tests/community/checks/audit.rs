//! The audit log has every act once, in the order of each doer and of each target.

use std::collections::{BTreeMap, BTreeSet};

use chat_access::{AccessStore, AuditQuery, AuditRecord};
use serde_json::json;

use crate::link::Link;
use crate::log::{Entry, text};
use crate::server::Stored;
use crate::world::World;

/// A record of the audit log: where, by whom, which act, to whom, and the number that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    room: String,
    by: String,
    act: String,
    user: String,
    number: Option<u64>,
    detail: String,
}

/// A record as the owner reads it: its number, the name of the doer, the act, the id of the target,
/// and the number that it names.
type Read = (u64, String, String, String, Option<u64>);

/// All pages, as the owner reads them, the oldest record first.
pub(super) async fn read(link: &mut Link, room: &str) -> Vec<Read> {
    let mut records = Vec::new();
    let mut command = json!({"type": "audit", "room": room, "limit": 37});
    loop {
        let (page, _) = link.ask(command.clone()).await;
        for record in page["records"].as_array().unwrap() {
            let field = |name| text(record, name).to_owned();
            let number = record["number"].as_u64().unwrap();
            records.push((number, field("by"), field("act"), field("user"), record["target"].as_u64()));
            command["before"] = number.into();
        }
        if page["more"] == false {
            records.reverse();
            return records;
        }
    }
}

/// Every report that was made is open or was closed, and none is both.
pub(super) async fn reports(link: &mut Link, room: &str, log: &[Entry]) {
    let mut open = BTreeSet::new();
    let mut reported = BTreeSet::new();
    let mut command = json!({"type": "reports", "room": room, "limit": 10});
    loop {
        let (page, _) = link.ask(command.clone()).await;
        for report in page["reports"].as_array().unwrap() {
            let number = report["number"].as_u64().unwrap();
            assert!(open.insert(number), "{report} twice");
            reported.insert((text(report, "by").to_owned(), report["target"].as_u64().unwrap()));
            command["before"] = number.into();
        }
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(open.len(), reported.len(), "a message is reported by a user once");
    let done = log.iter().filter(|entry| entry.room() == room && entry.is_done());
    let (mut made, mut closed) = (0, BTreeSet::new());
    let mut distinct = BTreeSet::new();
    for entry in done {
        match entry.kind() {
            "report" => {
                made += 1;
                distinct.insert((entry.user.clone(), entry.target()));
            }
            "close_report" => {
                let number = entry.command["number"].as_u64().unwrap();
                assert!(closed.insert(number), "the report {number} was closed twice");
            }
            _ => {}
        }
    }
    assert!(open.is_disjoint(&closed), "{open:?} and {closed:?}");
    let count = open.len() + closed.len();
    assert!((distinct.len()..=made).contains(&count), "{} to {made} reports, not {count}", distinct.len());
}

/// All records in the database, the oldest first.
pub(super) async fn stored(stored: &Stored) -> Vec<AuditRecord> {
    let mut records: Vec<AuditRecord> = Vec::new();
    loop {
        let before = records.last().map(|record| record.number);
        let page = stored.access.audit(AuditQuery::newest(100).before(before)).await.unwrap();
        if page.is_empty() {
            records.reverse();
            let numbers: Vec<_> = records.iter().map(|record| record.number).collect();
            assert_eq!(numbers, (1..=records.len() as u64).collect::<Vec<_>>());
            return records;
        }
        records.extend(page);
    }
}

fn act(record: &AuditRecord) -> Act {
    let parts = record.kind.parts();
    Act {
        room: record.scope.room().map(ToString::to_string).unwrap_or_default(),
        by: record.by.as_ref().map(|by| by.id.to_string()).unwrap_or_default(),
        act: record.kind.as_str().to_owned(),
        user: record.target.as_ref().map(|target| target.id.to_string()).unwrap_or_default(),
        number: parts.number,
        detail: match record.kind.as_str() {
            "set_role" => parts.role.map(|role| role.as_str().to_owned()).unwrap_or_default(),
            _ => String::new(),
        },
    }
}

/// What the entry has to leave in the audit log, and whether it must.
fn expected(log: &[Entry], entry: &Entry) -> Option<(Act, bool)> {
    let new = |act: &str, user: &str, number, detail: &str| Act {
        room: entry.room().to_owned(),
        by: entry.user.clone(),
        act: act.to_owned(),
        user: user.to_owned(),
        number,
        detail: detail.to_owned(),
    };
    if let Some(fact) = &entry.fact {
        let detail = if fact.act == "set_role" { text(&entry.command, "role") } else { "" };
        return fact.changed.then(|| (new(fact.act, &fact.target, None, detail), true));
    }
    match entry.kind() {
        // these are recorded before they are done, so the record may be that of an attempt
        "configure_room" => Some((new("configure", "", None, ""), entry.seq().is_some())),
        "delete" => {
            let author = author(log, entry.room(), entry.target())?;
            let is_other = author != entry.user;
            is_other.then(|| (new("delete", &author, Some(entry.target()), ""), entry.seq().is_some()))
        }
        "close_report" => {
            let number = entry.command["number"].as_u64();
            let body = entry.is_done().then(|| new("close_report", "", number, ""))?;
            Some((body, true))
        }
        _ => None,
    }
}

fn author(log: &[Entry], room: &str, seq: u64) -> Option<String> {
    let sent = |entry: &&Entry| entry.kind() == "send" && entry.room() == room && entry.seq() == Some(seq);
    log.iter().find(sent).map(|entry| entry.user.clone())
}

pub(super) fn all(world: &World, log: &[Entry], records: &[AuditRecord], audits: &[Vec<Read>]) {
    let acts: Vec<_> = records.iter().map(|record| (record.number, act(record))).collect();
    for (room, read) in world.rooms.iter().zip(audits) {
        let of_room = acts.iter().filter(|(_, act)| act.room == *room);
        let expected: Vec<_> = of_room
            .map(|(number, act)| {
                let by = world.users[world.index(&act.by)].name.to_owned();
                (*number, by, act.act.clone(), act.user.clone(), act.number)
            })
            .collect();
        assert_eq!(*read, expected, "what the owner reads in {room}");
    }
    // the rooms with an address were created before the log began
    let club = |(_, act): &&(u64, Act)| act.act != "register" || !act.room.starts_with('~');
    let acts: Vec<_> = acts.iter().filter(club).map(|(_, act)| simple(act)).collect();
    let mut by_doer: BTreeMap<&str, Vec<(Act, bool)>> = BTreeMap::new();
    let mut by_target: BTreeMap<(String, String), Vec<Act>> = BTreeMap::new();
    for entry in log {
        let Some((act, must)) = expected(log, entry) else { continue };
        by_doer.entry(&entry.user).or_default().push((act.clone(), must));
        if entry.fact.is_some() {
            by_target.entry((act.room.clone(), act.user.clone())).or_default().push(act);
        }
    }
    for user in &world.users {
        let found: Vec<_> = acts.iter().filter(|act| act.by == user.id).collect();
        let expected = by_doer.remove(user.id.as_str()).unwrap_or_default();
        if let Err(problem) = agree(&expected, &found) {
            panic!("the audit log of {}: {problem}", user.name);
        }
    }
    for room in &world.rooms {
        for user in &world.users {
            let is_act = |act: &&Act| !matches!(act.act.as_str(), "delete" | "configure" | "close_report");
            let found = acts.iter().filter(is_act).filter(|act| act.room == *room && act.user == user.id);
            let found: Vec<_> = found.cloned().collect();
            let expected = by_target.remove(&(room.clone(), user.id.clone())).unwrap_or_default();
            assert_eq!(found, expected, "what was done to {} in {room}", user.name);
        }
    }
}

/// Without what the log of the test cannot say: whose message a closed report was about.
fn simple(act: &Act) -> Act {
    let mut act = act.clone();
    if act.act == "close_report" {
        act.user.clear();
    }
    act
}

/// Whether the records are the expected ones, in their order: those that must be there, and some
/// of the others.
fn agree(expected: &[(Act, bool)], found: &[&Act]) -> Result<(), String> {
    // how many records may be explained by the entries so far
    let mut explained = BTreeSet::from([0]);
    for (act, must) in expected {
        let mut next: BTreeSet<usize> = if *must { BTreeSet::new() } else { explained.clone() };
        next.extend(explained.iter().filter(|count| found.get(**count) == Some(&act)).map(|count| count + 1));
        if next.is_empty() {
            let found: Vec<_> = explained.iter().map(|count| found.get(*count)).collect();
            return Err(format!("{act:?} is missing; there may be {found:?}"));
        }
        explained = next;
    }
    if explained.contains(&found.len()) {
        return Ok(());
    }
    Err(format!("nobody has done {:?}", found.get(*explained.last().unwrap())))
}
