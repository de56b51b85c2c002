//! Replays recorded transcripts of the reference implementation against this server.
//! `reference/transcripts.jsonl` contains what the Django Channels back-end sent in scenarios where
//! it is correct and clients rely on it.

use std::collections::{BTreeMap, HashMap};

use chat_testkit::{Client, Seen, frame, handshake, http, path};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Running, start};

const TRANSCRIPTS: &str = include_str!("reference/transcripts.jsonl");

/// A step of a scenario: an action, and what each observer receives.
#[derive(Default)]
struct Step {
    action: String,
    seen: BTreeMap<String, Vec<Value>>,
}

/// The scenarios and their steps, in order.
fn scenarios() -> Vec<(String, Vec<Step>)> {
    let mut scenarios: Vec<(String, Vec<Step>)> = Vec::new();
    for line in TRANSCRIPTS.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (name, number) = (line["s"].as_str().unwrap(), line["n"].as_u64().unwrap() as usize);
        if scenarios.last().is_none_or(|(last, _)| last != name) {
            scenarios.push((name.to_owned(), Vec::new()));
        }
        let steps = &mut scenarios.last_mut().unwrap().1;
        steps.resize_with(number, Step::default);
        let step = steps.last_mut().unwrap();
        step.action = line["do"].as_str().unwrap().to_owned();
        if line["ev"] != "nothing" {
            step.seen.entry(line["who"].as_str().unwrap().to_owned()).or_default().push(line["ev"].clone());
        }
    }
    scenarios
}

/// A scenario that is being replayed.
struct Replay {
    server: Running,
    clients: BTreeMap<String, Client>,
    /// Row ids and channel names, numbered by their first occurrence as in the transcripts.
    ids: HashMap<i64, String>,
    channels: HashMap<String, String>,
}

impl Replay {
    /// Performs the action of a step. Returns what was observed in addition to what the clients
    /// receive.
    async fn act(&mut self, step: &Step) -> BTreeMap<String, Vec<Value>> {
        let words: Vec<&str> = step.action.split_whitespace().collect();
        let quoted = || quoted_text(&step.action);
        match words[..] {
            ["look-up", who] => self.look_up("GET", who, &[]).await,
            [method @ ("POST" | "PUT" | "PATCH" | "DELETE"), "look-up"] => {
                self.look_up(method, "R/ann", &[]).await
            }
            ["GET", "with", "Origin:", origin] => {
                self.look_up("GET", "R/ann", &[&format!("Origin: {origin}")]).await
            }
            ["GET", "without", "Origin"] => self.look_up("GET", "R/ann", &[]).await,
            ["POST", "with", "Origin"] => {
                self.look_up("POST", "R/ann", &["Origin: http://localhost:3000"]).await
            }
            [who, "joins", "again"] | [who, "is", "back"] => {
                self.join(&format!("{who}2"), &path("R", who)).await
            }
            [who, "joins", room] => self.join(who, &path(room, who)).await,
            [client, "joins", room, "as", name] => self.join(client, &path(room, name)).await,
            ["handshake", "on", path] => self.join("ann", path).await,
            [who, "closes", "with", "1000"] => self.leave(who).await,
            // in `same_name_other_room`, a number distinguishes the two connections of one name
            [who, "leaves", ..] => {
                let known = if self.clients.contains_key(who) { who.to_owned() } else { format!("{who}2") };
                self.leave(&known).await
            }
            [_, "TCP", "connection", "is", "reset"] => {
                self.clients.remove("ann").unwrap().reset();
                BTreeMap::new()
            }
            [who, "pings", "with", count, "bytes"] => {
                let payload = match count {
                    "3" => b"abc".to_vec(),
                    count => vec![b'x'; count.parse().unwrap()],
                };
                self.clients.get_mut(who).unwrap().ping(&payload).await;
                BTreeMap::new()
            }
            [who, "sends", "a", "pong", "unasked"] => {
                self.clients.get_mut(who).unwrap().write(&frame::whole(frame::PONG, b"unasked")).await;
                BTreeMap::new()
            }
            [who, "sends", "extra", ..] => {
                let frame =
                    r#"{"zzz":[1],"type":"chat_message","username":"eve","a":{"b":null},"message":"x"}"#;
                self.clients.get_mut(who).unwrap().send(frame).await;
                BTreeMap::new()
            }
            [who, "says", ..] if step.action.ends_with("raw UTF-8") => self.say(who, &quoted(), false).await,
            ["the", "same", "with", "\\u", "escapes"] => {
                let text = step.seen["ann"][0]["json"]["message"].as_str().unwrap().to_owned();
                self.say("ann", &text, true).await
            }
            // the whole text is in the expected event
            [who, "says", ..] => {
                let text = step.seen[who][0]["json"]["message"].as_str().unwrap().to_owned();
                self.say(who, &text, false).await
            }
            _ => panic!("unknown action {:?}", step.action),
        }
    }

    async fn look_up(&mut self, method: &str, who: &str, headers: &[&str]) -> BTreeMap<String, Vec<Value>> {
        let path = format!("/chat/get_signed_user/{who}");
        let answer = http::request(self.server.address, method, &path, headers).await;
        let mut seen = json!({
            "http": answer.status,
            "type": answer.header("content-type"),
            "body": answer.json(),
        });
        if let Some(origin) = answer.header("access-control-allow-origin") {
            seen["cors"] = json!({"access-control-allow-origin": origin});
        }
        BTreeMap::from([("http".to_owned(), vec![seen])])
    }

    async fn join(&mut self, client: &str, path: &str) -> BTreeMap<String, Vec<Value>> {
        let mut stream = TcpStream::connect(self.server.address).await.unwrap();
        stream.write_all(handshake(path).as_bytes()).await.unwrap();
        // the client checks the accept key
        self.clients.insert(client.to_owned(), Client::shake_hands(stream).await.unwrap());
        BTreeMap::from([(client.to_owned(), vec![json!({"handshake": 101, "accept_ok": true})])])
    }

    async fn leave(&mut self, client: &str) -> BTreeMap<String, Vec<Value>> {
        let mut leaving = self.clients.remove(client).unwrap();
        leaving.close(Some(1000)).await;
        let mut seen = Vec::new();
        loop {
            match leaving.see().await {
                Seen::Close(code) => seen.push(json!({"close": code})),
                Seen::End => {
                    seen.push(json!({"tcp": "closed"}));
                    return BTreeMap::from([(client.to_owned(), seen)]);
                }
                other => panic!("{other:?} after the close"),
            }
        }
    }

    async fn say(&mut self, who: &str, text: &str, escaped: bool) -> BTreeMap<String, Vec<Value>> {
        let mut frame = json!({"message": text, "username": who, "type": "chat_message"}).to_string();
        if escaped {
            let units = frame.encode_utf16().map(|unit| match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
                _ => format!("\\u{unit:04x}"),
            });
            frame = units.collect();
        }
        self.clients.get_mut(who).unwrap().send(&frame).await;
        BTreeMap::new()
    }

    /// The next thing that a client receives, in the format of the transcripts.
    async fn see(&mut self, client: &str) -> Value {
        match self.clients.get_mut(client).unwrap_or_else(|| panic!("no client {client}")).see().await {
            Seen::Event(event) => json!({"json": self.with_numbered_ids(event)}),
            Seen::Pong(payload) => json!({"pong": String::from_utf8(payload).unwrap()}),
            other => panic!("{other:?}"),
        }
    }

    /// Replaces row ids and channel names in an event by their numbers.
    fn with_numbered_ids(&mut self, mut event: Value) -> Value {
        for user in event["users"].as_array_mut().unwrap() {
            let next = format!("#{}", self.ids.len() + 1);
            let id = self.ids.entry(user["id"].as_i64().unwrap()).or_insert(next).clone();
            let next = format!("ch{}", self.channels.len() + 1);
            let channel = user["channel_name"].as_str().unwrap().to_owned();
            let channel = self.channels.entry(channel).or_insert(next).clone();
            user["id"] = id.into();
            user["channel_name"] = channel.into();
        }
        event
    }
}

/// The text in single quotes of `ann says '...', as raw UTF-8`. The expected event contains it,
/// too.
fn quoted_text(action: &str) -> String {
    // the transcripts use Python's escapes
    let quoted = action.split_once('\'').unwrap().1.rsplit_once('\'').unwrap().0;
    let mut text = String::new();
    let mut rest = quoted.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        let digits = match rest.next() {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            other => panic!("\\{other:?}"),
        };
        let code: String = rest.by_ref().take(digits).collect();
        text.push(char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap());
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transcript_of_the_reference_is_reproduced() {
    let scenarios = scenarios();
    assert_eq!(scenarios.len(), 18);
    let mut compared = 0;
    for (scenario, steps) in scenarios {
        let server = start().await;
        let mut replay =
            Replay { server, clients: BTreeMap::new(), ids: HashMap::new(), channels: HashMap::new() };
        for (number, step) in steps.iter().enumerate() {
            let mut seen = replay.act(step).await;
            for (observer, expected) in &step.seen {
                let seen = seen.entry(observer.clone()).or_default();
                while seen.len() < expected.len() {
                    let next = replay.see(observer).await;
                    seen.push(next);
                }
            }
            assert_eq!(seen, step.seen, "{scenario}, step {}: {}", number + 1, step.action);
            compared += seen.values().map(Vec::len).sum::<usize>();
        }
        // and nothing more: the next thing that each client receives is the pong to this ping
        for (number, name) in replay.clients.keys().cloned().collect::<Vec<_>>().into_iter().enumerate() {
            let marker = format!("the end {number}");
            replay.clients.get_mut(&name).unwrap().ping(marker.as_bytes()).await;
            assert_eq!(
                replay.see(&name).await,
                json!({"pong": marker}),
                "{scenario}: {name} received something more"
            );
        }
        replay.server.stop().await.unwrap();
    }
    assert_eq!(compared, TRANSCRIPTS.lines().filter(|line| !line.contains("\"nothing\"")).count());
}
