//! The bytes of a connection: TCP, TLS, and WebSocket frames.

pub(crate) mod cipher;
pub(crate) mod frame_scanner;
pub(crate) mod inflater;
pub(crate) mod prefixed;
pub(crate) mod stream;
pub(crate) mod tcp;
pub(crate) mod throttled_discard;
pub(crate) mod tls;
pub(crate) mod wire;

use std::future::poll_fn;
use std::task::Poll;

use chat_outbox::Outbox;

use tcp::Tcp;

/// Resolves when the backlog is at most half full. Only the task that drains the outbox may poll
/// it.
pub(crate) async fn drained(outbox: &Outbox<Tcp>) {
    let limits = outbox.limits();
    poll_fn(|_| {
        let backlog = outbox.backlog();
        let is_half_empty = backlog.bytes <= limits.bytes / 2 && backlog.frames <= limits.frames / 2;
        if is_half_empty { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
