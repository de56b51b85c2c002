//! The requests of each command, and the output of their responses.

use std::collections::BTreeSet;
use std::io;

use chat_admin::v1::{
    Announcement, Audit, CurrentAnnouncement, Done, ErasedMessages, ErasedReactions, Join, Level, Members,
    Message, Messages, ModerationRequest, NewAnnouncement, Notice, NoticeSent, Reaction, Reactions, Report,
    Reports, RoleChange, RoomClosed, Rooms, Rules, Sessions, Settings, SettingsChange, Usage, Visibility,
};
use chat_protocol::{Moderation, RoomRole, UserId};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::client::{Client, RequestError};
use super::confirm::{Undo, confirm};
use super::output::Output;
use super::{AdminError, tables};
use crate::cli::{Author, Confirmation, ModerationArgs, plural};

/// How many characters of an announcement a question has.
const ANNOUNCEMENT_CHARS: usize = 60;

/// Sends requests, as many as a result has pages, and prints the result.
pub(super) struct Commands<'a, P> {
    pub(super) client: &'a Client,
    pub(super) output: Output<'a, P>,
}

impl<P: Fn(&str) -> io::Result<()>> Commands<'_, P> {
    pub(super) fn rooms(&self) -> Result<(), AdminError> {
        self.output.response::<Rooms>(&self.client.get(&["rooms"], &[])?, tables::rooms)
    }

    pub(super) fn sessions(&self) -> Result<(), AdminError> {
        self.output.response::<Sessions>(&self.client.get(&["sessions"], &[])?, tables::sessions)
    }

    pub(super) fn kick(&self, room: &str, username: &str) -> Result<(), AdminError> {
        self.client.delete(&["rooms", room, "members", username], &[])?;
        self.output.sentence(&format!("removed {username:?} from the room {room:?}"))
    }

    pub(super) fn close_room(&self, room: &str, confirmation: &Confirmation) -> Result<(), AdminError> {
        if !confirmation.yes {
            let first: Members = self.client.parse(&self.client.get(&["rooms", room, "members"], &[])?)?;
            let action = format!("remove {} from the room {room:?}", plural(first.total, "member"));
            if confirmation.dry_run {
                return self
                    .output
                    .result(&RoomClosed { members: first.total }, |_| format!("would {action}"));
            }
            confirm(confirmation, &action, Undo::Impossible)?;
        }
        let answer = self.client.delete(&["rooms", room], &[])?;
        self.output.response::<RoomClosed>(&answer, |closed| {
            format!("closed the room {room:?}: removed {}", plural(closed.members, "member"))
        })
    }

    pub(super) fn settings(
        &self,
        room: &str,
        change: &SettingsChange,
        confirmation: &Confirmation,
    ) -> Result<(), AdminError> {
        let path = ["rooms", room, "settings"];
        if *change == SettingsChange::default() {
            let answer = self.client.get(&path, &[])?;
            return self.output.response::<Settings>(&answer, tables::settings);
        }
        if !confirmation.yes {
            let before: Settings = self.client.parse(&self.client.get(&path, &[])?)?;
            let (visibility, join) =
                (change.visibility.unwrap_or(before.visibility), change.join.unwrap_or(before.join));
            let members = self.member_count(room)?;
            let lacking = match admitted(visibility, join) {
                admitted if members == 0 || admitted <= admitted_by(&before) => None,
                Join::Accounts => Some("no account"),
                _ => Some("no role there"),
            };
            if let Some(lacking) = lacking {
                let members = plural(members, "member");
                let action = format!("remove those of the {members} of the room {room:?} who have {lacking}");
                let undo = Undo::Possible("They can come back when the settings admit them again.");
                if !self.output.is_confirmed(confirmation, &action, undo)? {
                    return Ok(());
                }
            } else if confirmation.dry_run {
                return self.output.sentence(&format!("would change the settings of the room {room:?}"));
            }
        }
        let answer = self.client.patch(&path, change)?;
        self.output.response::<Settings>(&answer, tables::settings)
    }

    /// The number of members of a room.
    fn member_count(&self, room: &str) -> Result<usize, AdminError> {
        match self.client.get(&["rooms", room, "members"], &[]) {
            Ok(answer) => Ok(self.client.parse::<Members>(&answer)?.total),
            // a room without members is not found
            Err(RequestError::Rejected(..)) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn rules(&self, room: Option<&str>) -> Result<(), AdminError> {
        let path: &[&str] = match &room {
            Some(room) => &["rooms", room, "rules"],
            None => &["rules"],
        };
        let answer = self.client.get(path, &[])?;
        self.output.response::<Rules>(&answer, tables::rules)
    }

    pub(super) fn role(&self, room: &str, user: &str, role: Option<RoomRole>) -> Result<(), AdminError> {
        let change = RoleChange { role: role.map(|role| role.to_string()) };
        let answer = self.client.put(&["rooms", room, "roles", user], &change)?;
        self.output.response::<Done>(&answer, |done| {
            let role = role.map_or("none", RoomRole::as_str);
            done_text(done, &format!("the role of {user:?} in the room {room:?} is {role} now"))
        })
    }

    pub(super) fn moderate(&self, room: Option<&str>, act: ModerationArgs) -> Result<(), AdminError> {
        let ModerationArgs { action, user, reason, for_s, confirmation } = act;
        let place = room.map_or("on the whole server".to_owned(), |room| format!("in the room {room:?}"));
        let is_ban = action == Moderation::Ban;
        if is_ban || confirmation.dry_run {
            let is_guest = user.parse().is_ok_and(|id: UserId| id.is_guest());
            let others = if is_guest && is_ban { " and other guests from the same address" } else { "" };
            let action = format!("{action} {user:?}{others} {place}");
            let undo = Undo::Possible("The action unban ends the ban.");
            if !self.output.is_confirmed(&confirmation, &action, undo)? {
                return Ok(());
            }
        }
        let request = ModerationRequest { user: user.clone(), action: action.to_string(), reason, for_s };
        let path: &[&str] = match &room {
            Some(room) => &["rooms", room, "moderation"],
            None => &["moderation"],
        };
        let answer = self.client.post(path, &request)?;
        self.output.response::<Done>(&answer, |done| done_text(done, &format!("{action}: {user:?} {place}")))
    }

    pub(super) fn reports(&self, room: Option<&str>, limit: usize) -> Result<(), AdminError> {
        let split = |page: Reports| (page.reports, page.next);
        let (reports, next) = self.newest("reports", room, limit, split)?;
        self.output.result(&Reports { reports, next }, tables::reports)
    }

    pub(super) fn close_report(
        &self,
        room: &str,
        number: u64,
        confirmation: &Confirmation,
    ) -> Result<(), AdminError> {
        let action = format!("remove the report {number} in the room {room:?}, with its copy of the message");
        if confirmation.dry_run && !self.has_report(room, number)? {
            let reason = format!("there is no open report {number} in the room {room:?}");
            return Err(RequestError::Rejected(self.client.server(), reason).into());
        }
        if !self.output.is_confirmed(confirmation, &action, Undo::Impossible)? {
            return Ok(());
        }
        self.client.delete(&["rooms", room, "reports", &number.to_string()], &[])?;
        self.output.sentence(&format!("closed the report {number} in the room {room:?}"))
    }

    fn has_report(&self, room: &str, number: u64) -> Result<bool, AdminError> {
        let before = number.saturating_add(1).to_string();
        let query = [("room", room), ("before", &*before), ("limit", "1")];
        let page: Reports = self.client.parse(&self.client.get(&["reports"], &query)?)?;
        Ok(page.reports.iter().any(|report| report.number == number))
    }

    pub(super) fn audit(&self, room: Option<&str>, limit: usize) -> Result<(), AdminError> {
        let split = |page: Audit| (page.records, page.next);
        let (records, next) = self.newest("audit", room, limit, split)?;
        self.output.result(&Audit { records, next }, tables::audit)
    }

    /// Reads pages until `limit` entries are there, or there are no older ones. Also returns where
    /// the next page begins. `split` takes the entries and that from a page.
    fn newest<Page: DeserializeOwned, E>(
        &self,
        path: &str,
        room: Option<&str>,
        limit: usize,
        split: impl Fn(Page) -> (Vec<E>, Option<u64>),
    ) -> Result<(Vec<E>, Option<u64>), AdminError> {
        let (mut entries, mut next) = (Vec::new(), None);
        loop {
            let left = limit.saturating_sub(entries.len()).min(500).to_string();
            let before = next.map(|before: u64| before.to_string());
            let mut query = vec![("limit", &*left)];
            query.extend(room.map(|room| ("room", room)));
            query.extend(before.as_deref().map(|before| ("before", before)));
            let page;
            (page, next) = split(self.client.parse(&self.client.get(&[path], &query)?)?);
            entries.extend(page);
            if next.is_none() || entries.len() >= limit {
                return Ok((entries, next));
            }
        }
    }

    pub(super) fn close_session(&self, session: &str) -> Result<(), AdminError> {
        self.client.delete(&["sessions", session], &[])?;
        self.output.sentence(&format!("closed the session {session:?}"))
    }

    pub(super) fn notice(&self, room: Option<&str>, level: Level, body: String) -> Result<(), AdminError> {
        let path: &[&str] = match &room {
            Some(room) => &["rooms", room, "notice"],
            None => &["notice"],
        };
        let answer = self.client.post(path, &Notice { body, level })?;
        self.output.response::<NoticeSent>(&answer, |sent| format!("sent to {}", plural(sent.rooms, "room")))
    }

    pub(super) fn announcement(&self) -> Result<(), AdminError> {
        let answer = self.client.get(&["announcement"], &[])?;
        self.output.response::<CurrentAnnouncement>(&answer, tables::announcement)
    }

    pub(super) fn announce(
        &self,
        level: Level,
        body: String,
        confirmation: &Confirmation,
    ) -> Result<(), AdminError> {
        if !confirmation.yes {
            let replaced = self.current_announcement()?.filter(|current| current.body != body);
            if let Some(current) = replaced {
                let action = format!("replace {}", named_announcement(&current));
                if !self.output.is_confirmed(confirmation, &action, Undo::Impossible)? {
                    return Ok(());
                }
            } else if confirmation.dry_run {
                return self.output.sentence("would make the announcement");
            }
        }
        let answer = self.client.put(&["announcement"], &NewAnnouncement { body, level })?;
        self.output.response::<Announcement>(&answer, |made| {
            format!("all users see the announcement {:?} until you withdraw it", made.id)
        })
    }

    pub(super) fn withdraw_announcement(&self, confirmation: &Confirmation) -> Result<(), AdminError> {
        if !confirmation.yes {
            let current = self.current_announcement()?;
            let reason = || "there is no announcement".to_owned();
            let current = current.ok_or_else(|| RequestError::Rejected(self.client.server(), reason()))?;
            let action = format!("withdraw {}", named_announcement(&current));
            if !self.output.is_confirmed(confirmation, &action, Undo::Impossible)? {
                return Ok(());
            }
        }
        self.client.delete(&["announcement"], &[])?;
        self.output.sentence("the announcement is withdrawn")
    }

    fn current_announcement(&self) -> Result<Option<Announcement>, AdminError> {
        let answer = self.client.get(&["announcement"], &[])?;
        Ok(self.client.parse::<CurrentAnnouncement>(&answer)?.announcement)
    }

    pub(super) fn members(&self, room: &str, all: bool) -> Result<(), AdminError> {
        let mut list = Members { members: Vec::new(), total: 0, next: None };
        self.output.pages(|query| {
            let page: Members = self.client.parse(&self.client.get(&["rooms", room, "members"], query)?)?;
            list.members.extend(page.members);
            (list.total, list.next) = (page.total, page.next);
            Ok(list.next.clone().filter(|_| all))
        })?;
        self.output.result(&list, tables::members)
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
        self.output.pages(|query| {
            let page: Usage =
                self.client.parse(&self.client.get(&["usage"], &[&filters, query].concat())?)?;
            all.usage.extend(page.usage);
            Ok(page.next)
        })?;
        self.output.result(&all, |all| tables::usage(&all.usage))
    }

    pub(super) fn export(&self, author: &Author) -> Result<(), AdminError> {
        self.each_message(author, |message| self.output.print_json(message))?;
        self.each_reaction(author, |reaction| self.output.print_json(reaction))
    }

    pub(super) fn erase(&self, author: &Author, confirmation: &Confirmation) -> Result<(), AdminError> {
        if !confirmation.yes {
            let (mut messages, mut reactions, mut rooms) = (0, 0, BTreeSet::new());
            self.each_message(author, |message| {
                messages += 1;
                rooms.insert(message.room.clone());
                Ok(())
            })?;
            self.each_reaction(author, |reaction| {
                reactions += 1;
                rooms.insert(reaction.room.clone());
                Ok(())
            })?;
            let reports = self.reports_with_text(author)?;
            let (count, in_rooms) = (written(messages, reactions), plural(rooms.len(), "room"));
            let action = format!("erase {count} of {author} in {in_rooms}{}", and_reports(reports));
            if confirmation.dry_run {
                let found = json!({ "messages": messages, "reactions": reactions, "reports": reports, "rooms": rooms });
                return self.output.result(&found, |_| format!("would {action}"));
            }
            confirm(confirmation, &action, Undo::Impossible)?;
        }
        let (mut messages, mut reactions, mut reports) = (0, 0, 0);
        self.output.pages(|query| {
            let query = [&named(author)[..], query].concat();
            let answer = self.client.delete(&["users", &author.user, "messages"], &query)?;
            let page: ErasedMessages = self.client.parse(&answer)?;
            messages += page.messages;
            reports += page.reports;
            Ok(page.next)
        })?;
        self.output.pages(|query| {
            let query = [&named(author)[..], query].concat();
            let answer = self.client.delete(&["users", &author.user, "reactions"], &query)?;
            let page: ErasedReactions = self.client.parse(&answer)?;
            reactions += page.reactions;
            Ok(page.next)
        })?;
        let erased = json!({ "messages": messages, "reactions": reactions, "reports": reports });
        self.output.result(&erased, |_| {
            format!("erased {} of {author}{}", written(messages, reactions), and_reports(reports))
        })
    }

    /// The number of open reports that have the text of a message of the user.
    fn reports_with_text(&self, author: &Author) -> Result<usize, AdminError> {
        let split = |page: Reports| (page.reports, page.next);
        let (reports, _) = self.newest("reports", None, usize::MAX, split)?;
        let has_text = |report: &&Report| {
            let is_meant = report.author.user == author.user
                && author.username.as_ref().is_none_or(|username| report.author.username == *username);
            is_meant && report.body.is_some()
        };
        Ok(reports.iter().filter(has_text).count())
    }

    /// Calls `each` with every message of a user.
    fn each_message(
        &self,
        author: &Author,
        mut each: impl FnMut(&Message) -> Result<(), AdminError>,
    ) -> Result<(), AdminError> {
        self.output.pages(|query| {
            let query = [&named(author)[..], query].concat();
            let answer = self.client.get(&["users", &author.user, "messages"], &query)?;
            let page: Messages = self.client.parse(&answer)?;
            page.messages.iter().try_for_each(&mut each)?;
            Ok(page.next)
        })
    }

    /// Calls `each` with every reaction of a user.
    fn each_reaction(
        &self,
        author: &Author,
        mut each: impl FnMut(&Reaction) -> Result<(), AdminError>,
    ) -> Result<(), AdminError> {
        self.output.pages(|query| {
            let query = [&named(author)[..], query].concat();
            let answer = self.client.get(&["users", &author.user, "reactions"], &query)?;
            let page: Reactions = self.client.parse(&answer)?;
            page.reactions.iter().try_for_each(&mut each)?;
            Ok(page.next)
        })
    }
}

/// Who may join a room with these settings.
fn admitted(visibility: Visibility, join: Join) -> Join {
    if visibility == Visibility::Private { Join::Members } else { join }
}

fn admitted_by(settings: &Settings) -> Join {
    admitted(settings.visibility, settings.join)
}

/// An announcement in a question: its id, and the beginning of its text.
fn named_announcement(Announcement { id, body, .. }: &Announcement) -> String {
    let line = body.lines().next().unwrap_or_default();
    let beginning: String = line.chars().take(ANNOUNCEMENT_CHARS).collect();
    let more = if beginning.len() < body.len() { "..." } else { "" };
    format!("the announcement {id:?}, \"{beginning}{more}\"")
}

/// What a user wrote, in words.
fn written(messages: usize, reactions: usize) -> String {
    format!("{} and {}", plural(messages, "message"), plural(reactions, "reaction"))
}

/// The reports whose text is erased, in words, after what else is.
fn and_reports(reports: usize) -> String {
    if reports == 0 { String::new() } else { format!(", and the text of {}", plural(reports, "report")) }
}

/// The part of a query that restricts it to messages under one name.
fn named(author: &Author) -> Vec<(&str, &str)> {
    author.username.iter().map(|username| ("username", username.as_str())).collect()
}

/// A sentence, with the note that nothing has changed.
fn done_text(done: &Done, sentence: &str) -> String {
    if done.changed { sentence.to_owned() } else { format!("{sentence} (nothing has changed)") }
}
