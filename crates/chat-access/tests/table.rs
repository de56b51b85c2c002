//! The table of `docs/moderation.md` says what the code does, cell by cell.
#![allow(clippy::unwrap_used)]

use chat_access::{Action, Rank};
use chat_protocol::{MayJoin, MayPost, MentionRoom, RoomSettings};

const DOCS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/moderation.md"));

/// A setting, and the values that it can have.
type Setting = (&'static str, Vec<(&'static str, RoomSettings)>);

fn settings() -> [Setting; 3] {
    let new = RoomSettings::default;
    // all others as generous as they can be
    let generous = || new().mention_room(MentionRoom::Everyone);
    let join =
        [("everyone", MayJoin::Everyone), ("accounts", MayJoin::Accounts), ("members", MayJoin::Members)];
    let post = [
        ("everyone", MayPost::Everyone),
        ("accounts", MayPost::Accounts),
        ("members", MayPost::Members),
        ("moderators", MayPost::Moderators),
    ];
    let mention = [("everyone", MentionRoom::Everyone), ("moderators", MentionRoom::Moderators)];
    [
        ("join", join.map(|(name, join)| (name, generous().join(join))).to_vec()),
        ("post", post.map(|(name, post)| (name, generous().post(post))).to_vec()),
        ("mention_room", mention.map(|(name, mention)| (name, new().mention_room(mention))).to_vec()),
    ]
}

/// The setting that decides about an action first.
fn deciding(action: Action) -> usize {
    match action {
        Action::Post => 1,
        Action::MentionRoom => 2,
        _ => 0,
    }
}

/// What the table has to say about a rank and an action.
fn cell(rank: Rank, action: Action) -> String {
    let settings = settings();
    let (name, values) = &settings[deciding(action)];
    let allowing: Vec<_> =
        values.iter().filter(|(_, settings)| rank >= action.needs(settings)).map(|(name, _)| *name).collect();
    // what no value of any setting changes
    let strictest = RoomSettings::default()
        .join(MayJoin::Unknown)
        .post(MayPost::Unknown)
        .mention_room(MentionRoom::Unknown);
    let is_always = match action {
        // the note below the table: whoever may not join or post may not do this either
        Action::MentionRoom => allowing.len() == values.len(),
        _ => rank >= action.needs(&strictest),
    };
    match (is_always, allowing.is_empty()) {
        (true, _) => "yes".to_owned(),
        (_, true) => "no".to_owned(),
        _ => format!("`{name}`: {}", allowing.join(", ")),
    }
}

#[test]
fn the_table_is_what_the_code_does() {
    let rows: Vec<Vec<&str>> = DOCS
        .lines()
        .skip_while(|line| *line != "## Who may do what")
        .skip_while(|line| !line.starts_with("| |"))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), Action::ALL.len());
    for (row, action) in rows.iter().zip(Action::ALL) {
        let expected: Vec<_> = Rank::ALL.iter().map(|rank| cell(*rank, action)).collect();
        assert_eq!(row[1..], expected, "{action:?}: {}", row[0]);
    }
}
