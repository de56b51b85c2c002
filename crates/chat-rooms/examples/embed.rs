//! The engine in ten lines: two people, one room.
#![allow(clippy::print_stdout)]

use chat_presence::{MemoryPresence, NodeId};
use chat_rooms::{Engine, Outlet};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    let (outlet, mut events) = Outlet::channel(1_000);
    let ana = engine.join(&"lobby".parse()?, &"ana".parse()?, outlet).await?;
    let bob = engine.join(&"lobby".parse()?, &"bob".parse()?, Outlet::channel(1_000).0).await?;
    bob.send("hello, ana").await?;
    bob.leave();
    for _ in 0..4 {
        println!("{:#?}", events.next().await);
    }
    ana.leave();
    Ok(())
}
