//! RFC 6455 case by case: what a server without extensions must accept, and what it must reject and
//! how.
//!
//! The groups are those of the Autobahn test suite that apply to such a server (1 to 7 and 9). The
//! cases are rows of tables with our own numbers: group, section, row. The suite expects an echo
//! server; here, a message counts as echoed when its sender receives it as an event.

mod closing;
mod fragments;
mod framing;
mod limits;
mod pings;
mod reserved;
mod table;
mod utf8;

use std::collections::HashSet;

use table::{Case, Table};

fn all() -> Vec<Case> {
    [
        framing::cases(),
        pings::cases(),
        reserved::bits(),
        reserved::opcodes(),
        fragments::cases(),
        utf8::cases(),
        closing::cases(),
        limits::cases(),
    ]
    .into_iter()
    .flat_map(Table::into_cases)
    .collect()
}

#[test]
fn numbers_and_names_of_cases_are_unique() {
    let cases = all();
    let numbers: HashSet<_> = cases.iter().map(|case| &case.number).collect();
    assert_eq!(numbers.len(), cases.len());
    let mut names = HashSet::new();
    for case in &cases {
        let group = case.number.split('.').next();
        assert!(names.insert((group, &case.name)), "{} {} occurs twice", case.number, case.name);
    }
    // without this, a table without rows would pass
    assert!(cases.len() >= 780, "{}", cases.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_all_sizes_are_accepted() {
    framing::cases().run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_are_answered_and_pongs_ignored() {
    pings::cases().run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_bits_are_rejected() {
    reserved::bits().run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_opcodes_are_rejected() {
    reserved::opcodes().run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fragmented_messages_are_assembled() {
    fragments::cases().run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_must_be_utf8() {
    utf8::cases().run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn close_frames_are_answered() {
    closing::cases().run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_limit_is_enforced() {
    limits::cases().run().await;
}
