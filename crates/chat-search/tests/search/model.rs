//! Random updates and queries, for an index in a database.

use chat_search::conformance::helpers::{all, document_at, position, purge, room};
use chat_search::{Query, SearchIndex, Update};
use proptest::prelude::*;

/// A step of a random test. Rooms, numbers, texts and times are few, so that they meet.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Put { room: u8, seq: u64, text: String },
    Remove { room: u8, seq: u64 },
    Oldest { room: u8, oldest: u64 },
    Restart { room: u8 },
    Purge,
}

/// Random updates.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let room = || 0..3_u8;
    let word = prop_oneof!["(red|rot|Röte|redder)", "世界|世界人|界", "[a-c]{1,6}"];
    let text = prop::collection::vec(word, 0..4).prop_map(|words| words.join(" "));
    let step = prop_oneof![
        8 => (room(), 1..30_u64, text).prop_map(|(room, seq, text)| Step::Put { room, seq, text }),
        2 => (room(), 1..30_u64).prop_map(|(room, seq)| Step::Remove { room, seq }),
        1 => (room(), 1..20_u64).prop_map(|(room, oldest)| Step::Oldest { room, oldest }),
        1 => room().prop_map(|room| Step::Restart { room }),
        1 => Just(Step::Purge),
    ];
    prop::collection::vec(step, 1..40)
}

/// The time of a message: many have the same.
fn time(room: u8, seq: u64) -> i64 {
    i64::try_from(seq / 5).unwrap() * 1_000 + i64::from(room % 2)
}

/// What the index should have.
#[derive(Debug, Default)]
struct Model {
    texts: std::collections::BTreeMap<(u8, u64), String>,
    oldest: [u64; 3],
}

impl Model {
    fn find(&self, query: &Query, rooms: &[u8]) -> Vec<String> {
        let is_kept = |room: u8, seq: u64| rooms.contains(&room) && seq >= self.oldest[usize::from(room)];
        let found =
            self.texts.iter().filter(|((room, seq), text)| is_kept(*room, *seq) && query.matches(text));
        found.map(|((room, seq), _)| format!("r{room}:{seq}")).collect()
    }
}

async fn carry_out(index: &dyn SearchIndex, model: &mut Model, step: Step) {
    let update_of = |index: u8, seq: u64| {
        let mut position = position(seq);
        position.oldest = model.oldest[usize::from(index)];
        Update::new(room(&format!("r{index}")), position)
    };
    let update = match step {
        Step::Put { room, seq, text } => {
            let mut update = update_of(room, seq);
            update.documents = vec![document_at(seq, &text, time(room, seq))];
            if seq >= model.oldest[usize::from(room)] {
                model.texts.insert((room, seq), text);
            }
            update
        }
        Step::Remove { room, seq } => {
            let mut update = update_of(room, seq);
            update.removed = vec![seq];
            model.texts.remove(&(room, seq));
            update
        }
        Step::Oldest { room, oldest } => {
            let known = &mut model.oldest[usize::from(room)];
            *known = (*known).max(oldest);
            let oldest = *known;
            model.texts.retain(|(of, seq), _| *of != room || *seq >= oldest);
            let mut update =
                Update::new(chat_search::conformance::helpers::room(&format!("r{room}")), position(30));
            update.position.oldest = oldest;
            update
        }
        Step::Restart { room } => {
            let mut update = update_of(room, 0);
            update.restart = true;
            model.texts.retain(|(of, _), _| *of != room);
            update
        }
        Step::Purge => return purge(index).await,
    };
    index.apply(vec![update]).await.unwrap();
}

/// Carries out the steps, and compares what queries find with a list.
pub(crate) async fn match_the_model(
    index: &dyn SearchIndex,
    steps: Vec<Step>,
    texts: &[String],
    limit: usize,
) {
    let mut model = Model::default();
    for step in steps {
        carry_out(index, &mut model, step).await;
    }
    for text in texts {
        for searched in [&[0_u8, 1, 2][..], &[1], &[2, 0]] {
            let names = searched.iter().map(|i| room(&format!("r{i}"))).collect();
            let Ok(query) = Query::new(text, names) else { continue };
            let query = query.limit(limit);
            let found = all(index, query.clone()).await;
            let times: Vec<_> = found
                .iter()
                .map(|key| {
                    let (room, seq) = key[1..].split_once(':').unwrap();
                    time(room.parse().unwrap(), seq.parse().unwrap())
                })
                .collect();
            assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
            let (mut found, mut expected) = (found, model.find(&query, searched));
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{text:?} in {searched:?}");
        }
    }
}

/// Queries for the texts of [`steps`].
pub(crate) fn queries() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("(red|ro|rote|世界|界|世界人|[a-c]{1,5}| ){1,3}", 4)
}

/// Texts with signs that have a meaning in SQL, FTS5 or `tsquery`.
pub(crate) fn signs() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(
        prop_oneof![
            "\\PC{0,6}",
            "[\"'*^:(){}+,. \\-]{1,4}",
            "(AND|OR|NOT|NEAR|fts|tokens|rowid|\"|NEAR\\(a b, 1\\))",
            "['&|!<>\\\\:*()$%]{1,4}",
            Just("\u{0}".to_owned()),
            Just("\u{e000}1".to_owned()),
        ],
        0..8,
    )
}

/// Runs a future on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Random numbers that are the same in each run.
pub(crate) fn numbers() -> impl FnMut(u64) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

/// The text of a message: words that all, many and few have.
pub(crate) fn random_text(random: &mut impl FnMut(u64) -> u64) -> String {
    format!("common m{} f{} 世界{}", random(5), random(800), ["人", "地", ""][random(3) as usize])
}
