//! How a client begins and how it ends.

use std::time::Duration;

use chat_client::chat_protocol::v2::ErrorCode;
use chat_client::{Client, Closed, CommandError, ConnectError, Event, JoinOptions, Options};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio_tungstenite::accept_async;

use crate::server::{Server, lobby, soon};

async fn refused(options: Options) -> ConnectError {
    soon("the end of connecting", Client::connect(options)).await.unwrap_err()
}

#[tokio::test]
async fn hello_says_who_comes_and_welcome_who_is_there() {
    let server = Server::start().await;
    let options = server.options().token("let me in").client("a test").render();
    let (connected, (_peer, hello)) = tokio::join!(Client::connect(options), server.welcome());
    let hello_of_a_first = json!({
        "type": "hello", "username": "ana", "token": "let me in", "client": "a test", "render": true,
    });
    assert_eq!(hello, hello_of_a_first);
    let (client, mut events) = connected.unwrap();
    let Some(Event::Connected(connected)) = events.next().await else { panic!("not connected") };
    assert_eq!(
        (&*connected.session, connected.username.as_str(), &*connected.server),
        ("session-1", "ana", "script 1")
    );
    assert_eq!(connected.limits.message_bytes, 131_072);
    assert_eq!(client.counters().sessions, 1);
}

#[tokio::test]
async fn nobody_at_the_address() {
    // bound and not listening: whoever connects is refused, and nobody else gets the port
    let taken = TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let options = Options::new(format!("ws://{}/ws", taken.local_addr().unwrap()), "ana".parse().unwrap());
    assert!(matches!(refused(options).await, ConnectError::Unreachable { .. }));
    let no_address = Options::new("http://127.0.0.1/", "ana".parse().unwrap());
    assert!(matches!(refused(no_address).await, ConnectError::Url(_)));
}

#[tokio::test]
async fn a_server_that_is_full() {
    let server = Server::start().await;
    let full = async {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        server.socket().await.write_all(answer).await.unwrap();
    };
    let (error, ()) = tokio::join!(refused(server.options()), full);
    assert_eq!(error, ConnectError::Handshake { status: 503 });
}

#[tokio::test]
async fn a_server_of_another_kind() {
    let server = Server::start().await;
    let (error, _) =
        tokio::join!(refused(server.options()), async { accept_async(server.socket().await).await });
    assert!(matches!(error, ConnectError::Dialect(_)), "{error}");
}

#[tokio::test]
async fn a_hello_that_is_refused() {
    let server = Server::start().await;
    let refusing = async {
        let mut peer = server.accept().await;
        let hello = peer.hears("hello").await;
        peer.refuses(&hello, "unauthorized").await;
        peer.close(4401).await;
    };
    let (error, ()) = tokio::join!(refused(server.options()), refusing);
    assert!(matches!(error, ConnectError::Refused { code: ErrorCode::Unauthorized, .. }), "{error}");
    assert!(error.is_final());
}

#[tokio::test]
async fn a_server_that_says_bye_or_nothing_or_ends_it() {
    let server = Server::start().await;
    let (error, ()) = tokio::join!(refused(server.options()), async {
        server.accept().await.bye(1001, true, Some(5)).await;
    });
    assert!(matches!(error, ConnectError::Bye(bye) if bye.after_ms == Some(5)));

    let (error, ()) = tokio::join!(refused(server.options()), async { server.accept().await.cut() });
    assert!(matches!(error, ConnectError::Ended(_)), "{error}");

    let hurried = server.options().connect_timeout(Duration::from_millis(50));
    let (error, _silent) = tokio::join!(refused(hurried), server.socket());
    assert_eq!(error, ConnectError::TimedOut(Duration::from_millis(50)));
}

#[tokio::test]
async fn closing_says_so_and_waits_for_the_answer() {
    let server = Server::start().await;
    let (client, told, mut peer) = server.client_in_lobby(server.options()).await;
    let receipt = client.send(&lobby(), "last words");
    let ending = async {
        let send = peer.hears("send").await;
        peer.acks(&send, 6).await;
        peer.closed().await
    };
    let ((), code) = tokio::join!(soon("the close", client.close()), ending);
    assert_eq!(code, Some(1000));
    assert_eq!(receipt.await.unwrap().seq, 6);
    assert!(client.is_closed());
    assert_eq!(client.send(&lobby(), "too late").await, Err(CommandError::Closed));
    assert_eq!(client.join(&lobby(), JoinOptions::default()).await, Err(CommandError::Closed));
    client.close().await;
    assert_eq!(told.rest().await, ["closed"]);
}

#[tokio::test]
async fn closing_does_not_wait_for_ever() {
    let server = Server::start().await;
    let options = server.options().close_timeout(Duration::from_millis(20));
    let (client, mut told, _peer) = server.client_in_lobby(options).await;
    let receipt = client.send(&lobby(), "last words");
    soon("the close", client.close()).await;
    assert_eq!(receipt.await, Err(CommandError::Closed));
    assert_eq!(told.event().await, Event::Closed(Closed::Asked));
}

#[tokio::test]
async fn closing_between_two_connections_is_done_at_once() {
    let server = Server::start().await;
    let (client, told, peer) = server.client(server.options()).await;
    peer.bye(1001, true, Some(3_600_000)).await;
    soon("the close", client.close()).await;
    assert_eq!(told.rest().await, ["disconnected", "closed"]);
}

#[tokio::test]
async fn the_last_handle_takes_the_client_with_it() {
    let server = Server::start().await;
    let (client, told, mut peer) = server.client_in_lobby(server.options()).await;
    drop(client.clone());
    let receipt = client.send(&lobby(), "last words");
    drop(client);
    peer.hears("send").await;
    assert_eq!(peer.closed().await, Some(1000));
    assert_eq!(told.rest().await, ["closed"]);
    assert_eq!(receipt.await, Err(CommandError::Closed));
}
