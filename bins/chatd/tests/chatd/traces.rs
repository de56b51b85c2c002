//! Traces for an OpenTelemetry collector.

use crate::process::{chatd, refused};

#[cfg(not(feature = "opentelemetry"))]
#[test]
fn without_the_feature_the_option_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let output = refused(chatd(folder.path()).args(["--trace-endpoint", "http://127.0.0.1:4318/v1/traces"]));
    assert_eq!(output, "chatd: --trace-endpoint: this chatd was built without the feature opentelemetry\n");
}

#[test]
fn the_sample_is_a_number_from_0_to_1() {
    let folder = tempfile::tempdir().unwrap();
    for none in ["1.1", "-0.1", "NaN", "half"] {
        let output = refused(chatd(folder.path()).arg(format!("--trace-sample={none}")));
        assert!(output.contains("a number from 0 to 1"), "{output}");
    }
}

#[cfg(feature = "opentelemetry")]
mod with {
    use std::time::Duration;

    use chat_testkit::{Client, v2};
    use rustix::process::Signal;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use crate::process::{Running, chatd};

    /// Receives requests in the binary format of OTLP, which contains names and texts unchanged.
    async fn collect(listener: TcpListener, requests: mpsc::UnboundedSender<(String, Vec<u8>)>) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let requests = requests.clone();
            tokio::spawn(async move {
                let mut read = Vec::new();
                loop {
                    let end = loop {
                        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                            break end;
                        }
                        if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                            return;
                        }
                    };
                    let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
                    let length =
                        head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                    let length: usize = length.unwrap().parse().unwrap();
                    while read.len() < end + 4 + length {
                        assert!(stream.read_buf(&mut read).await.unwrap() > 0);
                    }
                    let body = read[end + 4..end + 4 + length].to_vec();
                    read.drain(..end + 4 + length);
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                    requests.send((head, body)).unwrap();
                }
            });
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn spans_are_exported_without_the_text_of_messages() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let (sender, mut requests) = mpsc::unbounded_channel();
        tokio::spawn(collect(listener, sender));
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--trace-endpoint", &endpoint, "--trace-sample", "1"];
        let mut server = Running::start(chatd(folder.path()).args(arguments));
        let (mut ana, _) = v2::Session::enter(server.address, "lobby", "ana").await;
        let _bob = Client::enter(server.address, "lobby", "bob").await;
        ana.send_message("lobby", "canary in a mine").await;
        server.signal(Signal::TERM);
        assert!(server.end_within(Duration::from_secs(15)).await.success());

        let mut all = Vec::new();
        while let Ok((head, body)) = requests.try_recv() {
            assert!(head.starts_with("post /v1/traces "), "{head}");
            all.extend(body);
        }
        let has = |text: &str| all.windows(text.len()).any(|window| window == text.as_bytes());
        for name in ["chatd", "handshake", "admit", "message", "commit", "fan_out", "lobby"] {
            assert!(has(name), "no {name} in {}", String::from_utf8_lossy(&all));
        }
        for secret in ["canary", ana.guest_token()] {
            assert!(!has(secret), "{secret} is in {}", String::from_utf8_lossy(&all));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_unreachable_collector_does_not_block_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--trace-endpoint", "http://127.0.0.1:9/v1/traces", "--trace-sample", "1"];
        let mut server = Running::start(chatd(folder.path()).args(arguments));
        let (mut ana, _) = v2::Session::enter(server.address, "lobby", "ana").await;
        for _ in 0..100 {
            ana.send_message("lobby", "hello").await;
        }
        server.signal(Signal::TERM);
        assert!(server.end_within(Duration::from_secs(15)).await.success());
    }
}
