//! How a client begins, and how it ends.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use chat_client::{Client, Closed, CommandError, ConnectError, ErrorCode, Event, JoinOptions, Options};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio_tungstenite::accept_async;

use crate::server::{Server, lobby, within_timeout};

async fn refused(options: Options) -> ConnectError {
    within_timeout("the result of connect", Client::connect(options)).await.unwrap_err()
}

#[tokio::test]
async fn hello_and_welcome_carry_the_options_and_the_limits() {
    let server = Server::start().await;
    let options = server.options().token("let me in").client("a test").render();
    let (connected, (_peer, hello)) = tokio::join!(Client::connect(options), server.welcome());
    let first_hello = json!({
        "type": "hello", "username": "ana", "token": "let me in", "client": "a test", "render": true,
    });
    assert_eq!(hello, first_hello);
    let (client, mut events) = connected.unwrap();
    let Some(Event::Connected(connected)) = events.next().await else { panic!("not connected") };
    assert_eq!(
        (&*connected.session, connected.user.username.as_str(), &*connected.server),
        ("session-1", "ana", "script 1")
    );
    assert_eq!(connected.limits.message_bytes, 131_072);
    assert_eq!(client.counters().sessions, 1);
}

#[tokio::test]
async fn an_unreachable_address_is_an_error() {
    // bound and not listening: connections are refused, and no other process gets the port
    let taken = TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let options = Options::new(format!("ws://{}/ws", taken.local_addr().unwrap()), "ana".parse().unwrap());
    let error = refused(options).await;
    assert!(
        matches!(error, ConnectError::Unreachable { kind: ErrorKind::ConnectionRefused, .. }),
        "{error:?}"
    );
    assert!(error.source().unwrap().is::<io::Error>());
    let no_address = Options::new("http://127.0.0.1/", "ana".parse().unwrap());
    assert!(matches!(refused(no_address).await, ConnectError::Url(_)));
}

#[tokio::test]
async fn a_full_server_is_an_error() {
    let server = Server::start().await;
    let full = async {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        server.socket().await.write_all(answer).await.unwrap();
    };
    let (error, ()) = tokio::join!(refused(server.options()), full);
    assert_eq!(error, ConnectError::Handshake { status: 503 });
}

#[tokio::test]
async fn a_server_without_chat_v2_is_an_error() {
    let server = Server::start().await;
    let (error, _) =
        tokio::join!(refused(server.options()), async { accept_async(server.socket().await).await });
    assert!(matches!(error, ConnectError::Dialect(_)), "{error:?}");
    assert!(error.source().unwrap().to_string().contains("protocol"), "{error:?}");
}

#[tokio::test]
async fn a_refused_hello_is_an_error() {
    let server = Server::start().await;
    let refusing = async {
        let mut peer = server.accept().await;
        let hello = peer.receive("hello").await;
        peer.refuse(&hello, "unauthorized").await;
        peer.close(4401).await;
    };
    let (error, ()) = tokio::join!(refused(server.options()), refusing);
    assert!(matches!(error, ConnectError::Refused { code: ErrorCode::Unauthorized, .. }), "{error}");
    assert!(error.is_final());
}

#[tokio::test]
async fn a_bye_a_silent_server_and_a_lost_connection_are_errors() {
    let server = Server::start().await;
    let (error, ()) = tokio::join!(refused(server.options()), async {
        server.accept().await.bye(1001, true, Some(5)).await;
    });
    assert!(matches!(error, ConnectError::Bye(bye) if bye.after_ms == Some(5)));

    let (error, ()) = tokio::join!(refused(server.options()), async { server.accept().await.reset() });
    assert!(matches!(error, ConnectError::Ended(_)), "{error}");

    let hurried = server.options().connect_timeout(Duration::from_millis(50));
    let (error, _silent) = tokio::join!(refused(hurried), server.socket());
    assert_eq!(error, ConnectError::TimedOut(Duration::from_millis(50)));
}

#[tokio::test]
async fn close_sends_a_close_frame_and_waits_for_the_answer() {
    let server = Server::start().await;
    let (client, received, mut peer) = server.client_in_lobby(server.options()).await;
    let receipt = client.send(&lobby(), "last words");
    let ending = async {
        let send = peer.receive("send").await;
        peer.ack(&send, 6).await;
        peer.closed().await
    };
    let ((), code) = tokio::join!(within_timeout("the close", client.close()), ending);
    assert_eq!(code, Some(1000));
    assert_eq!(receipt.await.unwrap().seq, 6);
    assert!(client.is_closed());
    assert_eq!(client.send(&lobby(), "too late").await, Err(CommandError::Closed));
    assert_eq!(client.join(&lobby(), JoinOptions::default()).await, Err(CommandError::Closed));
    client.close().await;
    assert_eq!(received.rest().await, ["closed"]);
}

#[tokio::test]
async fn close_waits_no_longer_than_its_timeout() {
    let server = Server::start().await;
    let options = server.options().close_timeout(Duration::from_millis(20));
    let (client, mut received, _peer) = server.client_in_lobby(options).await;
    let receipt = client.send(&lobby(), "last words");
    within_timeout("the close", client.close()).await;
    assert_eq!(receipt.await, Err(CommandError::Closed));
    assert_eq!(received.event().await, Event::Closed(Closed::Requested));
}

#[tokio::test]
async fn close_resolves_at_once_without_a_connection() {
    let server = Server::start().await;
    let (client, received, peer) = server.client(server.options()).await;
    peer.bye(1001, true, Some(3_600_000)).await;
    within_timeout("the close", client.close()).await;
    assert_eq!(received.rest().await, ["disconnected", "closed"]);
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_client() {
    let server = Server::start().await;
    let (client, received, mut peer) = server.client_in_lobby(server.options()).await;
    drop(client.clone());
    let receipt = client.send(&lobby(), "last words");
    drop(client);
    peer.receive("send").await;
    assert_eq!(peer.closed().await, Some(1000));
    assert_eq!(received.rest().await, ["closed"]);
    assert_eq!(receipt.await, Err(CommandError::Closed));
}
