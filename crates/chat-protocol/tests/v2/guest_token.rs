//! The secret that makes a client the same guest again.

use chat_protocol::ErrorCode;
use chat_protocol::v2::Command;
use serde_json::json;

use crate::{GUEST_TOKEN, guest_token, read, reference, rejected};

fn hello(guest_token: &str) -> String {
    json!({"ref": "r1", "type": "hello", "username": "ana", "guest_token": guest_token}).to_string()
}

#[test]
fn a_guest_token_has_43_characters() {
    let Command::Hello(hello) = read(&hello(GUEST_TOKEN)) else { unreachable!() };
    assert_eq!(hello.guest_token, Some(guest_token()));
    assert_eq!(GUEST_TOKEN.len(), 43);
}

#[test]
fn anything_else_is_a_missing_field() {
    for text in [
        "",
        " ",
        &GUEST_TOKEN[1..],
        &format!("{GUEST_TOKEN}A"),
        &format!("{GUEST_TOKEN}="),
        &format!(" {}", &GUEST_TOKEN[1..]),
        &GUEST_TOKEN.replace('A', "+"),
        &GUEST_TOKEN.replace("AAEC", "é"),
        // two bits of the last character belong to no byte, and have to be zero
        &GUEST_TOKEN.replace("h8", "h9"),
        &"A".repeat(100_000),
    ] {
        let rejected = rejected(&hello(text));
        assert_eq!((rejected.reference, rejected.code), (reference(), ErrorCode::MissingField), "{text:.50}");
    }
}

#[test]
fn the_error_does_not_quote_the_token() {
    for text in [format!("{GUEST_TOKEN}s3cret"), "s3cret".to_owned(), "s3cret+/".repeat(6)] {
        let rejected = rejected(&hello(&text));
        assert!(rejected.message.contains("guest_token"), "{}", rejected.message);
        assert!(!rejected.message.contains("s3cret"), "{}", rejected.message);
    }
}

#[test]
fn debug_omits_the_token_of_a_hello() {
    let command = read(&hello(GUEST_TOKEN));
    assert!(!format!("{command:?}").contains(GUEST_TOKEN));
}
