//! Random operations on both stores, compared with a plain list.

use chat_history::conformance::model::{EMOJI, Operation, PrunedIds, ROOMS, compare};
use proptest::prelude::*;

use super::support::{memory, sqlite};

fn operation() -> impl Strategy<Value = Operation> {
    let (room, user, body) = (0..ROOMS.len(), 0..2_u8, 0..2_u8);
    prop_oneof![
        2 => (room.clone(), user.clone(), body.clone())
            .prop_map(|(room, user, body)| Operation::Append { room, user, body }),
        5 => (room, user, body, 0..4_u8)
            .prop_map(|(room, user, body, id)| Operation::AppendIdempotent { room, user, body, id }),
        1 => (0..ROOMS.len(), 0..40_u64, 1..4_u64)
            .prop_map(|(room, first, count)| Operation::Delete { room, first, count }),
        3 => (0..ROOMS.len(), 0..2_u8, 0..40_u64, 0..2_u8)
            .prop_map(|(room, user, target, body)| Operation::Edit { room, user, target, body }),
        4 => (0..ROOMS.len(), 0..3_u8, 0..40_u64, 0..EMOJI.len(), any::<bool>()).prop_map(
            |(room, user, target, emoji, is_added)| Operation::React { room, user, target, emoji, is_added }
        ),
        1 => (0..6_u64).prop_map(|count| Operation::Prune { count }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_memory(operations in prop::collection::vec(operation(), 0..60), limit in 1..9_usize) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            compare(memory().await, operations, limit, PrunedIds::Forgotten).await;
        });
    }

    #[test]
    fn in_sqlite(operations in prop::collection::vec(operation(), 0..60), limit in 1..9_usize) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            compare(sqlite().await, operations, limit, PrunedIds::Recognised).await;
        });
    }
}
