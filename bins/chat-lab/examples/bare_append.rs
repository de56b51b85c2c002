//! How fast PostgreSQL runs the function that appends messages, without a server around it:
//! `bare_append URL [SECONDS] [CONNECTIONS] [ROOMS] [IN_FLIGHT]`.
//!
//! It is what a server could store at most. Each connection has its share of the rooms, and keeps
//! calling the function with IN_FLIGHT messages of 128 bytes for each of its rooms, with unique ids
//! that are checked. The database has to be one that no chatd uses; the rows stay in it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chat_db::postgres::{Database, Options, Url};
use futures::future::join_all;
use tokio_postgres::{Client, NoTls, Statement};

/// The text of a message, 128 bytes.
const BODY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
                    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const APPEND: &str = "SELECT seq FROM chatd_append(\
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";

struct Writer {
    client: Client,
    append: Statement,
    incarnation: String,
    rooms: Vec<i64>,
    in_flight: usize,
    sent: u64,
    number: usize,
}

impl Writer {
    /// Appends messages until the end. Returns their number, and how long each call took.
    async fn run(mut self, until: Instant) -> (usize, Vec<Duration>) {
        let (mut count, mut latencies) = (0, Vec::new());
        let rooms: Vec<i64> =
            self.rooms.iter().flat_map(|room| std::iter::repeat_n(*room, self.in_flight)).collect();
        let size = rooms.len();
        let names: Vec<String> = rooms.iter().map(|room| format!("w{room}")).collect();
        let users: Vec<String> = rooms.iter().map(|room| format!("g_{room:022}")).collect();
        let (digests, bodies) = (vec![Some(7_i64); size], vec![BODY; size]);
        let (nothing, no_text) = (vec![None::<i64>; size], vec![None::<&str>; size]);
        let (versions, refused) = (vec![Some(0_i64); size], vec![false; size]);
        while Instant::now() < until {
            let ids: Vec<String> = (0..size)
                .map(|_| {
                    self.sent += 1;
                    format!("{}-{}-{}", std::process::id(), self.number, self.sent)
                })
                .collect();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
            let now = i64::try_from(now).unwrap();
            let begun = Instant::now();
            let rows = self
                .client
                .query(
                    &self.append,
                    &[
                        &self.incarnation,
                        &now,
                        &(now - 86_400_000),
                        &rooms,
                        &users,
                        &names,
                        &ids,
                        &digests,
                        &bodies,
                        &versions,
                        &refused,
                        &nothing,
                        &no_text,
                        &no_text,
                        &no_text,
                        &Vec::<i32>::new(),
                        &Vec::<&str>::new(),
                    ],
                )
                .await
                .unwrap();
            latencies.push(begun.elapsed());
            assert!(rows.iter().all(|row| row.get::<_, Option<i64>>(0).is_some()), "every message is stored");
            count += rows.len();
        }
        (count, latencies)
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap();
    let mut next = |default: usize| arguments.next().map_or(default, |text| text.parse().unwrap());
    let (seconds, connections, rooms, in_flight) = (next(5), next(4), next(200), next(16));

    // applies the migrations, and writes an incarnation
    let opened: Url = url.parse().unwrap();
    let opening = tokio::task::spawn_blocking(move || Database::open(&opened, &Options::default()).unwrap());
    let database = opening.await.unwrap();
    let incarnation = database.fence().unwrap().incarnation().to_owned();
    let mut writers = Vec::new();
    for number in 0..connections {
        let client = connect(&url).await;
        let append = client.prepare(APPEND).await.unwrap();
        let mut own = Vec::new();
        for room in (number..rooms).step_by(connections) {
            let name = format!("bare-{}-{room}", std::process::id());
            let insert = "INSERT INTO rooms (name, next_seq, first_seq) VALUES ($1, 1, 1) RETURNING id";
            own.push(client.query_one(insert, &[&name]).await.unwrap().get(0));
        }
        let incarnation = incarnation.clone();
        writers.push(Writer { client, append, incarnation, rooms: own, in_flight, sent: 0, number });
    }
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds as u64);
    let done = join_all(writers.into_iter().map(|writer| writer.run(until))).await;
    let elapsed = begun.elapsed().as_secs_f64();
    let count: usize = done.iter().map(|(count, _)| count).sum();
    let mut latencies: Vec<_> = done.into_iter().flat_map(|(_, latencies)| latencies).collect();
    latencies.sort_unstable();
    println!(
        "{:.0} messages/s, {connections} connections, {} messages in a call, p50 of a call {:.1} ms",
        count as f64 / elapsed,
        rooms / connections * in_flight,
        latencies[latencies.len() / 2].as_secs_f64() * 1_000.0,
    );
    database.close().await;
}
