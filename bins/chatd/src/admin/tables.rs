//! What a person reads.

use chat_admin::v1::{Members, Rooms, Sessions, UsageRow};
use comfy_table::{Table, presets};

pub(super) fn rooms(answer: &Rooms) -> String {
    let rows = answer.rooms.iter().map(|room| vec![room.room.clone(), room.members.to_string()]);
    table(&["room", "members"], rows)
}

pub(super) fn members(answer: &Members) -> String {
    let rows = answer.members.iter().map(|member| vec![member.username.clone(), member.joined_at.clone()]);
    let more = match answer.total.saturating_sub(answer.members.len()) {
        0 => String::new(),
        more => format!("\nand {more} more"),
    };
    table(&["username", "joined at"], rows) + &more
}

pub(super) fn usage(rows: &[UsageRow]) -> String {
    let rows = rows.iter().map(|row| {
        let numbers = [row.peak_members, row.messages, row.bytes].map(|number| number.to_string());
        [row.day.clone(), row.room.clone()].into_iter().chain(numbers).collect()
    });
    table(&["day", "room", "members at peak", "messages", "bytes"], rows)
}

pub(super) fn sessions(answer: &Sessions) -> String {
    let rows = answer
        .sessions
        .iter()
        .map(|one| vec![one.session.clone(), one.username.clone(), one.began_at.clone()]);
    table(&["session", "username", "began at"], rows)
}

fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(heads).add_rows(rows);
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
