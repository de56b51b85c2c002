//! A crowd whose server is killed, or asked to end: all are in again by themselves, resumed, and nothing is left of the stay before.
//!
//! `CROWD=10000 cargo test --release -p chatd --test chatd crowd -- --nocapture` prints figures for more people.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_client::{Backoff, Client, Event, Events, JoinOptions, Options, RoomName, StoredMessage};
use chat_testkit::v2::Session;
use chat_testkit::{soon, until};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use futures::future::join_all;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::metrics;
use crate::process::{Running, chatd};

/// In rooms of so many.
const ROOM: usize = 50;

/// So many connect at the same time at the beginning.
const AT_ONCE: usize = 100;

/// They come back within this, evenly spread, as clients do that wait for a random time.
const SPREAD: Duration = Duration::from_secs(10);

fn people() -> usize {
    std::env::var("CROWD").ok().and_then(|count| count.parse().ok()).unwrap_or(300)
}

fn room(number: usize) -> RoomName {
    format!("r{}", number / ROOM).parse().unwrap()
}

struct Crowd {
    folder: TempDir,
    server: Running,
    people: Vec<(Client, Events)>,
}

/// Reads on until everything that was missed is told, and what was said meanwhile has come, once.
async fn back(events: &mut Events, said: &str) -> Instant {
    let (mut is_back, mut heard) = (None, 0);
    while is_back.is_none() || heard == 0 {
        match events.next().await.expect("it goes on") {
            Event::Recovered { .. } => is_back = Some(Instant::now()),
            Event::Message { message: StoredMessage::Said { body, .. }, .. } if *body == *said => heard += 1,
            Event::Gap(gap) => panic!("not resumed: {gap:?}"),
            Event::SequenceGap { expected, got, .. } => panic!("a gap: {got} instead of {expected}"),
            Event::Closed(why) => panic!("closed: {why:?}"),
            _ => {}
        }
    }
    assert_eq!(heard, 1);
    is_back.unwrap()
}

impl Crowd {
    async fn gather() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Running::start(&mut Self::program(&folder));
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let coming = (0..people()).map(|number| {
            let (places, url) = (Arc::clone(&places), format!("ws://{}/ws", server.address));
            tokio::spawn(async move {
                let _place = places.acquire().await.unwrap();
                let options = Options::new(url, format!("p{number}").parse().unwrap())
                    .backoff(Backoff::new(Duration::from_secs(1), SPREAD));
                let (client, events) = Client::connect(options).await.unwrap();
                client.join(&room(number), JoinOptions::default()).await.unwrap();
                (client, events)
            })
        });
        let people = join_all(coming).await.into_iter().map(Result::unwrap).collect();
        Self { folder, server, people }
    }

    fn program(folder: &TempDir) -> std::process::Command {
        let mut program = chatd(folder.path());
        program.args(["--admin-listen", "127.0.0.1:0"]);
        program
    }

    /// How many commits there were since the start, and how long they took in all.
    async fn commits(&self) -> (f64, f64) {
        let metrics = metrics::scraped(self.server.admin.unwrap()).await;
        let number = |series| metrics::value(&metrics, series).parse::<f64>().unwrap();
        (number("chatd_commit_seconds_count"), number("chatd_commit_seconds_sum"))
    }

    /// Ends the server so, and starts it again where it was. All are in again within 30 s.
    async fn again(&mut self, signal: Signal) {
        let address = self.server.address.to_string();
        self.server.signal(signal);
        self.server.end_within(Duration::from_secs(10)).await;
        // said while nobody is there to hear it
        let said = format!("after {signal:?}");
        let speak = |(i, (client, _)): (usize, &(Client, Events))| client.send(&room(i * ROOM), said.clone());
        let receipts: Vec<_> = self.people.iter().step_by(ROOM).enumerate().map(speak).collect();
        let began = Instant::now();
        self.server = Running::start_at(&mut Self::program(&self.folder), &address);
        let serves = began.elapsed();
        let all = join_all(self.people.iter_mut().map(|(_, events)| back(events, &said)));
        let last = soon("all are in again", all).await.into_iter().max().unwrap();
        for receipt in receipts {
            soon("it is stored", receipt).await.unwrap();
        }
        let took = last.duration_since(began);
        let (commits, seconds) = self.commits().await;
        println!(
            "{signal:?}, {} people: it serves after {serves:?}, the last is in after {took:?}; {commits} commits, which took {seconds:.2} s",
            self.people.len()
        );
        // those who come at the same time share one; who was known before costs one more
        assert!(commits <= (2 * self.people.len() + 100) as f64, "a storm on the store: {commits} commits");
    }

    /// How many rows say that somebody is in a room.
    fn rows(&self) -> i64 {
        let path = self.folder.path().join("chatd.sqlite3");
        let mut outside = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        outside.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
        diesel::sql_query("SELECT count(*) AS count FROM presence")
            .get_result::<Count>(&mut outside)
            .unwrap()
            .count
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_minus_nine_and_after_an_end_all_are_in_again_and_nothing_is_left_of_before() {
    let mut crowd = Crowd::gather().await;
    for signal in [Signal::KILL, Signal::TERM] {
        crowd.again(signal).await;
        until("there is a row for each", async || crowd.rows() == i64::try_from(people()).unwrap()).await;
        let (mut stranger, joined) = Session::enter(crowd.server.address, "r0", "stranger").await;
        // those who came in the last quarter of a second are told a little later
        let mut told = joined["member_count"].clone();
        while told != ROOM.min(people()) + 1 {
            told = stranger.next("presence").await["member_count"].clone();
        }
        stranger.ask(serde_json::json!({"type": "leave", "room": "r0"})).await;
    }
    for (client, _) in &crowd.people {
        assert_eq!((client.counters().duplicates, client.counters().sequence_gaps), (0, 0));
    }
}
