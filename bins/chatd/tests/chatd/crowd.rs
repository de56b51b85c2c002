//! Many clients whose server is killed or stopped: all reconnect by themselves and resume, and no
//! presence rows of the previous sessions remain.
//!
//! `CROWD=10000 cargo test --release -p chatd --test chatd crowd -- --nocapture` prints figures for
//! more clients.

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

/// The number of members of a room.
const ROOM_MEMBERS: usize = 50;

/// The number of clients that connect at the same time at the beginning.
const CONCURRENT: usize = 100;

/// The time over which the clients spread their reconnects.
const SPREAD: Duration = Duration::from_secs(10);

fn clients() -> usize {
    std::env::var("CROWD").ok().and_then(|count| count.parse().ok()).unwrap_or(300)
}

fn room(number: usize) -> RoomName {
    format!("r{}", number / ROOM_MEMBERS).parse().unwrap()
}

struct Crowd {
    folder: TempDir,
    server: Running,
    clients: Vec<(Client, Events)>,
}

/// Reads until the room is recovered and the message that was sent meanwhile has arrived, once.
async fn recover(events: &mut Events, sent: &str) -> Instant {
    let (mut is_back, mut received) = (None, 0);
    while is_back.is_none() || received == 0 {
        match events.next().await.expect("the session continues") {
            Event::Recovered { .. } => is_back = Some(Instant::now()),
            Event::Message { message: StoredMessage::Text { body, .. }, .. } if *body == *sent => {
                received += 1;
            }
            Event::Joined(joined) if joined.since.is_some() && !joined.recovered => {
                panic!("not resumed: {joined:?}")
            }
            Event::Closed(why) => panic!("closed: {why:?}"),
            _ => {}
        }
    }
    assert_eq!(received, 1);
    is_back.unwrap()
}

impl Crowd {
    async fn connect() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Running::start(&mut Self::program(&folder));
        let permits = Arc::new(Semaphore::new(CONCURRENT));
        let connecting = (0..clients()).map(|number| {
            let (permits, url) = (Arc::clone(&permits), format!("ws://{}/ws", server.address));
            tokio::spawn(async move {
                let _permit = permits.acquire().await.unwrap();
                let options = Options::new(url, format!("p{number}").parse().unwrap())
                    .backoff(Backoff::new(Duration::from_secs(1), SPREAD));
                let (client, events) = Client::connect(options).await.unwrap();
                client.join(&room(number), JoinOptions::default()).await.unwrap();
                (client, events)
            })
        });
        let clients = join_all(connecting).await.into_iter().map(Result::unwrap).collect();
        Self { folder, server, clients }
    }

    fn program(folder: &TempDir) -> std::process::Command {
        let mut program = chatd(folder.path());
        program.args(["--admin-listen", "127.0.0.1:0"]);
        program
    }

    /// The number of commits since the start, and their total duration in seconds.
    async fn commits(&self) -> (f64, f64) {
        let metrics = metrics::scraped(self.server.admin.unwrap()).await;
        let number = |series| metrics::value(&metrics, series).parse::<f64>().unwrap();
        (number("chatd_commit_seconds_count"), number("chatd_commit_seconds_sum"))
    }

    /// Ends the server with this signal and starts it again on the same address. All clients
    /// recover within 30 s.
    async fn restart(&mut self, signal: Signal) {
        let address = self.server.address.to_string();
        self.server.signal(signal);
        self.server.end_within(Duration::from_secs(10)).await;
        // sent while the server is down
        let sent = format!("after {signal:?}");
        let send =
            |(i, (client, _)): (usize, &(Client, Events))| client.send(&room(i * ROOM_MEMBERS), sent.clone());
        let receipts: Vec<_> = self.clients.iter().step_by(ROOM_MEMBERS).enumerate().map(send).collect();
        let began = Instant::now();
        self.server = Running::start_at(&mut Self::program(&self.folder), &address);
        let serves = began.elapsed();
        let all = join_all(self.clients.iter_mut().map(|(_, events)| recover(events, &sent)));
        let last = soon("all clients have recovered", all).await.into_iter().max().unwrap();
        for receipt in receipts {
            soon("the message is stored", receipt).await.unwrap();
        }
        let took = last.duration_since(began);
        let (commits, seconds) = self.commits().await;
        println!(
            "{signal:?}, {} clients: it serves after {serves:?}, the last is in after {took:?}; {commits} commits, which took {seconds:.2} s",
            self.clients.len()
        );
        // clients that connect at the same time share a commit; a client with an old row needs one
        // more
        assert!(commits <= (2 * self.clients.len() + 100) as f64, "a storm on the store: {commits} commits");
    }

    /// The number of presence rows.
    fn rows(&self) -> i64 {
        let path = self.folder.path().join("chatd.sqlite3");
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
        diesel::sql_query("SELECT count(*) AS count FROM presence")
            .get_result::<Count>(&mut connection)
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
async fn after_a_kill_and_after_a_stop_all_clients_recover_and_no_old_rows_remain() {
    let mut crowd = Crowd::connect().await;
    for signal in [Signal::KILL, Signal::TERM] {
        crowd.restart(signal).await;
        until("there is one row per client", async || crowd.rows() == i64::try_from(clients()).unwrap())
            .await;
        let (mut stranger, joined) = Session::enter(crowd.server.address, "r0", "stranger").await;
        // clients that joined in the last 250 ms are announced a little later
        let mut members = joined["member_count"].clone();
        while members != ROOM_MEMBERS.min(clients()) + 1 {
            members = stranger.next("presence").await["member_count"].clone();
        }
        stranger.ask(serde_json::json!({"type": "leave", "room": "r0"})).await;
    }
    for (client, _) in &crowd.clients {
        assert_eq!((client.counters().duplicates, client.counters().sequence_gaps), (0, 0));
    }
}
