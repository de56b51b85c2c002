//! Rooms behind your own axum application: `cargo run -p chat-rooms --example axum_app`. The
//! program of docs/embedding.md.
#![allow(clippy::print_stdout)]

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Content, Event, Identity, Member, RoomName, Text};
use chat_rooms::{Engine, Events, JoinError, Membership, Sink, Subscribe};

/// How many events may queue up for a slow reader.
const BACKLOG: usize = 1_000;

/// The users of this application, by the key that each of them sends in the header `x-key`.
type Users = Arc<HashMap<&'static str, Identity>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    let users: Users = Arc::new(HashMap::from([
        ("key-of-ana", Identity::account("u_1".parse()?, "ana".parse()?)?),
        ("key-of-bob", Identity::account("u_2".parse()?, "bob".parse()?)?),
    ]));
    let app = Router::new().route("/rooms/{room}", get(join)).with_state((engine, users));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("ws://{}/rooms/lobby, with the header x-key: key-of-ana", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn join(
    State((engine, users)): State<(Engine, Users)>,
    Path(room): Path<String>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let key = headers.get("x-key").and_then(|value| value.to_str().ok());
    // the engine takes this identity as it is: who the user is, this application decides
    let Some(user) = key.and_then(|key| users.get(key)) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let Ok(room) = RoomName::parse(&room) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // reserve the name before answering the handshake; the others see it once the socket is ready
    match engine.admit(user, &room).await {
        Ok(admission) => upgrade.on_upgrade(async move |socket| {
            let (sink, events) = Sink::channel(BACKLOG);
            if let Ok((me, _)) = admission.join(Subscribe::new(sink).with_lists()).await {
                chat(socket, me, events).await;
            }
        }),
        Err(JoinError::NameTaken) => StatusCode::CONFLICT.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Runs until either side ends. Dropping the membership leaves the room.
async fn chat(mut socket: WebSocket, me: Membership, mut events: Events) {
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(event) => {
                    if socket.send(Message::text(line(&event))).await.is_err() {
                        return;
                    }
                }
                None => return,
            },
            frame = socket.recv() => match frame {
                Some(Ok(Message::Text(text))) => {
                    if me.submit(text.as_str()).await.is_err() {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

/// This application's own format: one line of text per event.
fn line(event: &Event) -> String {
    let names = |group: &[Arc<Member>]| {
        group.iter().map(|member| member.username.as_str()).collect::<Vec<_>>().join(", ")
    };
    match event {
        Event::Entered { group, members } => format!("-> {} ({} in the room)", names(group), members.total()),
        Event::Left { group, members } => format!("<- {} ({} in the room)", names(group), members.total()),
        Event::Message { message, .. } => match &message.content {
            Content::Text(Text { from, body, .. }) => format!("{from}: {body}"),
            _ => String::new(),
        },
        Event::Notice { body, .. } => format!("* {body}"),
        Event::Refused { reason, .. } => format!("! {reason}"),
        // other events go to members without `with_lists`
        _ => String::new(),
    }
}
