//! Tokens that a program fetches for each session.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chat_client::{Client, ConnectError, Disconnect, Event, Options};
use futures::future::pending;

use crate::server::{Server, within_timeout};

/// Options with numbered tokens. The provider fails for the token with number `missing`.
fn tokens(options: Options, missing: u32) -> Options {
    let asked = Arc::new(AtomicU32::new(0));
    options.token_provider(move || {
        let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
        async move {
            if number == missing {
                return Err(io::Error::other("the issuer is down"));
            }
            Ok(format!("token {number}"))
        }
    })
}

#[tokio::test]
async fn each_session_begins_with_a_new_token() {
    let server = Server::start().await;
    let options = tokens(server.options(), 2);
    let (connected, (peer, hello)) = tokio::join!(Client::connect(options), server.welcome());
    assert_eq!(hello["token"], "token 1");
    let (_client, mut events) = connected.unwrap();
    drop(peer);

    let (_peer, hello) = within_timeout("the next session", server.welcome()).await;
    assert_eq!((&hello["token"], &hello["replaces"]), (&"token 3".into(), &"session-1".into()));
    let mut without = None;
    while let Some(event) = within_timeout("an event", events.next()).await {
        match event {
            Event::Disconnected { reason: Disconnect::Unreachable(error), .. } => without = Some(error),
            Event::Connected(_) if without.is_some() => break,
            _ => {}
        }
    }
    assert_eq!(without, Some(ConnectError::Token("the issuer is down".into())), "and it tried again");
}

#[tokio::test]
async fn the_first_session_fails_without_a_token() {
    let server = Server::start().await;
    let error = Client::connect(tokens(server.options(), 1)).await.unwrap_err();
    assert_eq!(error, ConnectError::Token("the issuer is down".into()));
    assert!(!error.is_final());
}

#[tokio::test]
async fn a_slow_token_provider_times_out() {
    let server = Server::start().await;
    let limit = Duration::from_millis(50);
    let never = || pending::<Result<String, io::Error>>();
    let options = server.options().connect_timeout(limit).token_provider(never);
    let connecting = within_timeout("the result of connect", Client::connect(options)).await;
    assert_eq!(connecting.unwrap_err(), ConnectError::TimedOut(limit));
}

#[test]
fn debug_omits_the_token_and_its_provider() {
    let options = Options::new("ws://localhost/ws", "ana".parse().unwrap());
    assert!(!format!("{:?}", options.clone().token("s3cret")).contains("s3cret"));
    assert!(!format!("{:?}", tokens(options, 0)).contains("token 1"));
}
