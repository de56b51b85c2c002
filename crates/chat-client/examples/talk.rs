//! A chat in a terminal: `cargo run -p chat-client --example talk -- ROOM NAME [URL]`. It sends
//! each line that you type, and prints what happens in the room. The end of the input (Ctrl-D) ends
//! it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;

use chat_client::{Client, Event, Events, JoinOptions, Options, StoredMessage};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (room, name, url) = match &arguments[..] {
        [room, name] => (room, name, "ws://127.0.0.1:8000/ws"),
        [room, name, url] => (room, name, url.as_str()),
        _ => return Err("usage: talk ROOM NAME [URL]".into()),
    };
    let room = room.parse()?;
    let (client, events) = Client::connect(Options::new(url, name.parse()?).client("talk")).await?;
    let printing = tokio::spawn(print(events));

    client.join(&room, JoinOptions::default().history(20)).await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if line.trim().is_empty() {
            continue;
        }
        // the ack is awaited in another task, so that the next line can be typed meanwhile
        let mut receipt = client.send(&room, line);
        receipt.accepted().await?;
        tokio::spawn(async move {
            if let Err(error) = receipt.await {
                eprintln!("-- not sent: {error}");
            }
        });
    }
    client.leave(&room).await?;
    client.close().await;
    Ok(printing.await?)
}

async fn print(mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            Event::Joined(joined) => {
                for message in &joined.messages {
                    println!("{}", line(message));
                }
                let (count, noun) =
                    (joined.member_count, if joined.member_count == 1 { "person" } else { "people" });
                println!("-- {count} {noun} in the room; type a message and press Enter");
            }
            Event::Message { message, .. } => println!("{}", line(&message)),
            Event::Presence(presence) => {
                for member in &presence.joined {
                    println!("-- {} joined", member.username);
                }
                for username in &presence.left {
                    println!("-- {username} left");
                }
            }
            Event::Typing(typing) => println!("-- {} is typing", typing.username),
            Event::Notice(notice) => println!("** {}", notice.body),
            Event::Announcement(Some(announcement)) => println!("** {}", announcement.body),
            Event::Announcement(None) => println!("-- the announcement was withdrawn"),
            Event::Disconnected { reason, retry_in } => {
                println!("-- disconnected ({reason:?}); reconnecting in {retry_in:?}");
            }
            Event::Changed { message, .. } => println!("-- changed: {}", line(&message)),
            Event::Deleted(deleted) => match deleted.targets.len() {
                1 => println!("-- 1 message was deleted"),
                count => println!("-- {count} messages were deleted"),
            },
            other => println!("-- {other:?}"),
        }
    }
}

fn line(message: &StoredMessage) -> String {
    match message {
        StoredMessage::Text { from, body, .. } => format!("{from}: {body}"),
        StoredMessage::Deleted { .. } => "-- message deleted".into(),
    }
}
