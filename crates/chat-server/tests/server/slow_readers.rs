//! Clients that do not read are disconnected, and other clients are not affected.

use chat_protocol::Limits;
use chat_server::BacklogLimits;
use chat_server::{Config, Timings};
use chat_testkit::{Client, frame, handshake, path, said, soon};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::time::Duration;

use crate::support::{config, start_with, timings};

/// No rate limit and a small backlog limit.
fn without_rate_limit() -> Config {
    Config {
        limits: Limits { message_rate: 0, ..Limits::default() },
        backlog: BacklogLimits { frames: 10_000, bytes: 1 << 20 },
        ..config()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_disconnected_and_the_others_receive_everything() {
    let server = start_with(without_rate_limit()).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut slow = Client::enter(server.address, "r", "slow").await;
    let address = server.address;
    let receiving = tokio::spawn(async move {
        let mut bob = Client::enter(address, "r", "bob").await;
        assert_eq!(bob.brief().await, "+bob");
        let (mut received, mut left) = (Vec::new(), 0);
        loop {
            match bob.brief().await.as_str() {
                "-slow" => left += 1,
                "ana: enough" => return (received, left),
                message => received
                    .push(message.strip_prefix("ana: ").unwrap().split(' ').next().unwrap().to_owned()),
            }
        }
    });
    for expected in ["+ana", "+slow", "+bob"] {
        assert_eq!(ana.brief().await, expected);
    }
    // the system's buffers hold some megabytes before the backlog grows
    let mut sent = 0;
    let filler = "x".repeat(50_000);
    let mut is_disconnected = false;
    while !is_disconnected {
        ana.send_message(&format!("{sent} {filler}")).await;
        sent += 1;
        loop {
            match ana.brief().await.as_str() {
                "-slow" => is_disconnected = true,
                message if message.starts_with(&format!("ana: {} ", sent - 1)) => break,
                other => panic!("{}", &other[..20]),
            }
        }
        assert!(sent < 2_000, "100 megabytes are queued for one client");
    }
    ana.send_message("enough").await;
    let (received, left) = soon("bob has received everything", receiving).await.unwrap();
    assert!(received.into_iter().eq((0..sent).map(|i| i.to_string())));
    assert_eq!(left, 1);
    server.until_rows("r", &["ana"]).await;
    // the client may reconnect; on the old connection it reads whole frames, and then the end
    let mut successor = Client::enter(server.address, "r", "slow").await;
    assert_eq!(successor.brief().await, "+slow");
    assert!(matches!(slow.closed().await, Some(4503) | None));
    server.stop().await.unwrap();
}

/// The system grows the buffers of a client that reads fast to some megabytes, which do not count
/// towards the backlog.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_fast_client_that_stops_reading_is_disconnected_as_soon() {
    let server = start_with(without_rate_limit()).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    stream.write_all(handshake(&path("r", "slow")).as_bytes()).await.unwrap();
    let mut slow = Client::shake_hands(stream).await.unwrap();
    assert_eq!(slow.brief().await, "+slow");
    assert_eq!(ana.brief().await, "+slow");
    let filler = "x".repeat(50_000);
    for _ in 0..400 {
        ana.send_message(&filler).await;
        for client in [&mut ana, &mut slow] {
            assert!(client.brief().await.starts_with("ana: x"));
        }
    }
    let mut unread = 0;
    loop {
        ana.send_message(&filler).await;
        if ana.brief().await == "-slow" {
            break;
        }
        unread += 1;
    }
    // 1 MiB of backlog, 256 KiB in the system's buffers, the TCP window, and a frame at the edge of
    // each
    assert!((20..40).contains(&unread), "{unread} times 50,000 bytes are queued for one client");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_total_backlog_is_bounded_and_the_others_receive_everything() {
    let backlog = BacklogLimits { frames: 1_000_000, bytes: 1 << 30 };
    let server = start_with(Config { backlog, backlog_total_bytes: 2 << 20, ..without_rate_limit() }).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let mut slow = Vec::new();
    for i in 0..5 {
        slow.push(Client::enter(server.address, "r", &format!("slow{i}")).await);
        assert_eq!(ana.brief().await, format!("+slow{i}"));
    }
    let filler = "x".repeat(50_000);
    let (mut sent, mut received, mut disconnected) = (0, 0, 0);
    while disconnected < slow.len() {
        ana.send_message(&format!("{sent} {filler}")).await;
        sent += 1;
        while received < sent {
            let event = ana.brief().await;
            if event.starts_with("-slow") {
                disconnected += 1;
            } else {
                assert!(event.starts_with(&format!("ana: {received} ")), "{}", &event[..20]);
                received += 1;
            }
        }
        assert!(sent < 2_000, "100 megabytes are queued for five clients");
    }
    server.until_rows("r", &["ana"]).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_not_disconnected_for_the_backlog_of_its_own_messages() {
    const COUNT: usize = 20_000;
    let server = start_with(without_rate_limit()).await;
    let ana = Client::enter(server.address, "r", "ana").await;
    let (mut reading, mut writing) = split(ana).await;
    let writer = tokio::spawn(async move {
        let piece: Vec<u8> = (0..COUNT)
            .flat_map(|i| frame::whole(frame::TEXT, said(&format!("{i} {}", "y".repeat(500))).as_bytes()))
            .collect();
        writing.write_all(&piece).await.unwrap();
        writing
    });
    // ten megabytes of its own messages with a backlog limit of one: the server has to throttle it
    tokio::time::sleep(Duration::from_millis(300)).await;
    let messages = soon("everything comes back", reading.messages(COUNT)).await;
    assert!(messages.iter().enumerate().all(|(i, message)| message.starts_with(&format!("{i} "))));
    soon("everything was sent", writer).await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_not_disconnected_for_the_backlog_of_error_replies() {
    const COUNT: usize = 20_000;
    let server = start_with(without_rate_limit()).await;
    let (mut reading, mut writing) = split(Client::enter(server.address, "r", "ana").await).await;
    let writer = tokio::spawn(async move {
        let nonsense = format!("{{\"type\":\"{}\"}}", "z".repeat(500));
        let piece = frame::whole(frame::TEXT, nonsense.as_bytes()).repeat(COUNT);
        writing.write_all(&piece).await.unwrap();
        writing
    });
    assert_eq!(reading.brief().await, "+ana");
    for _ in 0..COUNT {
        assert_eq!(reading.event().await["type"], "chat_error");
    }
    soon("everything was sent", writer).await.unwrap();
    server.stop().await.unwrap();
}

/// A client for reading, and its socket for writing.
async fn split(mut client: Client) -> (Client, tokio::net::TcpStream) {
    let socket = socket2::SockRef::from(&*client.stream()).try_clone().unwrap();
    (client, tokio::net::TcpStream::from_std(socket.into()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_disconnected_although_it_sends() {
    let timings =
        Timings { ping: Duration::from_millis(50), silence: Duration::from_millis(500), ..timings() };
    let backlog = BacklogLimits { frames: 1 << 30, bytes: 1 << 30 };
    let server = start_with(Config { timings, backlog, ..without_rate_limit() }).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut slow = Client::enter(server.address, "r", "slow").await;
    let filler = "x".repeat(100_000);
    let sending = async {
        loop {
            ana.send_message(&filler).await;
            loop {
                match ana.brief().await.as_str() {
                    "-slow" => return,
                    message if message.starts_with("ana: ") => break,
                    _ => {}
                }
            }
            // a sign of life after every message, but no reads
            let _ = slow.stream().write_all(&frame::whole(frame::PONG, b"")).await;
        }
    };
    soon("slow is disconnected", sending).await;
    server.stop().await.unwrap();
}
