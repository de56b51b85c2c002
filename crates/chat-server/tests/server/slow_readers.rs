//! Who does not read is put out, and nobody else notices.

use chat_protocol::Limits;
use chat_server::BacklogLimits;
use chat_server::{Config, Timings};
use chat_testkit::{Client, frame, handshake, path, said, soon};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::time::Duration;

use crate::support::{config, start_with, timings};

/// No pace, and little room for what waits.
fn unpaced() -> Config {
    Config {
        limits: Limits { message_rate: 0, ..Limits::default() },
        backlog: BacklogLimits { frames: 10_000, bytes: 1 << 20 },
        ..config()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_never_reads_is_put_out_and_the_others_get_everything() {
    let server = start_with(unpaced()).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut slow = Client::enter(server.address, "r", "slow").await;
    let address = server.address;
    let hearing = tokio::spawn(async move {
        let mut bob = Client::enter(address, "r", "bob").await;
        assert_eq!(bob.brief().await, "+bob");
        let (mut heard, mut left) = (Vec::new(), 0);
        loop {
            match bob.brief().await.as_str() {
                "-slow" => left += 1,
                "ana: enough" => return (heard, left),
                said => heard.push(said.strip_prefix("ana: ").unwrap().split(' ').next().unwrap().to_owned()),
            }
        }
    });
    for expected in ["+ana", "+slow", "+bob"] {
        assert_eq!(ana.brief().await, expected);
    }
    // the system's own buffers take some megabytes before anything has to wait
    let mut said = 0;
    let filler = "x".repeat(50_000);
    let mut put_out = false;
    while !put_out {
        ana.say(&format!("{said} {filler}")).await;
        said += 1;
        loop {
            match ana.brief().await.as_str() {
                "-slow" => put_out = true,
                message if message.starts_with(&format!("ana: {} ", said - 1)) => break,
                other => panic!("{}", &other[..20]),
            }
        }
        assert!(said < 2_000, "a hundred megabytes wait for one reader");
    }
    ana.say("enough").await;
    let (heard, left) = soon("bob has heard everything", hearing).await.unwrap();
    assert!(heard.into_iter().eq((0..said).map(|i| i.to_string())));
    assert_eq!(left, 1);
    server.until_rows("r", &["ana"]).await;
    // it may come back, and what it reads of the old connection is whole: the frames, and then the end
    let mut again = Client::enter(server.address, "r", "slow").await;
    assert_eq!(again.brief().await, "+slow");
    assert!(matches!(slow.closed().await, Some(4503) | None));
    server.stop().await.unwrap();
}

/// Who has read fast is given some megabytes by the system, and that is no backlog that anyone counts.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_read_fast_and_stops_is_put_out_as_soon() {
    let server = start_with(unpaced()).await;
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
        ana.say(&filler).await;
        for hears in [&mut ana, &mut slow] {
            assert!(hears.brief().await.starts_with("ana: x"));
        }
    }
    let mut unread = 0;
    loop {
        ana.say(&filler).await;
        if ana.brief().await == "-slow" {
            break;
        }
        unread += 1;
    }
    // 1 MiB of backlog, 256 KiB in the system, the window, and a frame at the edge of each
    assert!((20..40).contains(&unread), "{unread} times 50,000 bytes wait for one reader");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_slow_readers_together_are_bounded_and_the_others_get_everything() {
    let backlog = BacklogLimits { frames: 1_000_000, bytes: 1 << 30 };
    let server = start_with(Config { backlog, backlog_total_bytes: 2 << 20, ..unpaced() }).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let mut slow = Vec::new();
    for i in 0..5 {
        slow.push(Client::enter(server.address, "r", &format!("slow{i}")).await);
        assert_eq!(ana.brief().await, format!("+slow{i}"));
    }
    let filler = "x".repeat(50_000);
    let (mut said, mut heard, mut put_out) = (0, 0, 0);
    while put_out < slow.len() {
        ana.say(&format!("{said} {filler}")).await;
        said += 1;
        while heard < said {
            let event = ana.brief().await;
            if event.starts_with("-slow") {
                put_out += 1;
            } else {
                assert!(event.starts_with(&format!("ana: {heard} ")), "{}", &event[..20]);
                heard += 1;
            }
        }
        assert!(said < 2_000, "a hundred megabytes wait for five readers");
    }
    server.until_rows("r", &["ana"]).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_without_reading_is_not_put_out_for_its_own_words() {
    const COUNT: usize = 20_000;
    let server = start_with(unpaced()).await;
    let ana = Client::enter(server.address, "r", "ana").await;
    let (mut reading, mut writing) = split(ana).await;
    let writer = tokio::spawn(async move {
        let piece: Vec<u8> = (0..COUNT)
            .flat_map(|i| frame::whole(frame::TEXT, said(&format!("{i} {}", "y".repeat(500))).as_bytes()))
            .collect();
        writing.write_all(&piece).await.unwrap();
        writing
    });
    // ten megabytes of its own words, with room for one: it has to be read more slowly than it writes
    tokio::time::sleep(Duration::from_millis(300)).await;
    let messages = soon("everything comes back", reading.messages(COUNT)).await;
    assert!(messages.iter().enumerate().all(|(i, message)| message.starts_with(&format!("{i} "))));
    soon("everything was sent", writer).await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_nonsense_without_reading_is_not_put_out_for_the_answers() {
    const COUNT: usize = 20_000;
    let server = start_with(unpaced()).await;
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

/// A client for reading, and its socket once more for writing.
async fn split(mut client: Client) -> (Client, tokio::net::TcpStream) {
    let again = socket2::SockRef::from(&*client.stream()).try_clone().unwrap();
    (client, tokio::net::TcpStream::from_std(again.into()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_is_out_although_it_speaks() {
    let timings =
        Timings { ping: Duration::from_millis(50), silence: Duration::from_millis(500), ..timings() };
    let backlog = BacklogLimits { frames: 1 << 30, bytes: 1 << 30 };
    let server = start_with(Config { timings, backlog, ..unpaced() }).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut slow = Client::enter(server.address, "r", "slow").await;
    let filler = "x".repeat(100_000);
    let speaking = async {
        loop {
            ana.say(&filler).await;
            loop {
                match ana.brief().await.as_str() {
                    "-slow" => return,
                    message if message.starts_with("ana: ") => break,
                    _ => {}
                }
            }
            // every few frames a sign of life, and never a read
            let _ = slow.stream().write_all(&frame::whole(frame::PONG, b"")).await;
        }
    };
    soon("slow is out", speaking).await;
    server.stop().await.unwrap();
}
