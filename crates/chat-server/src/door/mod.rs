//! The door: one port for WebSockets and for plain HTTP. It reads the head of a connection's first request and decides.

mod head;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONNECTION, VARY};
use http::{HeaderValue, Request, Response, StatusCode};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::tungstenite::handshake::server::write_response;

use crate::admission::{self, Admitted, Refusal};
use crate::config::HEAD_BYTES;
use crate::connection::{self, Opened};
use crate::context::{Context, Place};
use crate::rewound::Rewound;
use crate::routes;
use head::{Head, HeadError};

/// How long the answer to a refused request is given to arrive.
const LINGER: Duration = Duration::from_secs(2);

/// Takes a new connection to where it belongs.
pub(crate) async fn open(mut stream: TcpStream, place: OwnedSemaphorePermit, context: Arc<Context>) {
    let deadline = context.config.timings.head;
    let head = tokio::select! {
        () = context.stopping.cancelled() => return,
        head = tokio::time::timeout(deadline, head::read(&mut stream)) => head,
    };
    match head {
        // too slow, or gone: nobody to answer
        Err(_) | Ok(Err(HeadError::Gone)) => {}
        Ok(Err(HeadError::Malformed)) => refuse(stream, for_everyone(Refusal::Malformed.response())).await,
        Ok(Err(HeadError::TooLarge)) => refuse(stream, too_large()).await,
        Ok(Ok(Head { request, bytes, end })) => {
            let place = Arc::new(place);
            if admission::is_websocket_path(request.uri().path()) {
                answer(stream, request, bytes.slice(end..), place, context).await;
            } else {
                routes::serve(Rewound::new(bytes, stream), place, context).await;
            }
        }
    }
}

/// Answers a handshake, and leaves the connection to a task of its own that holds nothing of the door.
async fn answer(stream: TcpStream, request: Request<()>, behind: Bytes, place: Place, context: Arc<Context>) {
    let admitted = tokio::select! {
        () = context.stopping.cancelled() => Err(Refusal::ShuttingDown),
        admitted = admission::admit(&request, &context) => admitted,
    };
    match admitted {
        Err(refusal) => refuse(stream, refusal.response()).await,
        Ok(Admitted { response, entrant, permit }) => {
            let Some(unread) = still_there(&stream, behind) else { return };
            let opened = Opened { stream, unread, answer: written(&response) };
            connection::start(opened, entrant, (permit, place), &context);
        }
    }
}

/// What has arrived behind the head; none when the client has given up while it was waiting to be let in: then nobody in
/// the room is to notice it. A client that has sent something before it hung up is heard.
fn still_there(stream: &TcpStream, behind: Bytes) -> Option<Bytes> {
    if connection::hang_up(stream).is_none() {
        return Some(behind);
    }
    let mut bytes = Vec::from(behind);
    let mut chunk = [0; 1024];
    while bytes.len() < HEAD_BYTES
        && let Ok(count @ 1..) = stream.try_read(&mut chunk)
    {
        bytes.extend_from_slice(&chunk[..count]);
    }
    (!bytes.is_empty()).then(|| bytes.into())
}

/// Answers a request that goes nowhere, and sees the answer off: to close a socket with unread bytes in it would reset it,
/// and the answer could be lost.
async fn refuse(mut stream: TcpStream, mut response: Response<&'static str>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let answer_and_linger = async {
        let mut answer = written(&response);
        answer.extend_from_slice(response.body().as_bytes());
        if stream.write_all(&answer).await.is_ok() {
            let _ = SockRef::from(&stream).shutdown(std::net::Shutdown::Write);
            let mut rest = [0; 4096];
            while let Ok(1..) = stream.read(&mut rest).await {}
        }
    };
    // too slow to take it: its loss
    let _ = tokio::time::timeout(LINGER, answer_and_linger).await;
}

fn too_large() -> Response<&'static str> {
    let mut response = for_everyone(Refusal::Malformed.response());
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    response
}

/// Lets pages of every origin read it: it may have been a look-up that could not be read.
fn for_everyone(mut response: Response<&'static str>) -> Response<&'static str> {
    response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// The head of a response, as bytes.
fn written<T>(response: &Response<T>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = write_response(&mut bytes, response);
    debug_assert!(written.is_ok());
    bytes
}
