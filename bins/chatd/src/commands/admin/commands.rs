//! What the server is asked, and what is printed of its answers.

use std::collections::BTreeSet;
use std::io;

use chat_admin::v1::{
    Closed, Erased, Level, Members, Notice, Rooms, Said, SaidMessage, Sessions, Told, Usage,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::client::{AskError, Client};
use super::consent::Consent;
use super::{AdminError, tables};
use crate::cli::text::plural;

/// Asks, where need be for more than fits one answer, and prints.
pub(super) struct Commands<P> {
    pub(super) client: Client,
    pub(super) json: bool,
    pub(super) print: P,
}

impl<P: Fn(&str) -> io::Result<()>> Commands<P> {
    pub(super) fn rooms(&self) -> Result<(), AdminError> {
        self.table::<Rooms>(&self.client.get(&["rooms"], &[])?, tables::rooms)
    }

    pub(super) fn sessions(&self) -> Result<(), AdminError> {
        self.table::<Sessions>(&self.client.get(&["sessions"], &[])?, tables::sessions)
    }

    pub(super) fn kick(&self, room: &str, username: &str) -> Result<(), AdminError> {
        self.client.delete(&["rooms", room, "members", username], &[])?;
        self.sentence(&format!("removed {username:?} from the room {room:?}"))
    }

    pub(super) fn close_room(&self, room: &str, consent: &Consent) -> Result<(), AdminError> {
        if !consent.is_given() {
            let first: Members = self.client.read(&self.client.get(&["rooms", room, "members"], &[])?)?;
            let act = format!("remove {} from the room {room:?}", plural(first.total, "member"));
            if consent.dry_run {
                return self.answer(&Closed { members: first.total }, |_| format!("would {act}"));
            }
            consent.ask(&act)?;
        }
        let answer = self.client.delete(&["rooms", room], &[])?;
        self.table::<Closed>(&answer, |closed| {
            format!("closed the room {room:?}: removed {}", plural(closed.members, "member"))
        })
    }

    pub(super) fn close_session(&self, session: &str) -> Result<(), AdminError> {
        self.client.delete(&["sessions", session], &[])?;
        self.sentence(&format!("closed the session {session:?}"))
    }

    pub(super) fn notice(&self, room: Option<&str>, level: Level, body: String) -> Result<(), AdminError> {
        let path: &[&str] = match &room {
            Some(room) => &["rooms", room, "notice"],
            None => &["notice"],
        };
        let answer = self.client.post(path, &Notice { body, level })?;
        self.table::<Told>(&answer, |told| format!("sent to {}", plural(told.rooms, "room")))
    }

    pub(super) fn members(&self, room: &str, all: bool) -> Result<(), AdminError> {
        let mut list = Members { members: Vec::new(), total: 0, next: None };
        self.pages(|query| {
            let page: Members = self.client.read(&self.client.get(&["rooms", room, "members"], query)?)?;
            list.members.extend(page.members);
            (list.total, list.next) = (page.total, page.next);
            Ok(list.next.clone().filter(|_| all))
        })?;
        self.answer(&list, tables::members)
    }

    pub(super) fn usage(
        &self,
        from: Option<&str>,
        to: Option<&str>,
        room: Option<&str>,
    ) -> Result<(), AdminError> {
        let asked: Vec<_> = [("from", from), ("to", to), ("room", room)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let mut all = Usage { usage: Vec::new(), next: None };
        self.pages(|query| {
            let page: Usage = self.client.read(&self.client.get(&["usage"], &[&asked, query].concat())?)?;
            all.usage.extend(page.usage);
            Ok(page.next)
        })?;
        self.answer(&all, |all| tables::usage(&all.usage))
    }

    pub(super) fn export(&self, username: &str) -> Result<(), AdminError> {
        self.said(username, |message| self.print_json(message))
    }

    pub(super) fn erase(&self, username: &str, consent: &Consent) -> Result<(), AdminError> {
        if !consent.is_given() {
            let (mut messages, mut rooms) = (0, BTreeSet::new());
            self.said(username, |message| {
                messages += 1;
                rooms.insert(message.room.clone());
                Ok(())
            })?;
            let (said, places) = (plural(messages, "message"), plural(rooms.len(), "room"));
            let act = format!("erase {said} of {username:?} in {places}");
            if consent.dry_run {
                let found = json!({ "messages": messages, "rooms": rooms });
                return self.answer(&found, |_| format!("would {act}"));
            }
            consent.ask(&act)?;
        }
        let mut all = Erased { messages: 0, next: None };
        self.pages(|query| {
            let answer = self.client.delete(&["users", username, "messages"], query)?;
            let page: Erased = self.client.read(&answer)?;
            all.messages += page.messages;
            Ok(page.next)
        })?;
        self.answer(&all, |all| format!("{} of {username:?} erased", plural(all.messages, "message")))
    }

    /// Does something with each message of a user.
    fn said(
        &self,
        username: &str,
        mut each: impl FnMut(&SaidMessage) -> Result<(), AdminError>,
    ) -> Result<(), AdminError> {
        self.pages(|query| {
            let page: Said = self.client.read(&self.client.get(&["users", username, "messages"], query)?)?;
            page.messages.iter().try_for_each(&mut each)?;
            Ok(page.next)
        })
    }

    /// Asks for page after page, each with the query that the one before says comes next.
    fn pages(
        &self,
        mut page: impl FnMut(&[(&str, &str)]) -> Result<Option<String>, AdminError>,
    ) -> Result<(), AdminError> {
        let mut after = page(&[])?;
        while let Some(next) = after {
            after = page(&[("after", &next)])?;
        }
        Ok(())
    }

    /// What was put together from several answers.
    fn answer<T: Serialize>(&self, answer: &T, write: impl Fn(&T) -> String) -> Result<(), AdminError> {
        if self.json { self.print_json(answer) } else { self.print(&write(answer)) }
    }

    fn print_json(&self, value: &impl Serialize) -> Result<(), AdminError> {
        let json =
            serde_json::to_string(value).map_err(|error| AskError::Answer(self.client.server(), error))?;
        self.print(&json)
    }

    fn table<T: DeserializeOwned>(
        &self,
        answer: &[u8],
        write: impl Fn(&T) -> String,
    ) -> Result<(), AdminError> {
        let read = self.client.read(answer)?;
        if self.json { self.print(&String::from_utf8_lossy(answer)) } else { self.print(&write(&read)) }
    }

    fn sentence(&self, sentence: &str) -> Result<(), AdminError> {
        self.print(if self.json { "{}" } else { sentence })
    }

    fn print(&self, text: &str) -> Result<(), AdminError> {
        Ok((self.print)(text)?)
    }
}
