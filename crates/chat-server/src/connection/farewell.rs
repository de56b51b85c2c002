//! How a connection ends.

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::time::Duration;

use chat_protocol::CloseCode;
use chat_rooms::Membership;
use chat_rooms::outbox::{Outbox, Signal, Unsent};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::conversation::Word;
use super::wire::Tcp;
use crate::frames;

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client closed, with a code or without.
    ClientClosed(Option<u16>),
    /// There is nobody any more.
    Gone,
    /// The server closes, with this code.
    Failed(CloseCode),
    /// The client reads too slowly.
    TooSlow,
    /// The server ends.
    ShuttingDown,
}

/// How long a member of a server that ends waits for the last words of the others.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Says what was read and not yet said, and waits until what was said in the room has reached everyone's outbox, this one
/// among them.
pub(super) async fn settle(member: &Membership, outbox: &Outbox<Tcp>, unsaid: Option<Word>) {
    let speaking = async {
        // it fails only for one who is out, and hears of that anyway
        let _ = match unsaid {
            Some(Word::Say(body)) => member.send(body).await,
            Some(Word::Refuse(reason)) => member.refuse(reason).await,
            None => return member.settled().await,
        };
        member.settled().await;
    };
    let draining = async {
        // a signal would end the connection, which ends anyway
        poll_fn(|cx| outbox.poll_drain(cx)).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = speaking => {}
        () = draining => {}
        () = tokio::time::sleep(LAST_WORDS) => {}
    }
}

/// Writes what is still to be written and the close frame, and waits for the client to close its side, no longer than
/// `patience` in all.
pub(super) async fn say(outbox: &Outbox<Tcp>, ending: Ending, patience: Duration) {
    let (last, unsent) = match ending {
        Ending::Gone => return,
        Ending::ClientClosed(code) => (frames::close_answer(code), Unsent::Discard),
        Ending::Failed(code) => (frames::close(code), Unsent::Discard),
        Ending::TooSlow => (frames::close(CloseCode::TooSlow), Unsent::Discard),
        Ending::ShuttingDown => (frames::close(CloseCode::GoingAway), Unsent::Keep),
    };
    outbox.close(last, unsent);
    let farewell = async {
        if flushed(outbox).await {
            let stream = &outbox.transport().0;
            let _ = SockRef::from(stream).shutdown(Shutdown::Write);
            // to close a socket with unread bytes in it would reset it, and the close frame could be lost
            let _ = discard(stream).await;
        }
    };
    // whoever does not take it in time has lost it
    let _ = tokio::time::timeout(patience, farewell).await;
}

/// Writes until the last frame is out. False when the socket failed before.
async fn flushed(outbox: &Outbox<Tcp>) -> bool {
    loop {
        match poll_fn(|cx| outbox.poll_drain(cx)).await {
            Signal::Flushed => return true,
            Signal::Broken => return false,
            Signal::Challenged | Signal::TooSlow => {}
        }
    }
}

/// Reads to the end, and forgets it.
async fn discard(stream: &TcpStream) -> io::Result<()> {
    let mut rest = vec![0; 4096];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut rest) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}
