//! SIGKILL under load: every acked message is stored once, every delivered message is stored, and a
//! client that follows the cursor rule ends with the messages of the store, edited and deleted ones
//! and reactions included. No acked edit and no acked reaction is lost, and the counts of reactions
//! are exact.

mod reactions;
mod reader;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_testkit::http::try_status;
use chat_testkit::needs::{self, Need};
use chat_testkit::postgres::Server;
use chat_testkit::v2::{Session, guest_token};
use chat_testkit::{Seen, soon};
use futures::FutureExt;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Barrier, Notify};

use crate::process::{Running, chatd};
use reactions::{EMOJI, Key, Outcome, Reactions};
use reader::{Reader, State, edited, seq, state};

const ROUNDS: usize = 50;
const ROUNDS_OF_POSTGRES: usize = 20;
const WRITERS: usize = 20;
const READERS: usize = 3;
const ROOMS: usize = 4;

/// The maximum number of messages of a writer without an ack.
const MAX_IN_FLIGHT: usize = 8;

/// A writer edits each message whose number is divisible by this.
const EDITED: u64 = 4;

/// Everyone reacts to each message whose number is divisible by this.
const REACTED: u64 = 6;

/// A writer replies to an own message with every message whose count is divisible by this.
const REPLIES: usize = 5;

/// A round whose number, counted from one, is divisible by this does not end without a deletion.
const DELETED: usize = 5;

/// The writers whose messages are erased, again and again.
const ERASED: std::ops::Range<usize> = 0..ROOMS;

const TOKEN: &str = "0123456789abcdef-of-the-operator";

fn room(of: usize) -> String {
    format!("r{}", of % ROOMS)
}

/// Whether the database was killed, so that it is not known what became of a command: as if the
/// server was.
fn is_end(frame: &Value) -> bool {
    frame["code"] == "store_unavailable"
}

/// Counts acks and notifies when there are enough for a round.
#[derive(Default)]
struct Acks {
    count: AtomicUsize,
    enough: AtomicUsize,
    reached: Notify,
}

impl Acks {
    fn note(&self) {
        if self.count.fetch_add(1, Ordering::Relaxed) + 1 == self.enough.load(Ordering::Relaxed) {
            self.reached.notify_one();
        }
    }
}

/// A client that sends messages in all rounds.
struct Writer {
    number: usize,
    guest_token: String,
    /// The id of the user, once it is known.
    user: Option<String>,
    next: usize,
    /// Messages without an ack. They may be stored or not, so they are sent again under the same
    /// id.
    unacked: Vec<String>,
    /// The number of each acked message, by id.
    acked: HashMap<String, u64>,
    /// The number of the event of each edit, by the id of its message; `None` without an ack.
    edits: HashMap<String, Option<u64>>,
    /// The number of the message to which a message replies, by id.
    replies: HashMap<String, u64>,
    reactions: Reactions,
}

impl Writer {
    async fn write(&mut self, server: SocketAddr, acks: &Acks, all_joined: &Barrier) {
        let name = self.name();
        // the same guest in every round, so that a message that is sent again is recognised
        let mut session = Session::hello_as(server, &name, &self.guest_token).await;
        session.join(&room(self.number)).await;
        self.user = Some(session.user().to_owned());
        all_joined.wait().await;
        for id in self.unacked.clone() {
            if !self.send(&mut session, &id).await {
                return;
            }
        }
        // edits without an ack, and some of the others: each is carried out once
        let again = self.edits.iter().filter(|(id, acked)| acked.is_none() || id.ends_with('7'));
        for id in again.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            if !self.edit(&mut session, &id).await {
                return;
            }
        }
        // reactions without an ack, and some of the others: nothing changes, or the opposite
        let mut reactions = self.reactions.uncertain();
        let old = self.reactions.latest().into_iter().filter(|(_, sent)| sent.outcome.is_some());
        reactions
            .extend(old.rev().step_by(5).take(4).map(|(key, sent)| (key, sent.is_added == (key.0 % 4 < 2))));
        for (key, is_added) in reactions {
            if !self.react(&mut session, key, is_added).await {
                return;
            }
        }
        let mut last_own = None;
        loop {
            while self.unacked.len() < MAX_IN_FLIGHT {
                let id = format!("{name}.{}", self.next);
                self.next += 1;
                // those of the others may be erased at any moment
                if let Some(last) =
                    last_own.filter(|_| !self.is_erased() && self.next.is_multiple_of(REPLIES))
                {
                    self.replies.insert(id.clone(), last);
                }
                self.unacked.push(id.clone());
                if !self.send(&mut session, &id).await {
                    return;
                }
            }
            let Seen::Event(frame) = session.client.see().await else { return };
            if is_end(&frame) {
                return;
            }
            if let Some(((target, emoji), is_added)) = self.reactions.answered(&frame) {
                // some change their mind
                let changes = is_added && target.is_multiple_of(4) && self.number.is_multiple_of(2);
                if changes && !self.react(&mut session, (target, emoji), false).await {
                    return;
                }
                continue;
            }
            match frame["type"].as_str().unwrap() {
                "message" if seq(&frame).is_multiple_of(REACTED) => {
                    let key = (seq(&frame), EMOJI[self.number % EMOJI.len()]);
                    if !self.react(&mut session, key, true).await {
                        return;
                    }
                }
                "ack" => {
                    let id = frame["id"].as_str().unwrap().to_owned();
                    if let Some(edit) = id.strip_prefix("edit:").and_then(|id| self.edits.get_mut(id)) {
                        let number = seq(&frame);
                        assert!(edit.is_none_or(|before| before == number), "carried out once: {frame}");
                        *edit = Some(number);
                        continue;
                    }
                    self.unacked.retain(|unacked| *unacked != id);
                    assert_eq!(self.acked.insert(id.clone(), seq(&frame)), None, "acked once");
                    last_own = Some(seq(&frame));
                    acks.note();
                    if seq(&frame).is_multiple_of(EDITED) {
                        self.edits.insert(id.clone(), None);
                        if !self.edit(&mut session, &id).await {
                            return;
                        }
                    }
                }
                // the message was erased meanwhile
                "error" => assert_eq!(frame["code"], "not_found", "{frame}"),
                other => {
                    let known = ["message", "edited", "deleted", "reactions", "sync", "presence"];
                    assert!(known.contains(&other), "{frame}");
                }
            }
        }
    }

    fn name(&self) -> String {
        format!("writer{}", self.number)
    }

    /// Whether its messages are erased.
    fn is_erased(&self) -> bool {
        ERASED.contains(&self.number)
    }

    async fn react(&mut self, session: &mut Session, key: Key, is_added: bool) -> bool {
        let command = self.reactions.command(&room(self.number), key, is_added);
        session.client.try_send(&command.to_string()).await
    }

    /// Edits the acked message with this id.
    async fn edit(&self, session: &mut Session, id: &str) -> bool {
        let (target, own_id) = (self.acked[id], format!("edit:{id}"));
        let frame = json!({
            "type": "edit", "room": room(self.number), "target": target, "body": edited(id), "id": own_id,
        });
        session.client.try_send(&frame.to_string()).await
    }

    async fn send(&self, session: &mut Session, id: &str) -> bool {
        let mut frame =
            json!({"type": "send", "room": room(self.number), "body": format!("says {id}"), "id": id});
        if let Some(target) = self.replies.get(id) {
            frame["reply_to"] = (*target).into();
        }
        session.client.try_send(&frame.to_string()).await
    }
}

/// All messages of a room as this user sees them, and the number of its newest event.
async fn history(server: SocketAddr, room: &str, (name, token): (&str, &str)) -> (BTreeMap<u64, State>, u64) {
    let mut session = Session::hello_as(server, name, token).await;
    let joined = session.join(room).await;
    let (mut log, mut after, newest) = (BTreeMap::new(), 0, seq(&joined));
    while after < newest {
        let page = session.ask(json!({"type": "history", "room": room, "after": after, "limit": 200})).await;
        assert_eq!(page["first"], after + 1, "nothing is missing");
        for message in page["messages"].as_array().unwrap() {
            assert_eq!(log.insert(seq(message), state(message)), None);
        }
        let last = page["last"].as_u64().unwrap();
        assert!(last > after, "{page}");
        after = last;
    }
    (log, newest)
}

/// Checks that the counts of a room are those of the last commands of all of its users, each of
/// which was answered.
fn check_reactions(log: &BTreeMap<u64, State>, users: &[&Reactions]) {
    let mut expected: BTreeMap<u64, BTreeMap<String, u64>> = BTreeMap::new();
    for reactions in users {
        for ((target, emoji), sent) in reactions.latest() {
            match sent.outcome {
                Some(Outcome::Acked(_)) if sent.is_added => {
                    *expected.entry(target).or_default().entry(emoji.to_owned()).or_default() += 1;
                }
                Some(Outcome::NotFound) => assert_eq!(log[&target].text, None, "it was deleted"),
                _ => {}
            }
        }
        for (target, seq) in reactions.acked() {
            assert!(log[&target].changed >= Some(seq), "no acked reaction is lost: {:?}", log[&target]);
        }
    }
    for (seq, State { text, .. }) in log {
        let Some(text) = text else { continue };
        let counts: BTreeMap<_, _> =
            text.reactions.iter().map(|(emoji, (count, _))| (emoji.clone(), *count)).collect();
        assert_eq!(counts, expected.remove(seq).unwrap_or_default(), "the counts of {seq}");
    }
}

/// Checks that a user sees its own reactions: those of its last commands.
fn check_own(log: &BTreeMap<u64, State>, reactions: &Reactions) {
    let latest = reactions.latest();
    for (seq, State { text, .. }) in log {
        let Some(text) = text else { continue };
        let own = text.reactions.iter().filter(|(_, (_, is_mine))| *is_mine).map(|(emoji, _)| &**emoji);
        let expected = latest.range((*seq, "")..(*seq + 1, "")).filter(|(_, sent)| sent.is_added);
        assert_eq!(
            own.collect::<Vec<_>>(),
            expected.map(|((_, emoji), _)| *emoji).collect::<Vec<_>>(),
            "{seq}"
        );
    }
}

/// Erases the messages of some writers, again and again, until the server is killed. It begins when
/// the readers are there to see it.
async fn erase(admin: SocketAddr, users: Vec<String>, all_joined: &Barrier) {
    all_joined.wait().await;
    for user in users.iter().cycle() {
        let path = format!("/v1/users/{user}/messages");
        let authorization = format!("Authorization: Bearer {TOKEN}");
        match try_status(admin, "DELETE", &path, &[&authorization]).await {
            // the server or its database is gone
            Some(503) | None => return,
            Some(status) => assert_eq!(status, 200),
        }
    }
}

/// The seed of the numbers of acks after which the server is killed. `SEED` repeats a run.
fn seed() -> u64 {
    match std::env::var("SEED") {
        Ok(seed) => seed.parse().expect("SEED is a number"),
        Err(_) => rand::random(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_no_acked_and_no_delivered_message() {
    let folder = tempfile::tempdir().unwrap();
    kill_under_load(&folder, rounds(ROUNDS), &[], || ()).await;
}

/// The number of rounds. `ROUNDS` sets another one.
fn rounds(default: usize) -> usize {
    std::env::var("ROUNDS").map_or(default, |rounds| rounds.parse().expect("ROUNDS is a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_on_postgres_lose_no_acked_and_no_delivered_message() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let postgres = Server::builder().durable().start();
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--database", &postgres.url("postgres")];
    kill_under_load(&folder, rounds(ROUNDS), &arguments, || ()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_postgres_lose_no_acked_and_no_delivered_message() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let postgres = Server::builder().durable().start();
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--database", &postgres.url("postgres")];
    let kill = || {
        postgres.kill();
        postgres.restart();
    };
    kill_under_load(&folder, rounds(ROUNDS_OF_POSTGRES), &arguments, kill).await;
}

/// Runs a server with these arguments and kills it, after `kill`, in each of the rounds. Then
/// checks what is stored.
async fn kill_under_load(folder: &TempDir, rounds: usize, database: &[&str], kill: impl Fn()) {
    let seed = seed();
    println!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let acks = Arc::new(Acks::default());
    let mut writers: Vec<_> = (0..WRITERS)
        .map(|number| Writer {
            number,
            guest_token: guest_token(),
            user: None,
            next: 0,
            unacked: Vec::new(),
            acked: HashMap::new(),
            edits: HashMap::new(),
            replies: HashMap::new(),
            reactions: Reactions::default(),
        })
        .collect();
    let deletion = Arc::new(Notify::new());
    let mut readers: Vec<_> = (0..READERS).map(|number| Reader::new(number, Arc::clone(&deletion))).collect();
    std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
    let start = || {
        let arguments = ["--admin-listen", "127.0.0.1:0", "--admin-token-file", "token"];
        Running::start(chatd(folder.path()).args(arguments).args(database))
    };
    for round in 0..rounds {
        let mut server = start();
        let (address, admin) = (server.address, server.admin.unwrap());
        acks.count.store(0, Ordering::Relaxed);
        acks.enough.store(random.random_range(1..300), Ordering::Relaxed);
        // the server must not be killed before all clients have joined
        let all_joined = Arc::new(Barrier::new(WRITERS + READERS + 1));
        let mut erased: Vec<_> = writers[ERASED].iter().filter_map(|writer| writer.user.clone()).collect();
        // a round may end after the first of them
        let first = round % erased.len().max(1);
        erased.rotate_left(first);
        let writing = writers.into_iter().map(|mut writer| {
            let (acks, all_joined) = (Arc::clone(&acks), Arc::clone(&all_joined));
            tokio::spawn(async move {
                writer.write(address, &acks, &all_joined).await;
                writer
            })
        });
        let writing: Vec<_> = writing.collect();
        let reading = readers.into_iter().map(|mut reader| {
            let all_joined = Arc::clone(&all_joined);
            tokio::spawn(async move {
                reader.read(address, &all_joined, None).await;
                reader
            })
        });
        let reading: Vec<_> = reading.collect();
        let erasing = tokio::spawn(async move { erase(admin, erased, &all_joined).await });
        soon("enough acks", acks.reached.notified()).await;
        if round % DELETED == DELETED - 1 {
            deletion.notified().now_or_never();
            soon("a deletion", deletion.notified()).await;
        }
        kill();
        server.signal(Signal::KILL);
        server.end_within(Duration::from_secs(10)).await;
        writers = join_all(writing).await.into_iter().map(Result::unwrap).collect();
        readers = join_all(reading).await.into_iter().map(Result::unwrap).collect();
        erasing.await.unwrap();
    }

    let server = start();
    for writer in &mut writers {
        let (room, name) = (room(writer.number), writer.name());
        writer.reactions.settle(server.address, &room, (&name, &writer.guest_token)).await;
    }
    for reader in &mut readers {
        let (room, name) = (room(reader.number), reader.name());
        reader.reactions.settle(server.address, &room, (&name, &reader.guest_token)).await;
    }
    let mut stored = Vec::new();
    for number in 0..ROOMS {
        stored.push(history(server.address, &room(number), ("historian", &guest_token())).await);
    }
    for (number, (log, _)) in stored.iter().enumerate() {
        let of_writers = writers.iter().map(|writer| (writer.number, &writer.reactions));
        let all = of_writers.chain(readers.iter().map(|reader| (reader.number, &reader.reactions)));
        let here: Vec<_> = all.filter(|(of, _)| of % ROOMS == number).map(|(_, all)| all).collect();
        check_reactions(log, &here);
    }
    for writer in &writers {
        let (log, _) = &stored[writer.number % ROOMS];
        let is_erased = writer.is_erased();
        let (own, _) =
            history(server.address, &room(writer.number), (&writer.name(), &writer.guest_token)).await;
        check_own(&own, &writer.reactions);
        for (id, seq) in &writer.acked {
            let found = log[seq].id();
            let is_right = found == Some(id) || (is_erased && found.is_none());
            assert!(is_right, "an acked message has the number of its ack: {found:?}, not {id}");
        }
        for (id, edit) in writer.edits.iter().filter_map(|(id, acked)| Some((id, (*acked)?))) {
            let State { text, changed } = &log[&writer.acked[id]];
            let is_right =
                text.as_ref().is_some_and(|text| text.body == edited(id)) && *changed >= Some(edit);
            assert!(is_right || (is_erased && text.is_none()), "no acked edit is lost: {text:?} {changed:?}");
        }
        for (id, seq) in &writer.acked {
            let text = log[seq].text.as_ref();
            assert_eq!(text.and_then(|text| text.reply_to), writer.replies.get(id).copied(), "{id}");
        }
        assert!(writer.acked.len() > rounds, "every round has acks: {}", writer.acked.len());
    }
    for (log, _) in &stored {
        let ids: Vec<_> = log.values().filter_map(State::id).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "no message is stored twice");
    }
    for reader in &mut readers {
        let user = (&*reader.name(), &*reader.guest_token.clone());
        let (log, newest) = &history(server.address, &room(reader.number), user).await;
        check_own(log, &reader.reactions);
        reader.read(server.address, &Barrier::new(1), Some(*newest)).await;
        let first = reader.messages.keys().next().copied().unwrap_or(newest + 1);
        let kept: BTreeMap<_, _> = log.range(first..).map(|(seq, state)| (*seq, state.clone())).collect();
        assert_eq!(reader.messages, kept, "the same messages in the same states");
        for (seq, id) in &reader.delivered {
            let found = &log[seq];
            assert!(found.id() == Some(id) || found.text.is_none(), "every delivered message is stored");
        }
        let Reader { delivered, reacted, edits, deletions, recoveries, .. } = reader;
        println!(
            "{}: {} messages, {reacted} frames of reactions, {edits} edits, {deletions} deletions, {recoveries} recoveries",
            reader.number,
            delivered.len()
        );
        assert!(delivered.len() > rounds && *edits > rounds && *recoveries > rounds / 2);
        // a few rounds may end before the first of them
        assert!((*deletions > 0 && *reacted > rounds) || rounds < ROUNDS_OF_POSTGRES);
    }
}
