//! The requests of each command, and the output of their responses.

use std::collections::BTreeSet;
use std::io;

use chat_admin::v1::{
    ErasedMessages, Level, Members, Message, Messages, Notice, NoticeSent, RoomClosed, Rooms, Sessions, Usage,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::client::{Client, RequestError};
use super::confirm::confirm;
use super::{AdminError, tables};
use crate::cli::{Author, Confirmation, plural};

/// Sends requests, as many as a result has pages, and prints the result.
pub(super) struct Commands<P> {
    pub(super) client: Client,
    pub(super) json: bool,
    pub(super) print: P,
}

impl<P: Fn(&str) -> io::Result<()>> Commands<P> {
    pub(super) fn rooms(&self) -> Result<(), AdminError> {
        self.response::<Rooms>(&self.client.get(&["rooms"], &[])?, tables::rooms)
    }

    pub(super) fn sessions(&self) -> Result<(), AdminError> {
        self.response::<Sessions>(&self.client.get(&["sessions"], &[])?, tables::sessions)
    }

    pub(super) fn kick(&self, room: &str, username: &str) -> Result<(), AdminError> {
        self.client.delete(&["rooms", room, "members", username], &[])?;
        self.sentence(&format!("removed {username:?} from the room {room:?}"))
    }

    pub(super) fn close_room(&self, room: &str, confirmation: &Confirmation) -> Result<(), AdminError> {
        if !confirmation.yes {
            let first: Members = self.client.parse(&self.client.get(&["rooms", room, "members"], &[])?)?;
            let action = format!("remove {} from the room {room:?}", plural(first.total, "member"));
            if confirmation.dry_run {
                return self.result(&RoomClosed { members: first.total }, |_| format!("would {action}"));
            }
            confirm(confirmation, &action)?;
        }
        let answer = self.client.delete(&["rooms", room], &[])?;
        self.response::<RoomClosed>(&answer, |closed| {
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
        self.response::<NoticeSent>(&answer, |sent| format!("sent to {}", plural(sent.rooms, "room")))
    }

    pub(super) fn members(&self, room: &str, all: bool) -> Result<(), AdminError> {
        let mut list = Members { members: Vec::new(), total: 0, next: None };
        self.pages(|query| {
            let page: Members = self.client.parse(&self.client.get(&["rooms", room, "members"], query)?)?;
            list.members.extend(page.members);
            (list.total, list.next) = (page.total, page.next);
            Ok(list.next.clone().filter(|_| all))
        })?;
        self.result(&list, tables::members)
    }

    pub(super) fn usage(
        &self,
        from: Option<&str>,
        to: Option<&str>,
        room: Option<&str>,
    ) -> Result<(), AdminError> {
        let filters: Vec<_> = [("from", from), ("to", to), ("room", room)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let mut all = Usage { usage: Vec::new(), next: None };
        self.pages(|query| {
            let page: Usage =
                self.client.parse(&self.client.get(&["usage"], &[&filters, query].concat())?)?;
            all.usage.extend(page.usage);
            Ok(page.next)
        })?;
        self.result(&all, |all| tables::usage(&all.usage))
    }

    pub(super) fn export(&self, author: &Author) -> Result<(), AdminError> {
        self.each_message(author, |message| self.print_json(message))
    }

    pub(super) fn erase(&self, author: &Author, confirmation: &Confirmation) -> Result<(), AdminError> {
        if !confirmation.yes {
            let (mut messages, mut rooms) = (0, BTreeSet::new());
            self.each_message(author, |message| {
                messages += 1;
                rooms.insert(message.room.clone());
                Ok(())
            })?;
            let (count, in_rooms) = (plural(messages, "message"), plural(rooms.len(), "room"));
            let action = format!("erase {count} of {author} in {in_rooms}");
            if confirmation.dry_run {
                let found = json!({ "messages": messages, "rooms": rooms });
                return self.result(&found, |_| format!("would {action}"));
            }
            confirm(confirmation, &action)?;
        }
        let mut all = ErasedMessages { messages: 0, next: None };
        self.pages(|query| {
            let query = [&named(author)[..], query].concat();
            let answer = self.client.delete(&["users", &author.user, "messages"], &query)?;
            let page: ErasedMessages = self.client.parse(&answer)?;
            all.messages += page.messages;
            Ok(page.next)
        })?;
        self.result(&all, |all| format!("{} of {author} erased", plural(all.messages, "message")))
    }

    /// Calls `each` with every message of a user.
    fn each_message(
        &self,
        author: &Author,
        mut each: impl FnMut(&Message) -> Result<(), AdminError>,
    ) -> Result<(), AdminError> {
        self.pages(|query| {
            let query = [&named(author)[..], query].concat();
            let answer = self.client.get(&["users", &author.user, "messages"], &query)?;
            let page: Messages = self.client.parse(&answer)?;
            page.messages.iter().try_for_each(&mut each)?;
            Ok(page.next)
        })
    }

    /// Requests all pages. Each call gets the query for the next page and returns the cursor after
    /// it.
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

    /// Prints a result that was collected from several responses.
    fn result<T: Serialize>(&self, result: &T, write: impl Fn(&T) -> String) -> Result<(), AdminError> {
        if self.json { self.print_json(result) } else { self.print(&write(result)) }
    }

    fn print_json(&self, value: &impl Serialize) -> Result<(), AdminError> {
        let json = serde_json::to_string(value)
            .map_err(|error| RequestError::Answer(self.client.server(), error))?;
        self.print(&json)
    }

    /// Prints one response: the JSON as it was received, or as text.
    fn response<T: DeserializeOwned>(
        &self,
        answer: &[u8],
        write: impl Fn(&T) -> String,
    ) -> Result<(), AdminError> {
        let parsed = self.client.parse(answer)?;
        if self.json { self.print(&String::from_utf8_lossy(answer)) } else { self.print(&write(&parsed)) }
    }

    /// Prints the result of a command whose response has no body.
    fn sentence(&self, sentence: &str) -> Result<(), AdminError> {
        self.print(if self.json { "{}" } else { sentence })
    }

    fn print(&self, text: &str) -> Result<(), AdminError> {
        Ok((self.print)(text)?)
    }
}

/// The part of a query that restricts it to messages under one name.
fn named(author: &Author) -> Vec<(&str, &str)> {
    author.username.iter().map(|username| ("username", username.as_str())).collect()
}
