//! The stories in `clients/conformance`: frames in, state out.

use std::fs;
use std::path::Path;

use super::*;
use crate::model::Timeline;

#[test]
fn frames_lead_to_the_state_in_every_story() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/conformance");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let stories: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    assert!(stories.len() >= 8);
    for story in stories {
        let text = fs::read_to_string(&story).unwrap();
        let mut steps =
            (1..).zip(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap())).peekable();
        let user = steps.next_if(|(_, step)| step.get("user").is_some());
        let mut reader =
            Reader::new(&user.map_or(json!({"id": "g_ana"}), |(_, mut step)| step["user"].take()));
        for (line, step) in steps {
            reader.step(&step, &format!("{}:{line}", story.display()));
        }
    }
}

/// A program that holds the messages of the lobby.
struct Reader {
    fixture: Fixture,
    timeline: Timeline,
    /// The joins that were sent and not compared yet.
    joins: Vec<Value>,
    /// The `ref` of the newest one.
    newest: Value,
}

impl Reader {
    fn new(user: &Value) -> Self {
        let mut fixture = Fixture::connected_as(user);
        drop(fixture.join());
        Self { fixture, timeline: Timeline::new(lobby()), joins: Vec::new(), newest: Value::Null }
    }

    fn step(&mut self, step: &Value, place: &str) {
        self.joins.extend(self.fixture.written().into_iter().filter(|frame| frame["type"] == "join"));
        if let Some(newest) = self.joins.last() {
            self.newest = newest["ref"].clone();
        }
        if let Some(frame) = step.get("frame") {
            let mut frame = frame.clone();
            if frame["type"] == "joined" {
                frame["ref"] = self.newest.clone();
            }
            self.fixture.receives(&frame);
            for event in self.fixture.events() {
                self.timeline.apply(&event);
            }
        } else if let Some(state) = step.get("state") {
            let messages: Vec<_> = self.timeline.messages().collect();
            assert_eq!(serde_json::to_value(messages).unwrap(), state["messages"], "{place}");
            assert_eq!(self.fixture.cursor(), state["seq"].as_u64().unwrap(), "{place}");
        } else {
            let since: Vec<_> = self.joins.drain(..).map(|mut join| join["since"].take()).collect();
            assert_eq!(since, [step["joins"].clone()], "{place}");
        }
    }
}
