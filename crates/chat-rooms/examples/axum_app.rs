//! Rooms behind your own axum application: `cargo run -p chat-rooms --example axum_app`. The
//! program of docs/embedding.md.
#![allow(clippy::print_stdout)]

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Content, Event, Identity, Member, RoomName, Text, Username};
use chat_rooms::{Engine, Events, JoinError, Membership, Sink, Subscribe};

/// How many events may queue up for a slow reader.
const BACKLOG: usize = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    let app = Router::new().route("/rooms/{room}", get(join)).with_state(engine);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("ws://{}/rooms/lobby?name=ana", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

#[derive(serde::Deserialize)]
struct Params {
    name: String,
}

async fn join(
    State(engine): State<Engine>,
    Path(room): Path<String>,
    Query(params): Query<Params>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let (Ok(room), Ok(name)) = (RoomName::parse(&room), Username::parse(&params.name)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // each connection is a user of its own here; a program with accounts passes the account's id
    let user = Identity::one_time_guest(rand::random(), name);
    // reserve the name before answering the handshake; the others see it once the socket is ready
    match engine.admit(&user, &room).await {
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
    let names = |group: &[std::sync::Arc<Member>]| {
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
