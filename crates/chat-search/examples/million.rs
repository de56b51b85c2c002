//! Measures an index of a million messages in 200 rooms: how long it takes to build, how large it
//! is, and how long searches take.
//!
//! ```text
//! cargo run --release -p chat-search --features postgres --example million [MESSAGES [URL]]
//! ```
//!
//! With a URL, the index is in this PostgreSQL database. What the database has of an index is
//! removed.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chat_db::postgres::{Database, Options};
use chat_protocol::{Epoch, RoomName, Timestamp, Username};
use chat_search::{Document, Position, PostgresIndex, Query, SearchIndex, SqliteIndex, Update};
use chat_testkit::postgres::psql;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

const ROOMS: usize = 200;

/// The part of all messages that the first room has.
const LARGE: f64 = 0.2;

/// All messages were sent within a year before this time.
const NEWEST: i64 = 1_800_000_000_000;
const YEAR: i64 = 365 * 24 * 3_600_000;

/// How many words each script has, and what the syllables of its words are made of.
const WORDS: usize = 40_000;
const LATIN: (&str, &str) = ("bcdfghjklmnprstvwz", "aeiouéä");
const CYRILLIC: (&str, &str) = ("бвгджзклмнпрстфхцчш", "аеиоуяё");
const ARABIC: (&str, &str) = ("بتثجحخدرزسشصطعغفقكلمن", "اوي");

/// How many searches of each kind are measured.
const SEARCHES: usize = 400;

struct Vocabulary {
    latin: Vec<String>,
    cyrillic: Vec<String>,
    arabic: Vec<String>,
    han: Vec<char>,
    hangul: Vec<char>,
}

/// A rank below `n`, by Zipf's law.
fn zipf(random: &mut SmallRng, n: usize) -> usize {
    let exponent: f64 = random.random();
    ((n as f64 + 1.0).powf(exponent) - 1.0) as usize
}

fn words(random: &mut SmallRng, (consonants, vowels): (&str, &str)) -> Vec<String> {
    let (consonants, vowels): (Vec<_>, Vec<_>) = (consonants.chars().collect(), vowels.chars().collect());
    let mut pick = |of: &[char]| of[random.random_range(0..of.len())];
    (0..WORDS)
        .map(|rank| {
            let syllables = 1 + (rank as f64).log(12.0) as usize;
            let mut word = String::new();
            for _ in 0..syllables {
                word.extend([pick(&consonants), pick(&vowels)]);
            }
            word.push(pick(&consonants));
            word
        })
        .collect()
}

impl Vocabulary {
    fn new(random: &mut SmallRng) -> Self {
        Self {
            latin: words(random, LATIN),
            cyrillic: words(random, CYRILLIC),
            arabic: words(random, ARABIC),
            han: ('\u{4e00}'..'\u{5800}').collect(),
            hangul: ('\u{ac00}'..'\u{b400}').collect(),
        }
    }

    /// The text of a message: 3 to 30 words, mostly Latin.
    fn text(&self, random: &mut SmallRng, room: usize) -> String {
        let count = 3 + zipf(random, 28);
        // a third of the rooms has another script
        let script = if random.random_bool(0.8) { room % 15 } else { 0 };
        let mut text = String::new();
        for _ in 0..count {
            match script {
                1 | 2 => text.push_str(&self.cyrillic[zipf(random, WORDS)]),
                3 => text.push_str(&self.arabic[zipf(random, WORDS)]),
                4 => {
                    text.extend((0..3).map(|_| self.han[zipf(random, self.han.len())]));
                    continue;
                }
                5 => text.extend((0..3).map(|_| self.hangul[zipf(random, self.hangul.len())])),
                _ => text.push_str(&self.latin[zipf(random, WORDS)]),
            }
            text.push(' ');
        }
        text
    }
}

fn room(i: usize) -> RoomName {
    RoomName::parse(&format!("room{i}")).unwrap()
}

/// The number of messages of each room: a large one, and the others by Zipf's law.
fn sizes(messages: usize) -> Vec<usize> {
    let weights: f64 = (1..ROOMS).map(|i| 1.0 / i as f64).sum();
    let rest = messages as f64 * (1.0 - LARGE);
    let mut sizes = vec![(messages as f64 * LARGE) as usize];
    sizes.extend((1..ROOMS).map(|i| (rest / weights / i as f64) as usize));
    sizes
}

fn percentile(times: &[Duration], percent: usize) -> f64 {
    times[(times.len() - 1) * percent / 100].as_secs_f64() * 1_000.0
}

fn report(name: &str, mut times: Vec<Duration>, note: &str) {
    times.sort_unstable();
    let (p50, p99, max) = (percentile(&times, 50), percentile(&times, 99), percentile(&times, 100));
    println!("{name:<46} p50 {p50:7.2} ms   p99 {p99:7.2} ms   max {max:7.2} ms   {note}");
}

/// Measures the first page of searches in rooms.
async fn measure(index: &dyn SearchIndex, name: &str, rooms: &[RoomName], mut text: impl FnMut() -> String) {
    let (mut times, mut found, mut partial) = (Vec::new(), 0, 0);
    for _ in 0..SEARCHES {
        let query = Query::new(&text(), rooms.to_vec()).unwrap().limit(20);
        let begun = Instant::now();
        let page = index.search(query).await.unwrap();
        times.push(begun.elapsed());
        found += page.keys.len();
        partial += usize::from(page.keys.len() < 20 && page.next.is_some());
    }
    let note = format!("{:.1} found, {partial} ended early", found as f64 / SEARCHES as f64);
    report(name, times, &note);
}

async fn searches(index: &dyn SearchIndex, vocabulary: &Vocabulary) {
    let random = &mut SmallRng::seed_from_u64(2);
    let all: Vec<_> = (0..ROOMS).map(room).collect();
    let few: Vec<_> = (100..ROOMS).map(room).collect();
    let scopes: [(&str, &[RoomName]); 4] = [
        ("large room", &all[..1]),
        ("small room", &all[150..151]),
        ("100 small rooms", &few),
        ("all rooms", &all),
    ];
    let ranks = [("frequent", 0..20), ("medium", 300..3_000), ("rare", 20_000..40_000)];
    for (scope, rooms) in scopes {
        for (rank, ranks) in ranks.clone() {
            let word = |random: &mut SmallRng| vocabulary.latin[random.random_range(ranks.clone())].clone();
            measure(index, &format!("{scope}, {rank} word"), rooms, || word(random) + " ").await;
            measure(index, &format!("{scope}, two {rank} words"), rooms, || {
                format!("{} {} ", word(random), word(random))
            })
            .await;
        }
        for length in [2, 3, 5, 6] {
            measure(index, &format!("{scope}, first {length} letters"), rooms, || {
                loop {
                    let word = &vocabulary.latin[random.random_range(0..WORDS)];
                    if word.chars().count() > length {
                        break word.chars().take(length).collect();
                    }
                }
            })
            .await;
        }
        for length in [1, 2, 3] {
            measure(index, &format!("{scope}, {length} Chinese characters"), rooms, || {
                (0..length).map(|_| vocabulary.han[zipf(random, vocabulary.han.len())]).collect()
            })
            .await;
        }
    }
    let author: Username = "user7".parse().unwrap();
    let mut times = Vec::new();
    for _ in 0..SEARCHES {
        let word = vocabulary.latin[random.random_range(0..3_000)].clone() + " ";
        let query = Query::new(&word, all.clone()).unwrap().from(author.clone()).limit(20);
        let begun = Instant::now();
        index.search(query).await.unwrap();
        times.push(begun.elapsed());
    }
    report("all rooms, a word of one author", times, "");
}

/// Messages of one room up to `seq`.
fn update(room: RoomName, seq: usize, documents: Vec<Document>) -> Update {
    let mut update = Update::new(room, Position::new(Epoch::new("e"), seq as u64, seq as u64, 1));
    update.documents = documents;
    update
}

/// Measures what follows after the index was built: new messages, and deletions.
async fn follow(index: &dyn SearchIndex, vocabulary: &Vocabulary, sizes: &[usize]) {
    let random = &mut SmallRng::seed_from_u64(3);
    let mut times = Vec::new();
    for i in 0..500 {
        let to = 1 + i % (ROOMS - 1);
        let seq = sizes[to] + 1 + i;
        let sent_at = Timestamp::from_millis(NEWEST + i as i64 * 1_000);
        let text = vocabulary.text(random, to);
        let document = Document::new(seq as u64, "user1".parse().unwrap(), text, sent_at);
        let begun = Instant::now();
        index.apply(vec![update(room(to), seq, vec![document])]).await.unwrap();
        times.push(begun.elapsed());
    }
    report("a new message, one in a transaction", times, "");
    let mut times = Vec::new();
    for i in 0..300 {
        let mut update = update(room(0), sizes[0], Vec::new());
        update.removed = vec![1 + random.random_range(0..sizes[0] as u64)];
        let begun = Instant::now();
        index.apply(vec![update]).await.unwrap();
        times.push(begun.elapsed());
        if i == 0 {
            let checkpoint = Instant::now();
            while index.purge().await.unwrap() {}
            println!("purge: {:.1} ms", checkpoint.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    report("a deletion, one in a transaction", times, "");
    let mut update = update(room(1), sizes[1], Vec::new());
    update.position.oldest = 20_000.min(sizes[1] as u64 / 2);
    let pruned = update.position.oldest;
    index.apply(vec![update]).await.unwrap();
    let (begun, mut times) = (Instant::now(), Vec::new());
    loop {
        let step = Instant::now();
        let more = index.purge().await.unwrap();
        times.push(step.elapsed());
        if !more {
            break;
        }
    }
    report(
        "a step of purging",
        times,
        &format!("{pruned} messages in {:.1} s", begun.elapsed().as_secs_f64()),
    );
}

/// Opens an empty index, and returns what tells its size in MiB.
async fn open(folder: &Path, url: Option<String>) -> (Box<dyn SearchIndex>, Box<dyn Fn() -> u64>) {
    let Some(url) = url else {
        let path = folder.join("search.sqlite3");
        let index = SqliteIndex::open(&path).unwrap();
        return (Box::new(index), Box::new(move || fs::metadata(&path).unwrap().len() >> 20));
    };
    let address = url.parse().unwrap();
    let database = tokio::task::spawn_blocking(move || Database::open(&address, &Options::default()));
    let index = PostgresIndex::open(database.await.unwrap().unwrap()).await.unwrap();
    index.clear().await.unwrap();
    let size = move || {
        let size = psql(&url, "SELECT pg_total_relation_size('search_documents') >> 20").unwrap();
        size.trim().parse().unwrap()
    };
    (Box::new(index), Box::new(size))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let messages = std::env::args().nth(1).map_or(1_000_000, |count| count.parse().unwrap());
    let random = &mut SmallRng::seed_from_u64(1);
    let vocabulary = Vocabulary::new(random);
    let folder = tempfile::tempdir().unwrap();
    let (index, size) = open(folder.path(), std::env::args().nth(2)).await;
    let sizes = sizes(messages);
    let (mut building, mut bytes, mut total) = (Duration::ZERO, 0, 0);
    let (mut batch, mut in_batch) = (Vec::new(), 0);
    for (i, size) in sizes.iter().enumerate() {
        let mut seq = 0;
        while seq < *size {
            let count = 5_000.min(size - seq);
            let mut documents = Vec::new();
            for n in seq..seq + count {
                let jitter = random.random_range(0..60_000);
                let sent_at = NEWEST - YEAR + YEAR / *size as i64 * n as i64 + jitter;
                let author = format!("user{}", zipf(random, 2_000)).parse().unwrap();
                let text = vocabulary.text(random, i);
                bytes += text.len();
                documents.push(Document::new(n as u64 + 1, author, text, Timestamp::from_millis(sent_at)));
            }
            seq += count;
            total += count;
            in_batch += count;
            batch.push(update(room(i), seq, documents));
            if in_batch >= 20_000 {
                let begun = Instant::now();
                index.apply(std::mem::take(&mut batch)).await.unwrap();
                building += begun.elapsed();
                in_batch = 0;
            }
        }
    }
    let begun = Instant::now();
    index.apply(batch).await.unwrap();
    building += begun.elapsed();
    println!(
        "{total} messages, {} MiB of text: built in {:.1} s, {} MiB",
        bytes >> 20,
        building.as_secs_f64(),
        size()
    );
    println!("\nbefore it is optimized");
    searches(&*index, &vocabulary).await;
    let begun = Instant::now();
    index.optimize().await.unwrap();
    while index.purge().await.unwrap() {}
    println!("\noptimized in {:.1} s, {} MiB", begun.elapsed().as_secs_f64(), size());
    searches(&*index, &vocabulary).await;
    println!();
    follow(&*index, &vocabulary, &sizes).await;
}
