//! Any bytes to a listener: the server answers in HTTP or closes the connection, the same however
//! the bytes are split, and keeps working.

use std::cell::RefCell;

use chat_server::{Config, ProxyHeader};
use tokio::runtime::Runtime;

use crate::served::{LocalServer, runtime, split, whole};

/// Servers with different settings, and the number of inputs so far.
struct Servers {
    runtime: Runtime,
    servers: [LocalServer; 3],
    inputs: u32,
}

/// Checks the health of the servers after this many inputs.
const CHECK_EVERY: u32 = 256;

/// The statuses of answers that do not open a WebSocket.
const STATUSES: [u16; 19] =
    [200, 204, 206, 304, 308, 400, 403, 404, 405, 412, 413, 414, 415, 416, 422, 426, 429, 431, 503];

thread_local! {
    static SERVERS: RefCell<Servers> = RefCell::new(Servers::start());
}

/// The first byte selects the server, and how the rest is split.
pub(crate) fn run(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    SERVERS.with_borrow_mut(|servers| servers.check(usize::from(first % 3), bytes, first / 3));
}

impl Servers {
    fn start() -> Self {
        let runtime = runtime();
        let servers = runtime.block_on(async {
            let mut proxied = Config::default();
            proxied.proxies.trusted = "127.0.0.0/8, 10.0.0.0/8".parse().expect("networks");
            proxied.origins = "https://chat.example, http://localhost:5173".parse().expect("origins");
            let mut prefixed = proxied.clone();
            prefixed.proxies.header = ProxyHeader::ProxyProtocol;
            [
                LocalServer::start(Config::default()).await,
                LocalServer::start(proxied).await,
                LocalServer::start(prefixed).await,
            ]
        });
        Self { runtime, servers, inputs: 0 }
    }

    fn check(&mut self, index: usize, bytes: &[u8], seed: u8) {
        let server = &self.servers[index];
        let split = self.runtime.block_on(server.exchange(split(bytes, seed)));
        let unsplit = self.runtime.block_on(server.exchange(whole(bytes)));
        match [&split, &unsplit].map(|answer| assert_answer(answer, bytes)) {
            // a client that has hung up already is not admitted; an incomplete head is not parsed
            // again until it is complete
            [Some(101), None] | [None, Some(400 | 431)] => {}
            [split, unsplit] => assert_eq!(split, unsplit, "split, and in one piece"),
        }
        self.inputs += 1;
        if self.inputs.is_multiple_of(CHECK_EVERY) {
            let probe = b"GET /readyz HTTP/1.0\r\n\r\n";
            let head = b"PROXY UNKNOWN\r\n";
            for (number, server) in self.servers.iter().enumerate() {
                let pieces = [&head[..], probe].into_iter().skip(usize::from(number != 2));
                let answer = self.runtime.block_on(server.exchange(pieces));
                assert!(answer.starts_with(b"HTTP/1.0 200 "), "{:?}", String::from_utf8_lossy(&answer));
                assert_eq!(server.engine.room_count(), 0, "no member remains");
            }
        }
    }
}

/// Checks the answer and returns its status.
fn assert_answer(answer: &[u8], sent: &[u8]) -> Option<u16> {
    if answer.is_empty() {
        return None;
    }
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let shown = || String::from_utf8_lossy(answer).into_owned();
    let parsed = response.parse(answer).unwrap_or_else(|error| panic!("{error}: {}", shown()));
    let httparse::Status::Complete(end) = parsed else { panic!("an incomplete head: {}", shown()) };
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
    let has_body = !matches!(status, 204 | 304) && !sent.windows(5).any(|word| word == b"HEAD ");
    if let Some(length) = length.filter(|_| has_body) {
        assert!(answer.len() - end >= length, "an incomplete body: {}", shown());
    }
    Some(status)
}
