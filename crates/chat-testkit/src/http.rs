//! HTTP requests, written and read by hand.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::soon;

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers: names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, without anything after its announced length.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Reads the body of this response.
    pub(crate) async fn with_body(mut self, stream: &mut TcpStream, mut read: Vec<u8>) -> Self {
        let length = self.header("content-length").map_or(0, |length| length.parse().expect("a length"));
        while read.len() < length {
            let count = soon("the body", stream.read_buf(&mut read)).await.expect("the body");
            assert!(count > 0, "the body is as long as it says");
        }
        self.body = read;
        self.body.truncate(length);
        self
    }
}

/// Sends one request on a new connection. `headers` are complete lines.
pub async fn request(server: SocketAddr, method: &str, path: &str, headers: &[&str]) -> Answer {
    let mut stream = TcpStream::connect(server).await.expect("a connection");
    request_on(&mut stream, method, path, headers).await
}

/// The status of the answer to one request on a new connection to a server that may be killed
/// meanwhile; `None` if there is no answer.
pub async fn try_status(server: SocketAddr, method: &str, path: &str, headers: &[&str]) -> Option<u16> {
    let mut stream = TcpStream::connect(server).await.ok()?;
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    soon("the end of an answer", stream.read_to_end(&mut answer)).await.ok()?;
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1)?.parse().ok()
}

/// Sends one request on a connection that may have been used before.
pub async fn request_on(stream: &mut TcpStream, method: &str, path: &str, headers: &[&str]) -> Answer {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
    stream.write_all(head.as_bytes()).await.expect("the request is sent");
    let (answer, read) = read_head(stream).await;
    if method == "HEAD" { answer } else { answer.with_body(stream, read).await }
}

/// Sends one request with a JSON body on a new connection.
pub async fn send_json(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &Value,
) -> Answer {
    let mut stream = TcpStream::connect(server).await.expect("a connection");
    let body = body.to_string();
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{lines}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("the request is sent");
    let (answer, read) = read_head(&mut stream).await;
    answer.with_body(&mut stream, read).await
}

/// Whether a name is taken, according to the look-up.
pub async fn look_up(server: SocketAddr, room: &str, username: &str) -> bool {
    let answer = request(server, "GET", &format!("/chat/get_signed_user/{room}/{username}"), &[]).await;
    assert_eq!(answer.status, 200);
    answer.json()["user_exists"].as_bool().expect("a truth value")
}

/// The head of a response, and the bytes that were read after it.
pub(crate) async fn read_head(stream: &mut TcpStream) -> (Answer, Vec<u8>) {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let count = soon("an answer", stream.read_buf(&mut bytes)).await.expect("an answer");
        assert!(count > 0, "the connection ended without an answer: {:?}", String::from_utf8_lossy(&bytes));
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("text");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let header = |line: &str| {
        let (name, value) = line.split_once(':').expect("a header");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let answer =
        Answer { status: status.expect("a status"), headers: lines.map(header).collect(), body: Vec::new() };
    (answer, bytes.split_off(end + 4))
}
