//! Reads the head of a request. Its size is bounded, however slowly it arrives.

use bytes::{Bytes, BytesMut};
use http::{Request, Uri, Version};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::config::HEAD_BYTES;

/// Maximum number of header fields.
const MAX_FIELDS: usize = 100;

/// The head of a request, and the bytes that arrived after it.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) request: Request<()>,
    /// All bytes that were read.
    pub(crate) bytes: Bytes,
    /// Where the head ends in `bytes`.
    pub(crate) end: usize,
}

/// Why a head could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// The connection ended before the head was complete.
    Gone,
    /// It is not HTTP.
    Malformed,
    /// It is too large, or has too many fields.
    TooLarge,
}

/// Reads up to the end of the head, and not much further. `bytes` were read before. Not
/// cancel-safe: what was read is lost.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    mut bytes: BytesMut,
) -> Result<Head, HeadError> {
    bytes.reserve(1024);
    let mut searched = 0;
    loop {
        if bytes.len() == searched && stream.read_buf(&mut bytes).await.map_err(|_| HeadError::Gone)? == 0 {
            return Err(HeadError::Gone);
        }
        // what cannot become a head is refused at once; everything else is parsed once more when it
        // is complete
        let complete = find_end(&bytes, searched).is_some();
        if (complete || searched == 0)
            && let Some((request, end)) = parse(&bytes)?
        {
            return Ok(Head { request, bytes: bytes.freeze(), end });
        }
        if bytes.len() >= HEAD_BYTES {
            return Err(HeadError::TooLarge);
        }
        searched = bytes.len();
    }
}

/// Where the first empty line ends that was not complete in the first `searched` bytes.
fn find_end(bytes: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    let ends = |(i, byte): (usize, &u8)| {
        let line = &bytes[..from + i];
        (*byte == b'\n' && (line.ends_with(b"\n") || line.ends_with(b"\n\r"))).then_some(from + i + 1)
    };
    bytes[from..].iter().enumerate().find_map(ends)
}

/// The request and where its head ends. `None` while it is incomplete.
fn parse(bytes: &[u8]) -> Result<Option<(Request<()>, usize)>, HeadError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let end = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLarge),
        Err(_) => return Err(HeadError::Malformed),
    };
    let target: Uri = parsed.path.unwrap_or_default().parse().map_err(|_| HeadError::Malformed)?;
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let start = Request::builder().method(parsed.method.unwrap_or_default()).uri(target).version(version);
    // RFC 9112, section 3.2
    let hosts = parsed.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("host")).count();
    if hosts > 1 || (hosts == 0 && version == Version::HTTP_11) {
        return Err(HeadError::Malformed);
    }
    let request = parsed.headers.iter().fold(start, |request, field| request.header(field.name, field.value));
    Ok(Some((request.body(()).map_err(|_| HeadError::Malformed)?, end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &[u8] = b"GET /ws/chat/r/ana?x=1 HTTP/1.1\r\nHost: a\r\nX-Empty:\r\n\r\n";

    fn read_now(mut bytes: &[u8]) -> Result<Head, HeadError> {
        use futures::FutureExt;
        read(&mut bytes, BytesMut::new()).now_or_never().expect("reading from memory never waits")
    }

    /// A stream that yields `step` bytes at a time.
    fn trickled(bytes: &'static [u8], step: usize) -> impl AsyncRead + Unpin {
        let empty = Box::new(tokio::io::empty()) as Box<dyn AsyncRead + Unpin>;
        bytes.chunks(step).fold(empty, |before, chunk| Box::new(AsyncReadExt::chain(before, chunk)))
    }

    #[tokio::test]
    async fn a_head_is_read_in_pieces_of_any_size() {
        for step in 1..HEAD.len() {
            let (before, rest) = HEAD.split_at(step - 1);
            let head = read(&mut trickled(rest, step), before.into()).await.unwrap();
            assert_eq!(head.request.uri(), "/ws/chat/r/ana?x=1");
            assert_eq!(head.request.headers()["x-empty"], "");
            assert_eq!(head.end, HEAD.len());
        }
    }

    #[test]
    fn bytes_after_the_head_are_kept() {
        let head = read_now(&[HEAD, b"\x81\x80frames"].concat()).unwrap();
        assert_eq!(&head.bytes[head.end..], b"\x81\x80frames");
    }

    #[test]
    fn an_invalid_head_is_refused() {
        for (bytes, error) in [
            (&b""[..], HeadError::Gone),
            (b"GET / HTTP/1.1\r\nHost: a\r\n", HeadError::Gone),
            (b"\x16\x03\x01\x02\x00\x01\x00", HeadError::Malformed),
            (b"hello\r\n\r\n", HeadError::Malformed),
            (b"GET / HTTP/1.1\r\nBad Name: a\r\n\r\n", HeadError::Malformed),
            (b"GET http://[bad HTTP/1.1\r\n\r\n", HeadError::Malformed),
            (b"GET / HTTP/1.1\r\n\r\n", HeadError::Malformed),
            (b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", HeadError::Malformed),
        ] {
            assert_eq!(read_now(bytes).unwrap_err(), error, "{:?}", String::from_utf8_lossy(bytes));
        }
        let field = b"X-A: 1234567890\r\n".repeat(MAX_FIELDS + 1);
        let many = [b"GET / HTTP/1.1\r\nHost: a\r\n", &field[..], b"\r\n"].concat();
        assert_eq!(read_now(&many).unwrap_err(), HeadError::TooLarge);
        let long = [b"GET / HTTP/1.1\r\nX-A: ", &b"a".repeat(20_000_000)[..], b"\r\n\r\n"].concat();
        assert_eq!(read_now(&long).unwrap_err(), HeadError::TooLarge);
    }

    proptest! {
        #[test]
        fn any_input_is_a_head_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(head) = read_now(&bytes) {
                prop_assert!(head.end <= bytes.len());
            }
        }
    }
}
