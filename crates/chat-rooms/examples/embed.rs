//! Two members in one room, in memory: `cargo run -p chat-rooms --example embed`. The program of
//! docs/embedding.md.
#![allow(clippy::print_stdout)]

use std::error::Error;

use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Event, Identity};
use chat_rooms::{Engine, Sink, Subscribe};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    let lobby = "lobby".parse()?;

    // your program knows its users: an id that stays the same, and the name that others see
    let ana = Identity::account("u_1".parse()?, "ana".parse()?)?;
    let bob = Identity::account("u_2".parse()?, "bob".parse()?)?;

    // each session receives its events on a channel that holds up to 1,000 of them
    let (sink, mut events) = Sink::channel(1_000);
    let ana = engine.join(&ana, &lobby, Subscribe::new(sink).with_lists()).await?;
    let (sink, _bob_events) = Sink::channel(1_000);
    let bob = engine.join(&bob, &lobby, Subscribe::new(sink).with_lists()).await?;

    let stored = bob.send("hello, ana").await?;
    println!("stored as number {}", stored.seq);
    bob.leave();

    while let Some(event) = events.next().await {
        match &*event {
            Event::Entered { group, .. } => println!("{} entered", group[0].username),
            Event::Message { message, .. } => {
                if let Some(text) = message.text() {
                    println!("{}: {}", text.from, text.body);
                }
            }
            Event::Left { group, .. } => {
                println!("{} left", group[0].username);
                break;
            }
            _ => {}
        }
    }
    ana.leave();
    Ok(())
}
