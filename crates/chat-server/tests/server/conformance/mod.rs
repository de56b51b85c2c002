//! RFC 6455 case by case: what a server without extensions has to take, and what it has to refuse and how.
//!
//! The groups are those of the Autobahn test suite which apply to such a server (1 to 7 and 9); the cases are rows of tables, with
//! numbers of our own: group, section, row. Where the suite's server echoes, this one chats: a message counts as echoed when its
//! sender gets it back as an event.

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
fn every_case_has_a_number_and_a_name_of_its_own() {
    let cases = all();
    let numbers: HashSet<_> = cases.iter().map(|case| &case.number).collect();
    assert_eq!(numbers.len(), cases.len());
    let mut names = HashSet::new();
    for case in &cases {
        let group = case.number.split('.').next();
        assert!(names.insert((group, &case.name)), "{} {} is there twice", case.number, case.name);
    }
    // a table that lost its rows would pass
    assert!(cases.len() >= 780, "{}", cases.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_all_sizes() {
    framing::cases().pass().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_and_pongs() {
    pings::cases().pass().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_bits() {
    reserved::bits().pass().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_opcodes() {
    reserved::opcodes().pass().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_in_fragments() {
    fragments::cases().pass().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_utf8() {
    utf8::cases().pass().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_handshakes() {
    closing::cases().pass().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_up_to_the_limit_and_over_it() {
    limits::cases().pass().await;
}
