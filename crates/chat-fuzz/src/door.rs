//! Any bytes to a server's door: it answers in HTTP or hangs up, the same however they are cut, and goes on.

use std::cell::RefCell;

use chat_server::{Config, ProxyHeader};
use tokio::runtime::Runtime;

use crate::served::{Served, cut, runtime, whole};

/// Servers that are set up differently, and how many they have answered.
struct Doors {
    runtime: Runtime,
    doors: [Served; 3],
    answered: u32,
}

/// So often it is asked whether everything is well.
const LOOK_EVERY: u32 = 256;

/// What is said to whom no WebSocket is opened.
const STATUSES: [u16; 15] = [200, 204, 206, 304, 400, 403, 404, 405, 412, 414, 416, 426, 429, 431, 503];

thread_local! {
    static DOORS: RefCell<Doors> = RefCell::new(Doors::open());
}

/// The first byte says at which door, and how what follows is cut.
pub(crate) fn run(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    DOORS.with_borrow_mut(|doors| doors.knock(usize::from(first % 3), bytes, first / 3));
}

impl Doors {
    fn open() -> Self {
        let runtime = runtime();
        let doors = runtime.block_on(async {
            let mut proxied = Config::default();
            proxied.proxies.trusted = "127.0.0.0/8, 10.0.0.0/8".parse().expect("networks");
            proxied.origins = "https://chat.example, http://localhost:5173".parse().expect("origins");
            let mut prefixed = proxied.clone();
            prefixed.proxies.header = ProxyHeader::ProxyProtocol;
            [
                Served::start(Config::default()).await,
                Served::start(proxied).await,
                Served::start(prefixed).await,
            ]
        });
        Self { runtime, doors, answered: 0 }
    }

    fn knock(&mut self, door: usize, bytes: &[u8], seed: u8) {
        let door = &self.doors[door];
        let cut = self.runtime.block_on(door.answer(cut(bytes, seed)));
        let uncut = self.runtime.block_on(door.answer(whole(bytes)));
        match [&cut, &uncut].map(|answer| assert_answer(answer, bytes)) {
            // who has hung up already is not let in; what could be the beginning of a head is not looked at again before it is
            // complete
            [Some(101), None] | [None, Some(400 | 431)] => {}
            [cut, uncut] => assert_eq!(cut, uncut, "cut, and in one piece"),
        }
        self.answered += 1;
        if self.answered.is_multiple_of(LOOK_EVERY) {
            let probe = b"GET /readyz HTTP/1.0\r\n\r\n";
            let head = b"PROXY UNKNOWN\r\n";
            for (number, door) in self.doors.iter().enumerate() {
                let pieces = [&head[..], probe].into_iter().skip(usize::from(number != 2));
                let answer = self.runtime.block_on(door.answer(pieces));
                assert!(answer.starts_with(b"HTTP/1.0 200 "), "{:?}", String::from_utf8_lossy(&answer));
                assert_eq!(door.engine.room_count(), 0, "nobody is left over");
            }
        }
    }
}

/// Gives the status of the first answer.
fn assert_answer(answer: &[u8], asked: &[u8]) -> Option<u16> {
    if answer.is_empty() {
        return None;
    }
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let shown = || String::from_utf8_lossy(answer).into_owned();
    let parsed = response.parse(answer).unwrap_or_else(|error| panic!("{error}: {}", shown()));
    let httparse::Status::Complete(end) = parsed else { panic!("half a head: {}", shown()) };
    let status = response.code.unwrap_or_default();
    if status == 101 {
        let accepted =
            response.headers.iter().any(|field| field.name.eq_ignore_ascii_case("sec-websocket-accept"));
        assert!(accepted, "{}", shown());
        return Some(status);
    }
    assert!(STATUSES.contains(&status), "{}", shown());
    let length = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = length.map(|field| std::str::from_utf8(field.value).unwrap().parse::<usize>().unwrap());
    let has_body = !matches!(status, 204 | 304) && !asked.windows(5).any(|word| word == b"HEAD ");
    if let Some(length) = length.filter(|_| has_body) {
        assert!(answer.len() - end >= length, "half a body: {}", shown());
    }
    Some(status)
}
