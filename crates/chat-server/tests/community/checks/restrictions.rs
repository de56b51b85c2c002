//! Mutes, bans, kicks, roles and settings: nothing is stored that they forbid, and whoever is
//! removed receives nothing more.

use crate::log::{Entry, Fact, Stay};
use crate::model::{Event, Room};
use crate::world::World;

/// From the answer to an act on until the act that ends it was sent.
#[derive(Debug)]
struct Window<'a> {
    user: &'a str,
    /// When the act was sent and answered.
    sent: u64,
    from: u64,
    /// The number of the newest event when it was answered.
    newest: u64,
    until: u64,
}

impl<'a> Window<'a> {
    /// The windows of all acts with this name; `ends` says whether an entry ends one.
    fn all(log: &'a [Entry], room: &str, act: &str, ends: impl Fn(&Entry, &Fact) -> bool) -> Vec<Self> {
        let mut windows = Vec::new();
        for entry in log.iter().filter(|entry| entry.room() == room && entry.is_done()) {
            let Some(fact) = entry.fact.as_ref().filter(|fact| fact.act == act) else { continue };
            // whoever had no role before may be there with none
            if ends(entry, fact) || (act == "set_role" && !fact.changed) {
                continue;
            }
            let end = log.iter().filter(|end| end.room() == room && end.sent > entry.answered);
            let end = end
                .filter(|end| end.fact.as_ref().is_some_and(|of| of.target == fact.target && ends(end, of)));
            let until = end.map(|end| end.sent).min().unwrap_or(u64::MAX);
            windows.push(Self {
                user: &fact.target,
                sent: entry.sent,
                from: entry.answered,
                newest: fact.newest,
                until,
            });
        }
        windows
    }

    /// The newest event that the user may have received. Whoever is removed leaves after the
    /// answers to its commands that are in flight, so until then events may arrive.
    fn newest_received(&self, log: &[Entry], room: &str) -> u64 {
        let of_room = || log.iter().filter(|entry| entry.room() == room);
        let in_flight = of_room()
            .filter(|entry| entry.user == self.user && entry.sent < self.from && entry.answered > self.from);
        let Some(until) = in_flight.map(|entry| entry.answered).max() else { return self.newest };
        let before = of_room().filter(|entry| entry.sent < until).filter_map(Entry::seq);
        before.max().unwrap_or_default().max(self.newest)
    }
}

pub(super) fn all(world: &World, log: &[Entry], room: &str, model: &Room) {
    let stays: Vec<_> = world.stays().into_iter().filter(|stay| stay.room == room).collect();
    let done = |entry: &Entry, fact: &Fact, act: &str| entry.is_done() && fact.act == act;
    for window in Window::all(log, room, "mute", |entry, fact| done(entry, fact, "unmute")) {
        // who is muted may still delete
        stores_nothing(log, room, &window, &["send", "edit", "react"]);
    }
    for window in Window::all(log, room, "ban", |entry, fact| done(entry, fact, "unban")) {
        stores_nothing(log, room, &window, &["send", "edit", "react", "delete"]);
        sees_nothing(log, room, &window, &stays);
    }
    if room == world.club() {
        let ends = |entry: &Entry, fact: &Fact| {
            fact.act == "accept" || (fact.act == "set_role" && entry.command.get("role").is_some())
        };
        for window in Window::all(log, room, "set_role", ends) {
            stores_nothing(log, room, &window, &["send", "edit", "react", "delete"]);
            sees_nothing(log, room, &window, &stays);
        }
    }
    for window in Window::all(log, room, "kick", |_, _| false) {
        kicked(log, room, &window, &stays);
    }
    settings(world, room, model);
}

/// Of what the user has sent, nothing has a number above the newest one of the time of the act.
fn stores_nothing(log: &[Entry], room: &str, window: &Window<'_>, kinds: &[&str]) {
    let of_user = log.iter().filter(|entry| entry.room() == room && entry.user == window.user);
    for entry in of_user.filter(|entry| kinds.contains(&entry.kind())) {
        // a deletion of an own message needs no right that the act takes away
        let was_in_flight = entry.kind() == "delete" && entry.sent < window.from;
        let is_stored = entry.seq().is_some_and(|seq| seq > window.newest) && !was_in_flight;
        assert!(!is_stored || entry.answered > window.until, "{room}: {entry:?} in spite of {window:?}");
    }
}

/// The user joins only after the end, and receives nothing with a larger number before.
fn sees_nothing(log: &[Entry], room: &str, window: &Window<'_>, stays: &[Stay]) {
    let joined = |entry: &&Entry| entry.kind() == "join" && entry.answer["type"] == "joined";
    let of_user = log.iter().filter(|entry| entry.room() == room && entry.user == window.user);
    for entry in of_user.filter(joined) {
        let is_forbidden = entry.sent > window.from && entry.answered < window.until;
        assert!(!is_forbidden, "{room}: {entry:?} in spite of {window:?}");
    }
    let newest = window.newest_received(log, room);
    for stay in stays.iter().filter(|stay| stay.user == window.user && stay.joined < window.until) {
        assert!(stay.last <= newest, "{room}: {stay:?} in spite of {window:?}");
    }
}

/// The sessions that were there receive nothing more, and the user sends nothing more by them.
fn kicked(log: &[Entry], room: &str, window: &Window<'_>, stays: &[Stay]) {
    let of_user: Vec<_> = stays.iter().filter(|stay| stay.user == window.user).collect();
    let entries = log.iter().filter(|entry| entry.room() == room && entry.user == window.user);
    let sent: Vec<_> = entries.filter_map(|entry| entry.seq().map(|seq| (entry, seq))).collect();
    let newest = window.newest_received(log, room);
    for stay in of_user.iter().filter(|stay| stay.joined < window.sent) {
        assert!(stay.last <= newest, "{room}: {stay:?} in spite of {window:?}");
    }
    for (entry, seq) in sent.iter().filter(|(entry, _)| entry.sent > window.from) {
        let is_back = of_user.iter().any(|stay| (window.sent..entry.sent).contains(&stay.joined));
        assert!(is_back || *seq <= newest, "{room}: {entry:?} in spite of {window:?}");
    }
}

/// No guest posts after the number of settings that forbid it.
fn settings(world: &World, room: &str, model: &Room) {
    let (mut join, mut post) = ("everyone".to_owned(), "everyone".to_owned());
    for (seq, (user, event)) in &model.events {
        if let Event::Configure { join: new_join, post: new_post } = event {
            join = new_join.clone().unwrap_or(join);
            post = new_post.clone().unwrap_or(post);
            continue;
        }
        // a deletion of an own message needs no right
        if let Event::Delete { .. } = event {
            continue;
        }
        let is_guest = world.users[world.index(user)].is_guest;
        let is_allowed = !is_guest || (join == "everyone" && post == "everyone");
        assert!(is_allowed, "{room}: {seq} of the guest {user}: {event:?}, join {join}, post {post}");
    }
}
