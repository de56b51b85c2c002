//! A room whose messages are on disk: `cargo run -p chat-rooms --example history`, twice. The
//! program of docs/embedding.md.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;

use chat_db::sqlite::Database;
use chat_history::SqliteHistory;
use chat_presence::{NodeId, SqlitePresence};
use chat_protocol::{Event, Identity, Text};
use chat_rooms::{Engine, Sink, Subscribe};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = Database::open(Path::new("rooms.sqlite3"))?;
    let engine = Engine::builder(SqlitePresence::new(database.clone(), NodeId::new("here")))
        .history(SqliteHistory::open(database.clone()).await?)
        .start()
        .await?;

    // the first event is `Joined`, with the newest 50 messages
    let (sink, mut events) = Sink::channel(1_000);
    let subscribe = Subscribe::new(sink).history(50);
    let ana = Identity::account("u_1".parse()?, "ana".parse()?)?;
    let ana = engine.join(&ana, &"lobby".parse()?, subscribe).await?;
    let stored = ana.send("hello from this run").await?;
    println!("stored as number {}", stored.seq);

    while let Some(event) = events.next().await {
        match &*event {
            Event::Joined(room) => {
                for message in &room.messages {
                    if let Some(Text { from, body, .. }) = message.text() {
                        println!("earlier: {} {from}: {body}", message.seq);
                    }
                }
            }
            Event::Message { message, .. } => {
                if let Some(Text { from, body, .. }) = message.text() {
                    println!("now: {} {from}: {body}", message.seq);
                }
                break;
            }
            _ => {}
        }
    }

    ana.leave();
    engine.shutdown().await?;
    database.close().await;
    Ok(())
}
