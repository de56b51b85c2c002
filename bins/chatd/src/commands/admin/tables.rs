//! Responses as tables.

use chat_admin::v1::{
    Audit, CurrentAnnouncement, Level, Members, Named, Reports, Rooms, Rules, Sessions, Settings, UsageRow,
};
use comfy_table::{Table, presets};

use crate::cli::plural;

pub(super) fn rooms(response: &Rooms) -> String {
    let rows = response.rooms.iter().map(|room| vec![room.room.clone(), room.members.to_string()]);
    table(&["room", "members"], rows).unwrap_or_else(|| "no rooms".to_owned())
}

pub(super) fn settings(settings: &Settings) -> String {
    let slow_mode = match settings.slow_mode_s {
        0 => "off".to_owned(),
        seconds => plural(seconds as usize, "second"),
    };
    let rows = [
        ["title", settings.title.as_deref().unwrap_or_default()],
        ["topic", settings.topic.as_deref().unwrap_or_default()],
        ["visibility", settings.visibility.name()],
        ["join", settings.join.name()],
        ["post", settings.post.name()],
        ["slow mode", &slow_mode],
        ["@room", settings.mention_room.name()],
    ];
    let rows = rows.into_iter().map(|row| row.map(str::to_owned).to_vec());
    table(&["setting", "value"], rows).unwrap_or_default()
}

pub(super) fn rules(rules: &Rules) -> String {
    let row = |user: &Named, what: &str, until: Option<&str>| {
        vec![user.username.clone(), user.user.clone(), what.to_owned(), until.unwrap_or_default().to_owned()]
    };
    let roles = rules.roles.iter().map(|entry| row(&entry.target, &entry.role, None));
    let restrictions = rules.restrictions.iter().map(|found| {
        let is = if found.kind == "ban" { "banned" } else { "muted" };
        row(&found.target, is, Some(found.until.as_deref().unwrap_or("it is ended")))
    });
    table(&["username", "user", "is", "until"], roles.chain(restrictions))
        .unwrap_or_else(|| "no roles, bans or mutes".to_owned())
}

pub(super) fn audit(log: &Audit) -> String {
    let rows = log.records.iter().map(|record| {
        let by = record.by.as_ref().map_or("the operator", |by| &by.username);
        let act = match (&record.role, &record.until, record.message) {
            (Some(role), ..) => format!("{} {role}", record.act),
            (None, Some(until), _) => format!("{} until {until}", record.act),
            (None, None, Some(number)) => format!("{} {number}", record.act),
            _ => record.act.clone(),
        };
        let user = record.target.as_ref().map_or("", |target| &target.username);
        let room = record.room.as_deref().unwrap_or_default();
        let reason = record.reason.as_deref().unwrap_or_default().replace('\n', " ");
        [&record.number.to_string(), &record.at, room, by, &act, user, &reason]
            .map(ToString::to_string)
            .to_vec()
    });
    table(&["number", "at", "room", "by", "act", "user", "reason"], rows)
        .unwrap_or_else(|| "nothing was done".to_owned())
}

pub(super) fn reports(list: &Reports) -> String {
    let rows = list.reports.iter().map(|report| {
        let one_line = |text: &str| text.replace('\n', " ");
        let reason = one_line(report.reason.as_deref().unwrap_or_default());
        let (number, target) = (report.number.to_string(), report.target.to_string());
        let body = one_line(report.body.as_deref().unwrap_or("(erased)"));
        [
            &number,
            &report.at,
            &report.room,
            &report.by.username,
            &target,
            &report.author.username,
            &body,
            &reason,
        ]
        .map(ToString::to_string)
        .to_vec()
    });
    table(&["number", "at", "room", "by", "message", "from", "text", "reason"], rows)
        .unwrap_or_else(|| "no reports".to_owned())
}

pub(super) fn announcement(response: &CurrentAnnouncement) -> String {
    let Some(current) = &response.announcement else { return "no announcement".to_owned() };
    let level = match current.level {
        Level::Warning => "warning",
        _ => "info",
    };
    let row = [&current.id, level, &current.made_at].map(str::to_owned).to_vec();
    let head = table(&["id", "level", "made at"], std::iter::once(row)).unwrap_or_default();
    format!("{head}\n\n{}", current.body)
}

pub(super) fn members(response: &Members) -> String {
    let rows = response
        .members
        .iter()
        .map(|member| vec![member.username.clone(), member.user.clone(), member.joined_at.clone()]);
    let more = match response.total.saturating_sub(response.members.len()) {
        0 => String::new(),
        more => format!("\nand {more} more (--all lists them)"),
    };
    table(&["username", "user", "joined at"], rows).unwrap_or_else(|| "no members".to_owned()) + &more
}

pub(super) fn usage(rows: &[UsageRow]) -> String {
    let rows = rows.iter().map(|row| {
        let numbers = [row.peak_members, row.messages, row.bytes].map(|number| number.to_string());
        [row.day.clone(), row.room.clone()].into_iter().chain(numbers).collect()
    });
    table(&["day", "room", "members at peak", "messages", "bytes"], rows)
        .unwrap_or_else(|| "no usage".to_owned())
}

pub(super) fn sessions(response: &Sessions) -> String {
    let sessions = response.sessions.iter().map(|session| {
        let fields =
            [&session.session, &session.username, &session.user, &session.address, &session.began_at];
        [vec!["chat.v2".to_owned()], fields.map(String::clone).to_vec(), vec![String::new()]].concat()
    });
    let classic = response.classic.iter().map(|client| {
        let fields = [&client.username, &client.user, &client.address, &client.began_at, &client.room];
        [vec!["classic".to_owned(), "-".to_owned()], fields.map(String::clone).to_vec()].concat()
    });
    let heads = ["protocol", "session", "username", "user", "address", "connected at", "room"];
    table(&heads, sessions.chain(classic)).unwrap_or_else(|| "no sessions".to_owned())
}

/// A table without borders. `None` if there are no rows.
pub(in crate::commands) fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Option<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(heads).add_rows(rows);
    if table.row_count() == 0 {
        return None;
    }
    Some(table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n"))
}
