//! The PROXY protocol: the client's address as reported by a proxy in front of the server.

use std::net::IpAddr;

use bytes::{Buf, BytesMut};
use proxy_header::{Error, ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Maximum size of a header, in bytes. In practice what it holds besides the addresses is short.
const MAX_BYTES: usize = 4 * 1024;

/// Maximum size of a version 1 header, in bytes (section 2.1). The library enforces it only until
/// the end of the line has arrived.
const MAX_V1_BYTES: usize = 107;

/// Reads the PROXY protocol header (HAProxy's `proxy-protocol.txt`, sections 2.1 and 2.2), and
/// returns the client's address and the bytes read after the header. The address is `None` if the
/// proxy connects on its own behalf. Returns `None` if there is no valid header. Not cancel-safe:
/// what was read is lost.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<(Option<IpAddr>, BytesMut)> {
    let mut bytes = BytesMut::with_capacity(1024);
    loop {
        if bytes.len() >= MAX_BYTES || !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
            return None;
        }
        match ProxyHeader::parse(&bytes, ParseConfig::default()) {
            Ok((_, length)) if bytes.starts_with(b"PROXY") && length > MAX_V1_BYTES => return None,
            Ok((header, length)) => {
                let client = header.proxied_address().map(|address| address.source.ip());
                bytes.advance(length);
                return Some((client, bytes));
            }
            Err(Error::BufferTooShort) => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use proptest::prelude::*;

    fn read_now(mut bytes: &[u8]) -> Option<(Option<IpAddr>, BytesMut)> {
        read(&mut bytes).now_or_never().expect("reading from memory never waits")
    }

    /// A version 2 header: TCP over IPv4, from 203.0.113.9 (section 2.2).
    fn binary(command: u8) -> Vec<u8> {
        let head = [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, 0x11, 0, 12][..]].concat();
        [&head[..], &[203, 0, 113, 9, 192, 0, 2, 1, 0x12, 0x34, 0, 80]].concat()
    }

    #[test]
    fn both_versions_report_the_client() {
        let client = Some(IpAddr::from([203, 0, 113, 9]));
        let text = b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n";
        for (header, expected) in [
            (&text[..], client),
            (&binary(1)[..], client),
            (b"PROXY UNKNOWN\r\n", None),
            (&binary(0)[..], None),
        ] {
            let input = [header, b"GET /"].concat();
            assert_eq!(read_now(&input), Some((expected, b"GET /"[..].into())));
            assert_eq!(read_now(&header[..header.len() - 1]), None, "the header is incomplete");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_not_a_header_however_it_arrives() {
        for (length, expected) in [(107, Some((None, BytesMut::new()))), (108, None)] {
            let line = format!("PROXY UNKNOWN{:length$}\r\n", "", length = length - 15);
            assert_eq!(read_now(line.as_bytes()), expected, "{length} bytes");
            let (first, rest) = line.as_bytes().split_at(50);
            let mut cut = AsyncReadExt::chain(first, rest);
            assert_eq!(read(&mut cut).now_or_never(), Some(expected), "{length} bytes, cut");
        }
    }

    #[test]
    fn an_invalid_header_is_rejected_at_once() {
        for wrong in [
            &b""[..],
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"PROXY TCP4 nobody\r\n",
            b"PROXY TCP9 1 2 3 4\r\n",
        ] {
            assert_eq!(read_now(wrong), None, "{:?}", String::from_utf8_lossy(wrong));
        }
        let mut long = binary(1);
        long[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
        long.resize(100_000, 0);
        assert_eq!(read_now(&long), None);
    }

    proptest! {
        #[test]
        fn any_input_is_a_header_or_rejected(bytes in prop::collection::vec(any::<u8>(), 0..200), version in 0..3_usize) {
            let prefix: &[u8] = [&b""[..], b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"][version];
            let _ = read_now(&[prefix, &bytes].concat());
        }
    }
}
