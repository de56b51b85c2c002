//! Any bytes after a handshake: the messages in the room and the close code are the same however
//! the bytes are split.

use chat_protocol::{Event, Identity, RoomName, Username};
use chat_rooms::{Sink, Subscribe};
use chat_server::Config;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use futures::FutureExt;
use tokio::task::yield_now;

use crate::served::{LocalServer, runtime, split, whole};

/// The end of the last block of a compressed message, which is not sent.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The maximum number of turns of the runtime until a member has left.
const MAX_TURNS: usize = 10_000;

/// The effect of the bytes.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// The messages in the room, with their senders.
    messages: Vec<(Username, String)>,
    /// The code of the close frame.
    code: Option<u16>,
}

/// The first byte selects the protocol, whether the rest is frames or the texts of frames (one per
/// line), whether messages may be compressed, and how the bytes are split.
pub(crate) fn run(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let is_compressed = first & 4 != 0;
    let extensions = if is_compressed { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    let path = if first & 1 == 0 { "/ws/chat/r/ana" } else { "/ws" };
    let mut sent = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat.v2\r\n{extensions}\r\n"
    )
    .into_bytes();
    let head = sent.len();
    if first & 2 == 0 {
        sent.extend_from_slice(bytes);
    } else {
        for text in bytes.split(|byte| *byte == b'\n') {
            if is_compressed {
                frame(0xc1, &deflated(text), &mut sent);
            } else {
                frame(0x81, text, &mut sent);
            }
        }
    }
    let (head, frames) = sent.split_at(head);
    let unsplit = outcome(is_compressed, whole(&sent));
    let split = outcome(is_compressed, whole(head).chain(split(frames, first >> 3)));
    assert_eq!(unsplit, split, "in one piece, and split");
}

/// Compresses a message without context takeover (RFC 7692, section 7.2.1).
fn deflated(text: &[u8]) -> Vec<u8> {
    let mut deflated = Vec::with_capacity(2 * text.len() + 64);
    let mut compress = Compress::new(Compression::fast(), false);
    compress.compress_vec(text, &mut deflated, FlushCompress::Sync).expect("compressed");
    deflated.strip_suffix(&TAIL).expect("the end of a block").to_vec()
}

fn inflated(payload: &[u8]) -> Vec<u8> {
    let (mut inflated, mut decompress) = (Vec::with_capacity(4 << 20), Decompress::new(false));
    let whole = [payload, &TAIL].concat();
    decompress.decompress_vec(&whole, &mut inflated, FlushDecompress::Sync).expect("a compressed message");
    inflated
}

/// Appends a frame with a mask of zeros (RFC 6455, section 5.2).
fn frame(first: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    match u16::try_from(text.len()) {
        Ok(length @ 0..126) => out.push(0x80 | length as u8),
        Ok(length) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(text.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(text);
}

/// Sends these pieces to a new server: on a shared one, messages of earlier inputs would be
/// recognised by their ids.
fn outcome<'a>(deflate: bool, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    runtime().block_on(async {
        let server = LocalServer::start(Config { deflate, ..Config::default() }).await;
        exchange(&server, pieces).await
    })
}

async fn exchange<'a>(server: &LocalServer, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let room: RoomName = "r".parse().expect("a name");
    let (sink, mut events) = Sink::channel(100_000);
    let watcher = Identity::one_time_guest(0, "watcher".parse().expect("a name"));
    let watcher =
        server.engine.join(&watcher, &room, Subscribe::new(sink).with_lists()).await.expect("admitted");
    let answer = server.exchange(pieces).await;
    let code = close_code(&answer);
    let mut turns = 0;
    while server.engine.room_count() > 1 || watcher.members().total() > 1 {
        turns += 1;
        assert!(turns < MAX_TURNS, "a member remains: {:?}", watcher.members());
        yield_now().await;
    }
    watcher.idle().await;
    let mut messages = Vec::new();
    while let Some(Some(event)) = events.next().now_or_never() {
        if let Event::Message { message, .. } = &*event
            && let Some(text) = message.text()
        {
            messages.push((text.from.clone(), text.body.to_string()));
        }
    }
    Outcome { messages, code }
}

fn negotiates_compression(head: &[u8]) -> bool {
    String::from_utf8_lossy(head).contains("permessage-deflate")
}

/// Checks the frames after the server's response head, and returns the code of the close frame, if
/// any.
fn close_code(answer: &[u8]) -> Option<u16> {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{:?}", String::from_utf8_lossy(answer));
    let (mut frames, mut code) = (&answer[head..], None);
    while let [first, second, rest @ ..] = frames {
        assert!(code.is_none(), "a frame after the close frame");
        // the server compresses only if that was negotiated
        assert!(*first != 0xc1 || negotiates_compression(&answer[..head]));
        assert!(
            matches!(first, 0x81 | 0xc1 | 0x88 | 0x89 | 0x8a) && second & 0x80 == 0,
            "{first:#x} {second:#x}"
        );
        let (length, rest) = match *second {
            126 => {
                rest.split_first_chunk().map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest))
            }
            127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest)),
            length => Some((u64::from(length), rest)),
        }
        .expect("a whole header");
        let (payload, rest) = rest.split_at_checked(length as usize).expect("a whole frame");
        if *first == 0x88 {
            code = Some(payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code)));
        } else if *first == 0xc1 {
            serde_json::from_slice::<serde::de::IgnoredAny>(&inflated(payload)).expect("JSON");
        } else if *first == 0x81 {
            serde_json::from_slice::<serde::de::IgnoredAny>(payload).expect("JSON");
        }
        frames = rest;
    }
    assert!(frames.is_empty(), "an incomplete frame");
    code
}
