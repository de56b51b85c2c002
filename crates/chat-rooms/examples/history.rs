//! A room whose messages are on disk: `cargo run -p chat-rooms --example history`, twice. The program of docs/embedding.md.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;

use chat_db::Database;
use chat_history::SqliteHistory;
use chat_presence::{NodeId, SqlitePresence};
use chat_protocol::v2::{ServerFrame, StoredMessage};
use chat_protocol::{Content, Event};
use chat_rooms::{Engine, JoinOptions, Outlet};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = Database::open(Path::new("rooms.sqlite3"))?;
    let mut builder = Engine::builder(SqlitePresence::new(database.clone(), NodeId::new("here")));
    builder.history(SqliteHistory::open(database.clone()).await?);
    let engine = builder.start().await?;

    // reserve the name, then join: the first event is `joined`, with the newest 50 messages
    let seat = engine.admit(&"lobby".parse()?, &"ana".parse()?).await?;
    let (outlet, mut events) = Outlet::channel(1_000);
    let options = JoinOptions { history: 50, ..JoinOptions::default() };
    let (ana, _) = seat.join(outlet, options).await?;
    ana.send("hello from this run").await?;

    while let Some(event) = events.next().await {
        match &*event {
            Event::Told(frame) => match &**frame {
                ServerFrame::Joined(joined) => {
                    for message in &joined.messages {
                        if let StoredMessage::Said { seq, from, body, .. } = message {
                            println!("earlier: {seq} {from}: {body}");
                        }
                    }
                }
                ServerFrame::Ack(ack) => println!("stored as number {}", ack.seq),
                _ => {}
            },
            Event::Message { message, .. } => {
                if let Content::Said { from, body, .. } = &message.content {
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
