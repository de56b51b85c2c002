//! Nobody is refused without a reason, and nobody acts without the right.

use crate::log::{Entry, outcome, text};
use crate::world::{LOBBY, OWNER, World};

pub(super) fn all(world: &World, log: &[Entry], room: &str) {
    let entries: Vec<_> = log.iter().filter(|entry| entry.room() == room).collect();
    for entry in &entries {
        let may_be = |act, end| may_hold(&entries, entry, act, end);
        match outcome(&entry.answer) {
            "muted" => assert!(may_be("mute", "unmute"), "{room}: {entry:?} without a mute"),
            // in the lobby, everyone may join and post
            "forbidden" if room == LOBBY && matches!(entry.kind(), "send" | "join" | "react") => {
                assert!(may_be("ban", "unban"), "{room}: {entry:?} without a ban");
            }
            _ => {}
        }
        let is_act = matches!(entry.kind(), "moderate" | "set_role" | "close_report" | "reports" | "audit")
            && matches!(text(&entry.answer, "type"), "done" | "reports" | "audit");
        if is_act {
            let roles = roles(world, &entries, entry);
            let has_right = roles.iter().any(|role| matches!(role.as_str(), "moderator" | "owner"));
            let name = world.users[world.index(&entry.user)].name;
            assert!(has_right, "{room}: {name} with the roles {roles:?}: {entry:?}");
        }
    }
}

/// Whether a ban or a mute of the user may have been in effect when the command was carried out.
fn may_hold(entries: &[&Entry], command: &Entry, act: &str, end: &str) -> bool {
    let room = command.room();
    let on_user = |entry: &&&Entry, name: &str| {
        entry.act_on(room, &command.user) == Some(name) && entry.is_done() && entry.sent < command.answered
    };
    let begun = entries.iter().filter(|entry| on_user(entry, act));
    // the last one that had certainly ended before the command was sent
    let ended = entries.iter().filter(|entry| on_user(entry, end) && entry.answered < command.sent);
    let ended = ended.map(|entry| entry.sent).max().unwrap_or_default();
    begun.into_iter().any(|entry| entry.answered > ended)
}

/// The roles that the doer may have had when the command was carried out.
fn roles(world: &World, entries: &[&Entry], command: &Entry) -> Vec<String> {
    let room = command.room();
    // the owner has created the club without an entry
    let is_owner = room == world.club() && command.user == world.users[OWNER].id;
    let mut roles = vec![if is_owner { "owner" } else { "" }.to_owned()];
    for entry in entries.iter().filter(|entry| entry.sent < command.answered) {
        let role = match entry.act_on(room, &command.user) {
            Some("register") => "owner",
            Some("accept") => "member",
            Some("set_role") if entry.is_done() => text(&entry.command, "role"),
            _ => continue,
        };
        if entry.answered < command.sent {
            roles.clear();
        }
        roles.push(role.to_owned());
    }
    roles
}
